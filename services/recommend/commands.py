"""The service's own command lines: its core, offline, with no broker, database or settings.

    python -m services.recommend place --groups G.jsonl --train T.jsonl --test E.jsonl --k 10 > ranked.jsonl

Files are JSON lines, plain or gzipped. All rows are read and checked before anything is learned or written.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from services.recommend.core import GroupProfile, Profiles, features, learn, opened
from shared.rows import BAD_INPUT, BadRow, rows, watched

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
    chosen = _parser().parse_args(words)
    try:
        given = Given(
            _groups(chosen.groups),
            _notes(chosen.train),
            [row for _, row in rows(chosen.test, AskedRow)],
        )
    except BadRow as bad:
        sys.stderr.write(f"{bad}\n")
        return BAD_INPUT
    profiles = Profiles()
    for profile in learned(given.groups, watched(by_time(given.notes), "learning")).values():
        profiles.put(profile)
    try:
        for row in watched(given.asked, "placing"):
            best = profiles.place(features(row.title, row.text or ""), chosen.k, floor=0.0)
            sys.stdout.write(json.dumps({"id": row.id, "ranked": [p.group_id for p in best]}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


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
        profiles[row.node] = learn(profile, features(row.title, row.text or ""))
    return profiles


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.recommend place", description="Rank groups for notes, learned from other notes."
    )
    parser.add_argument("--groups", type=Path, required=True, metavar="G", help="rows: node, title, header")
    parser.add_argument("--train", type=Path, required=True, metavar="T", help="rows: node, created, title, text")
    parser.add_argument("--test", type=Path, required=True, metavar="E", help="rows: id, title, text")
    parser.add_argument("--k", type=_positive, default=10, help="most groups for a note (default: 10)")
    return parser


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
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
