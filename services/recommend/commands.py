"""The service's own command lines: its core, offline, with no broker, database or settings.

    python -m services.recommend place --groups G.jsonl --train T.jsonl --test E.jsonl --k 10 > ranked.jsonl

Files are JSON lines, plain or gzipped. All rows are read and checked before anything is learned or written.
"""

import argparse
import contextlib
import gzip
import json
import math
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

from services.recommend.core import GroupProfile, Profiles, features, learn, opened

MAX_LINE = 1 << 20
"""Bytes of a row; a longer one is refused before it is read whole."""
BAD_INPUT = 2
"""The exit status for a file or a row that cannot be used; argparse has the same."""

Name = Annotated[str, msgspec.Meta(min_length=1)]
R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")


class BadRow(Exception):
    """A file or a row that cannot be used: where, and what is wrong with it, without its content."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")


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
            [row for _, row in _rows(chosen.train, NoteRow)],
            [row for _, row in _rows(chosen.test, AskedRow)],
        )
    except BadRow as bad:
        sys.stderr.write(f"{bad}\n")
        return BAD_INPUT
    profiles = Profiles()
    for profile in learned(given.groups, _watched(by_time(given.notes), "learning")).values():
        profiles.put(profile)
    try:
        for row in _watched(given.asked, "placing"):
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
    for line, row in _rows(path, GroupRow):
        if row.node in found:
            raise BadRow(path, line, "this node has a row already")
        found[row.node] = row
    return list(found.values())


def _rows(path: Path, kind: type[R]) -> Iterator[tuple[int, R]]:
    """The rows of a file with their line numbers from 1; unknown fields are ignored, blank lines left out."""
    for number, line in _lines(path):
        try:
            row = msgspec.convert(_object(line), kind)
        except (ValueError, RecursionError) as error:
            told = error if isinstance(error, msgspec.ValidationError) else "not a JSON object in UTF-8"
            raise BadRow(path, number, str(told)) from None
        if isinstance(row, NoteRow) and not math.isfinite(row.created):
            raise BadRow(path, number, "Expected a finite number - at `$.created`")
        yield number, row


def _object(line: bytes) -> Mapping[str, Any]:
    # Not msgspec's reader: it refuses half an emoji, which real texts hold where somebody cut them.
    row = json.loads(line.decode("utf-8-sig"))
    if not isinstance(row, dict):
        raise ValueError
    return row


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with contextlib.ExitStack() as files:
            raw = files.enter_context(path.open("rb"))
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            source = files.enter_context(gzip.GzipFile(fileobj=raw)) if packed else raw
            while line := source.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise BadRow(path, number, f"longer than {MAX_LINE} bytes")
                if line.strip():
                    yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadRow(path, number + 1, "the gzipped file is broken here") from None
    except OSError as error:
        raise BadRow(path, None, error.strerror or "cannot be read") from None


def _watched(items: Sequence[T], what: str) -> Iterable[T]:
    """The items, with a bar on stderr if somebody sits before it; rich is a tool, and an image has none."""
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            from rich.console import Console
            from rich.progress import track

            return track(items, what, console=Console(stderr=True))
    return items
