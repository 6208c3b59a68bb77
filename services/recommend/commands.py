"""The service's own command lines: its core, with no database, and but for the last without a broker or settings.

    python -m services.recommend place --groups G.jsonl --train T.jsonl --test E.jsonl --k 10 > ranked.jsonl
    python -m services.recommend suggest --memberships T.jsonl --people P.jsonl --k 10 > ranked.jsonl
    python -m services.recommend evaluate --days 30 --plot weeks.svg

The last one reads the topics, and nothing else of a running system. Files are JSON lines, plain or gzipped. All rows
are read and checked before anything is learned or written.
"""

import argparse
import asyncio
import json
import math
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from services.recommend.core import (
    Circle,
    Circles,
    Evaluation,
    GroupProfile,
    Person,
    Profiles,
    Turn,
    features,
    joined,
    noted,
    opened,
    turn,
    turned,
)
from services.recommend.past import SOURCES, Past, plot, shown, table
from shared.errors import Transient
from shared.history import history
from shared.rows import BAD_INPUT, BadRow, rows, watched
from shared.settings import KafkaSettings
from shared.settings import load as load_settings

MOST_DAYS = 3_650
TRY_AGAIN = 75
"""The exit status while the broker is away, as of `ops`."""

Name = Annotated[str, msgspec.Meta(min_length=1)]


class GroupRow(msgspec.Struct, frozen=True):
    """A group: title and header are its charter."""

    node: Name
    title: str = ""
    header: str | None = None


class NoteRow(msgspec.Struct, frozen=True):
    """A note that was posted in a group; `created` is in unix seconds."""

    node: Name
    created: float
    title: str
    text: str | None = None


class AskedRow(msgspec.Struct, frozen=True):
    """A note to place; a node that it may have is not looked at."""

    id: str | int
    title: str
    text: str | None = None


Key = Name | int
"""An id of a file, given back as it came: 7 and "7" are two."""


class MembershipRow(msgspec.Struct, frozen=True):
    """Somebody is in a group. How often they come, `w`, must be a number and counts nothing: they are in it or not."""

    u: Key
    g: Key
    w: float | None = None


class PersonRow(msgspec.Struct, frozen=True):
    """Somebody to whom groups are to be suggested."""

    u: Key


class Given(NamedTuple):
    """What `place` was given, every row checked, in the order of the files."""

    groups: list[GroupRow]
    notes: list[NoteRow]
    asked: list[AskedRow]


def place(words: Sequence[str]) -> int:
    """Learn groups and notes, then rank the groups for other notes; the exit status.

    The best k by the live core, without the floor below which the service keeps still; fewer where nothing of
    a note is known.
    """
    chosen = _place_parser().parse_args(words)
    try:
        given = Given(
            _groups(chosen.groups),
            _notes(chosen.train),
            [row for _, row in rows(chosen.test, AskedRow)],
        )
    except BadRow as bad:
        return _refused(bad)
    profiles = Profiles()
    for profile in learned(given.groups, watched(by_time(given.notes), "learning")).values():
        profiles.put(profile)

    def ranked(row: AskedRow) -> dict[str, Any]:
        best = profiles.place(features(row.title, row.text or ""), chosen.k, floor=0.0)
        return {"id": row.id, "ranked": [p.group_id for p in best]}

    return _tell(map(ranked, watched(given.asked, "placing")))


def suggest(words: Sequence[str]) -> int:
    """Learn who is in which groups, then rank for each person the groups that they are not in; the exit status.

    By the live core and its own weights. A person whom no membership names gets what is popular.
    """
    chosen = _suggest_parser().parse_args(words)
    try:
        memberships = _memberships(chosen.memberships)
        asked = [row for _, row in rows(chosen.people, PersonRow)]
    except BadRow as bad:
        return _refused(bad)
    people = acquainted(watched(memberships, "reading"))
    circles = Circles()
    for circle in turned_at_once(people.values()):
        circles.put(circle)

    def ranked(row: PersonRow) -> dict[str, Any]:
        id_ = _id(row.u)
        fits = circles.suggest(people.get(id_) or Person(id=id_), chosen.k)
        return {"u": row.u, "ranked": [json.loads(unquote(fit.group_id)) for fit in fits]}

    return _tell(map(ranked, watched(asked, "suggesting")))


def evaluate(words: Sequence[str]) -> int:
    """How often a relayed note's group had been suggested for it, by week and by size of group; how often what people
    were shown came again, or was joined; the exit status."""
    chosen = _evaluate_parser().parse_args(words)
    evaluation = Evaluation()
    past, until = Past(evaluation), datetime.now(UTC)
    since = until - timedelta(days=chosen.days)
    try:
        asyncio.run(_read(past, load_settings(KafkaSettings), since))
    except Transient as away:
        sys.stderr.write(f"{away}\n")
        return TRY_AGAIN
    told = f"{past.records:,} events, {past.unreadable:,} unreadable, {evaluation.early:,} relays before a suggestion"
    sys.stdout.write(f"{since:%Y-%m-%d} to {until:%Y-%m-%d}: {told}\n\n{table(evaluation.outcomes)}\n\n")
    sys.stdout.write(f"{shown(evaluation.looks)}\n")
    if chosen.plot:
        try:
            chosen.plot.write_text(plot(evaluation.outcomes), "utf-8")
        except OSError as error:
            return _refused(BadRow(str(chosen.plot), None, error.strerror or "cannot be written"))
    return 0


