"""What a person has written lately: sliding windows, exact to the millisecond, in one document of bounded size."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from shared.flow.documents import Document
from shared.text import normalise

Sign = Literal["flood", "repeated", "relapse"]
SIGNS: dict[Sign, tuple[float, str]] = {
    "flood": (0.6, "短时间内发得太多"),
    "repeated": (1.0, "同样的文字发到了许多地方"),
    "relapse": (0.34, "近日已有多条内容被隐藏"),
}
"""What a counter may hold against a content: how much it weighs, and what it means to the author."""
MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=7)
LEAST_TEXT = 8
"""Characters of normalised text, white space apart, below which texts are alike by nature."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How much is too much.

    per_minute   contents within a minute
    per_hour     contents within an hour
    places       notes or groups with the same text within an hour
    hidden       contents that were hidden within seven days
    """

    per_minute: int
    per_hour: int
    places: int
    hidden: int

    @property
    def kept(self) -> int:
        """Entries that decide: what lies further back than these is beyond every limit anyway."""
        return max(self.per_minute, self.per_hour, self.places, self.hidden) + 1


class Entry(msgspec.Struct, frozen=True):
    """A content as a counter knows it; `text` is a hash, empty for a short one, `version` that of the content."""

    content_id: str
    place_id: str
    at: datetime
    text: str
    hidden: bool
    version: int


class Counter(Document, frozen=True, kw_only=True):
    """What one person has written within the hour, and what of it was hidden within the week; oldest first."""

    COLLECTION: ClassVar[str] = "counters"
    REBUILT: ClassVar[bool] = False

    entries: tuple[Entry, ...] = ()
    last: datetime | None = None


def counter_id(person_id: str) -> str:
    """The counter of a person, and the key of what it counts."""
    return f"person:{person_id}"


def text_hash(text: str) -> str:
    """Twelve hex digits that texts share when they read alike; empty for one too short to tell anything."""
    seen = "".join(normalise(text).text.split())
    return blake2b(seen.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest() if len(seen) >= LEAST_TEXT else ""


def counted(counter: Counter, entry: Entry, windows: Windows) -> tuple[Counter, tuple[Sign, ...]]:
    """The counter after a content, and what its windows hold against this one, if it is new.

    News of a content that is known changes its entry; older news changes nothing.
    """
    known = next((e for e in counter.entries if e.content_id == entry.content_id), None)
    if known is not None and known.version >= entry.version:
        return counter, ()
    others = tuple(e for e in counter.entries if e.content_id != entry.content_id)
    signs = () if known is not None else _signs(others, entry, windows)
    last = max(entry.at, counter.last or entry.at)
    return replace(counter, entries=_kept((*others, entry), last, windows.kept), last=last), signs


def _signs(others: tuple[Entry, ...], entry: Entry, windows: Windows) -> tuple[Sign, ...]:
    def within(span: timedelta) -> list[Entry]:
        return [e for e in others if entry.at - span < e.at <= entry.at]

    places = {e.place_id for e in within(HOUR) if e.text == entry.text} | {entry.place_id} if entry.text else set()
    found: dict[Sign, bool] = {
        "flood": len(within(MINUTE)) >= windows.per_minute or len(within(HOUR)) >= windows.per_hour,
        "repeated": len(places) > windows.places,
        "relapse": sum(e.hidden for e in within(WEEK)) >= windows.hidden,
    }
    return tuple(sign for sign, holds in found.items() if holds)


def _kept(entries: Iterable[Entry], last: datetime, most: int) -> tuple[Entry, ...]:
    """What can still decide: the newest of the last hour, and the newest hidden ones of the week."""
    ordered = sorted(entries, key=lambda e: (e.at, e.content_id))
    recent = [e for e in ordered if last - e.at < HOUR][-most:]
    hidden = [e for e in ordered if e.hidden and last - e.at < WEEK][-most:]
    keep = {e.content_id for e in (*recent, *hidden)}
    return tuple(e for e in ordered if e.content_id in keep)
