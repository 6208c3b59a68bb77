"""What was written lately, by a person, in the same words, of the same host, or in a group: sliding windows, exact to
the millisecond, each counter in one document of bounded size. Rules ask for what they tell as facts."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from shared.flow.documents import Document
from shared.rules import MOST_COUNTED

MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=7)


class Entry(msgspec.Struct, frozen=True):
    """A content as a counter knows it; `text` is a hash, empty for a short one, `version` that of the content."""

    content_id: str
    place_id: str
    at: datetime
    text: str
    hidden: bool
    version: int
    author_id: str = ""


class Heat(msgspec.Struct, frozen=True):
    """What was told last of a counter that is hot: by which rules it is, and how long that holds."""

    rules: tuple[str, ...]
    until: datetime


class Counter(Document, frozen=True, kw_only=True):
    """What was counted within the hour, and what of it was hidden within the week; oldest first.

    `written` counts all contents ever, `since` is when the first of them was posted, `last` the last. `heat` is what
    was told of it to those who judge beforehand.
    """

    COLLECTION: ClassVar[str] = "counters"
    REBUILT: ClassVar[bool] = False

    entries: tuple[Entry, ...] = ()
    last: datetime | None = None
    since: datetime | None = None
    written: int = 0
    heat: Heat | None = None


def counted(counter: Counter, entry: Entry) -> tuple[Counter, Mapping[str, float]]:
    """The counter after a content, and the facts that it tells of this one, if it is new.

    News of a content that is known changes its entry and tells nothing; older news changes nothing. A window reaches
    back from when the content was posted, so delay and order change nothing but what was not there yet, and a clock
    that has jumped ahead blinds no window. Late news of one whose entry is gone is told what is still remembered, and
    does not count it again.
    """
    known = next((e for e in counter.entries if e.content_id == entry.content_id), None)
    if known is not None and known.version >= entry.version:
        return counter, {}
    others = tuple(e for e in counter.entries if e.content_id != entry.content_id)
    forgotten = known is None and entry.version > 1 and counter.last is not None and counter.last - entry.at >= HOUR
    new = known is None and not forgotten
    facts = _facts(counter, others, entry) if known is None else {}
    last, since = max(entry.at, counter.last or entry.at), min(entry.at, counter.since or entry.at)
    after = replace(counter, entries=_kept((*others, entry), last, entry.at), last=last, since=since)
    return replace(after, written=counter.written + new), facts


def _facts(counter: Counter, others: tuple[Entry, ...], entry: Entry) -> Mapping[str, float]:
    def within(span: timedelta) -> list[Entry]:
        return [e for e in others if entry.at - span < e.at <= entry.at]

    hour = within(HOUR)
    elsewhere = {e.place_id for e in hour} - {entry.place_id}
    people = {e.author_id for e in hour} - {entry.author_id}
    kind = counter.id.partition(":")[0]
    if kind == "text":
        return bounded({"crowd.people(1h)": len(people), "crowd.places(1h)": len(elsewhere)})
    if kind == "host":
        return bounded({"host.people(1h)": len(people)})
    if kind == "group":
        hidden = sum(e.hidden for e in hour)
        return bounded(
            {"group.posts(1m)": len(within(MINUTE)), "group.posts(1h)": len(hour), "group.hidden(1h)": hidden}
        )
    alike = {e.place_id for e in hour if entry.text and e.text == entry.text} - {entry.place_id}
    age = (entry.at - (counter.since or entry.at)).total_seconds()
    told = {
        "author.posts(1m)": len(within(MINUTE)),
        "author.posts(1h)": len(hour),
        "author.places(1h)": len(elsewhere),
        "author.copies(1h)": len(alike),
        "author.hidden(7d)": sum(e.hidden for e in within(WEEK)),
    }
    return {**bounded(told), "author.written": counter.written, "author.age": max(age, 0.0)}


def bounded(told: Mapping[str, int]) -> dict[str, float]:
    """Counts as they are told: no further than rules may ask."""
    return {key: min(count, MOST_COUNTED) for key, count in told.items()}


def _kept(entries: Iterable[Entry], last: datetime, at: datetime) -> tuple[Entry, ...]:
    """What can still be told: of the hour before a moment the newest, and of the week the newest that are hidden.

    The moments are the latest ever, the one at hand, and the latest before a silence of an hour: where one clock is
    years ahead, that is where the others are.
    """
    ordered = sorted(entries, key=lambda e: (e.at, e.content_id))
    if len(ordered) <= MOST_COUNTED and ordered[-1].at <= last < ordered[0].at + HOUR:
        return tuple(ordered)  # as of most people
    silent = [before.at for before, after in pairwise(ordered) if after.at - before.at >= HOUR]
    keep = set[str]()
    for moment in {last, at, *silent[-1:]}:
        recent = [e.content_id for e in ordered if moment - HOUR < e.at <= moment]
        hidden = [e.content_id for e in ordered if e.hidden and moment - WEEK < e.at <= moment]
        keep.update(recent[-MOST_COUNTED - 1 :], hidden[-MOST_COUNTED - 1 :])
    return tuple(e for e in ordered if e.content_id in keep)