async def _read(past: Past, settings: KafkaSettings, since: datetime) -> None:
    async for records in history(settings.brokers, SOURCES, since):
        past.take(records)


def acquainted(memberships: Iterable[MembershipRow]) -> dict[str, Person]:
    """People by their id here; a membership that is told twice is one."""
    people: dict[str, Person] = {}
    for row in memberships:
        id_ = _id(row.u)
        people[id_] = joined(people.get(id_) or Person(id=id_), _id(row.g), sequence=1)
    return people


def turned_at_once(people: Iterable[Person]) -> Iterator[Circle]:
    """The circles that these memberships make: turns commute, so all of a group are added up before it is turned."""
    members: Counter[str] = Counter()
    shares: dict[str, Counter[str]] = defaultdict(Counter)
    for person in people:
        for group, change in turned(Person(id=person.id), person).items():
            members[group] += change.members
            shares[group].update(dict(change.shares))
    for group, count in members.items():
        yield turn(Circle(id=group), Turn(count, tuple(shares[group].items())))


def by_time(notes: Iterable[NoteRow]) -> list[NoteRow]:
    """The notes in the order of their time, equal times in the order of the file."""
    return sorted(notes, key=lambda row: row.created)


def learned(groups: Iterable[GroupRow], notes: Iterable[NoteRow]) -> dict[str, GroupProfile]:
    """Profiles by node after these notes; a node that only notes name begins with its name alone."""
    profiles = {
        row.node: opened(
            GroupProfile(id=row.node),
            f"{row.title} {row.node}".strip(),
            purpose=row.header or "",
            audience="",
            seats_left=1,
        )
        for row in groups
    }
    for row in notes:
        profile = profiles.get(row.node)
        if profile is None:
            profile = opened(GroupProfile(id=row.node), row.node, purpose="", audience="", seats_left=1)
        profiles[row.node] = noted(profile, features(row.title, row.text or ""))
    return {node: profile.closed() for node, profile in profiles.items()}


def _id(key: Key) -> str:
    """An id without white space, from which the one of the file comes back."""
    return quote(json.dumps(key))


def _refused(bad: BadRow) -> int:
    sys.stderr.write(f"{bad}\n")
    return BAD_INPUT


def _tell(answers: Iterable[dict[str, Any]]) -> int:
    """A line for each answer; the exit status."""
    try:
        for answer in answers:
            sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _ranking(verb: str, about: str, **rows_of: str) -> argparse.ArgumentParser:
    """Of a command that ranks groups by files, each an option; `rows_of` says what the rows of each have."""
    parser = argparse.ArgumentParser(prog=f"python -m services.recommend {verb}", description=about)
    for name, has in rows_of.items():
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=f"rows: {has}")
    parser.add_argument("--k", type=_positive, default=10, help="most groups in a ranking (default: 10)")
    return parser


def _place_parser() -> argparse.ArgumentParser:
    about, train = "Rank groups for notes, learned from other notes.", "node, created, title, text"
    return _ranking("place", about, groups="node, title, header", train=train, test="id, title, text")


def _suggest_parser() -> argparse.ArgumentParser:
    about = "Rank groups for people, learned from memberships."
    return _ranking("suggest", about, memberships="u, g, w", people="u")


def _evaluate_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.recommend evaluate",
        description="Compare relays with what was suggested before. Kafka is found by the settings LIANYI_KAFKA….",
    )
    parser.add_argument("--days", type=_days, default=30.0, help="how far to go back (30)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the shares by week and size as SVG")
    return parser


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _days(word: str) -> float:
    number = float(word)
    if not 0 < number <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"must be above 0, and {MOST_DAYS} at most")
    return number


def _groups(path: Path) -> list[GroupRow]:
    found: dict[str, GroupRow] = {}
    for line, row in rows(path, GroupRow):
        if row.node in found:
            raise BadRow(str(path), line, "this node has a row already")
        found[row.node] = row
    return list(found.values())


def _notes(path: Path) -> list[NoteRow]:
    found: list[NoteRow] = []
    for line, row in rows(path, NoteRow):
        if not math.isfinite(row.created):
            raise BadRow(str(path), line, "Expected a finite number - at `$.created`")
        found.append(row)
    return found


def _memberships(path: Path) -> list[MembershipRow]:
    found: list[MembershipRow] = []
    for line, row in rows(path, MembershipRow):
        if row.w is not None and not (math.isfinite(row.w) and row.w >= 0):
            raise BadRow(str(path), line, "Expected a finite number, 0 or more - at `$.w`")
        found.append(row)
    return found
