"""Real data as it lies in files: gzipped JSON lines, read row by row, whatever is wrong with some of them."""

import gzip
import io
import json
import random
import re
import tempfile
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

MAX_LINE = 1 << 20
TITLE, TEXT, COMMENT, NAME, PART = 200, 20_000, 4_000, 100, 2_000
"""Characters that the APIs take of a title, a note, a comment, a group's name and a part of its charter."""
BYTES = 60_000
"""Bytes of text in one request: bodies are limited to 64 KiB."""
NO_TEXT = "…"
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")

Row = Mapping[str, Any]

KEYS: Mapping[str, tuple[str, ...]] = {
    "nodes": ("node", "title"),
    "memberships": ("u", "g"),
    "notes": ("title", "text"),
    "spam": ("text",),
    "ham": ("text",),
}
"""What every row of a file must have; whatever else it has may be missing."""


@dataclass(slots=True)
class Odd:
    """What was not as it should be, counted by reason: rows left out, and texts changed to fit."""

    left_out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)


class BadRow(ValueError):
    """A row that cannot be used; the message is the reason, never the content."""


@dataclass(frozen=True, slots=True)
class Node:
    """A community, to become a group."""

    key: str
    name: str
    purpose: str
    audience: str


@dataclass(frozen=True, slots=True)
class Note:
    """A note with the community it was posted in ("" if none is told)."""

    node: str
    person: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Membership:
    """A person who is in a group."""

    person: str
    group: str


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment and whether it is an advertisement."""

    person: str
    text: str
    spam: bool


class MissingKeyError(ValueError):
    """A row lacks a key that every row of its file has; the message names file, line and key."""


def checked(path: Path, keys: Sequence[str]) -> None:
    """Reads all of a file. Raises MissingKeyError at the first object without one of the keys."""
    for number, line in numbered(path, Odd()):
        try:
            row = parsed(line)
        except BadRow:  # left out and counted when its turn comes
            continue
        for key in keys:
            if key not in row:
                raise MissingKeyError(f"{path}, line {number}: no key {key!r}; nothing was fed")


def lines(path: Path, odd: Odd) -> Iterator[bytes]:
    """The lines of a file, as `numbered` reads them."""
    return (line for _, line in numbered(path, odd))


def numbered(path: Path, odd: Odd) -> Iterator[tuple[int, bytes]]:
    """Number and text of the lines of a gzipped or plain file; left out are blank ones and, unread, what is too long.

    A file that ends in the middle, or is broken from some point on, ends there and counts as odd.
    """
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        source: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        try:
            whole, number = True, 0
            while line := source.readline(MAX_LINE):
                fits, begins = line.endswith(b"\n") or len(line) < MAX_LINE, whole
                whole = line.endswith(b"\n")
                number += begins
                if not begins or not fits:
                    odd.left_out["too long a line"] += begins
                elif line.strip():
                    yield number, line
        except (OSError, EOFError, zlib.error):
            odd.left_out["the file is broken"] += 1


def parsed(line: bytes) -> Row:
    """The object of a line. Raises BadRow."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRow("not JSON") from None
    if not isinstance(row, dict):
        raise BadRow("not an object")
    return row


def fitted(row: Row, key: str, longest: int, odd: Odd) -> str:
    """A text of the row as the API takes it: stripped, without what is no text, cut. Raises BadRow if it is none."""
    value = row.get(key)
    if not isinstance(value, str):
        raise BadRow(f"{key} is {'missing' if value is None else 'no text'}")
    text = _NOT_TEXT.sub("", value)
    if text != value:
        odd.changed["characters that are no text"] += 1
    text = text.strip()
    if len(text) > longest:
        odd.changed[f"{key} cut to {longest}"] += 1
        text = text[:longest].strip()
    if len(text) * 4 > BYTES and len(encoded := text.encode()) > BYTES:
        odd.changed[f"{key} cut to {BYTES} bytes"] += 1
        text = encoded[:BYTES].decode(errors="ignore").strip()
    return text


def person(row: Row, fallback: str) -> str:
    """The row's user if that can be an id, a hash of it if not, else the fallback."""
    user = row.get("user")
    return as_id(user) if isinstance(user, str) and user else fallback


def as_id(name: str) -> str:
    """A name that can be an id as it is, of another one a hash."""
    return name if _ID.fullmatch(name) else f"u-{blake2b(name.encode(errors='replace'), digest_size=8).hexdigest()}"


def membership_of(row: Row, odd: Odd) -> Membership:
    """A row of the memberships' file. Raises BadRow."""
    person, group = fitted(row, "u", TITLE, odd), fitted(row, "g", NAME, odd)
    if not person or not group:
        raise BadRow("no name")
    return Membership(as_id(person), group)


def seats(path: Path, most: int | None) -> tuple[int, Counter[str]]:
    """How many memberships will be taken, and for how many people each group needs a seat."""
    needed: Counter[str] = Counter()
    taken = 0
    for line in islice(lines(path, Odd()), most):
        taken += 1
        with suppress(BadRow):
            needed[membership_of(parsed(line), Odd()).group] += 1
    return taken, needed


def node_of(row: Row, odd: Odd) -> Node:
    """A row of the nodes' file. Raises BadRow."""
    key, title = fitted(row, "node", NAME, odd), fitted(row, "title", NAME, odd)
    if not key or not title:
        raise BadRow("no name")
    header = fitted(row, "header", PART, odd) if row.get("header") is not None else ""
    return Node(key, title, title, header or title)


def note_of(row: Row, number: int, odd: Odd) -> Note:
    """A row of the notes' file. A note without text is its title alone. Raises BadRow."""
    title = fitted(row, "title", TITLE, odd)
    if not title:
        raise BadRow("title is empty")
    text = fitted(row, "text", TEXT, odd) if row.get("text") is not None else ""
    node = row.get("node")
    return Note(node if isinstance(node, str) else "", person(row, f"p-n{number}"), title, text or NO_TEXT)


def comment_of(row: Row, number: int, spam: bool, odd: Odd) -> Comment:
    """A row of the spam's or the ham's file; its own label goes before the file's. Raises BadRow."""
    text = fitted(row, "text", COMMENT, odd)
    if not text:
        raise BadRow("text is empty")
    label = row.get("label", int(spam))
    if label not in (0, 1):
        raise BadRow("label is neither 0 nor 1")
    return Comment(person(row, f"p-{number}"), text, bool(label))


def created(line: bytes, before: int) -> int:
    """When the note of a line was written, unix seconds; that of the line before where it does not tell."""
    try:
        at = parsed(line).get("created")
    except BadRow:
        return before
    return int(at) if isinstance(at, int | float) and abs(at) < 1 << 40 else before


class InTime:
    """The lines of a notes' file in the order of their time, equal times in the order of the file.

    A file that is in order already is read twice and never held. Another one is unpacked once into a nameless
    temporary file in `directory`; in memory are 16 bytes a line.
    """

    def __init__(self, path: Path, directory: Path | None) -> None:
        self._path, self._directory = path, directory
        self.times = array("q")
        for line in lines(path, Odd()):
            self.times.append(created(line, self.times[-1] if self.times else 0))

    def __len__(self) -> int:
        return len(self.times)

    def lines(self, odd: Odd) -> Iterator[bytes]:
        """All of them."""
        if all(self.times[i] <= self.times[i + 1] for i in range(len(self.times) - 1)):
            yield from lines(self._path, odd)
            return
        starts = array("q")
        with tempfile.TemporaryFile(dir=self._directory) as spool:
            for line in lines(self._path, odd):
                starts.append(spool.tell())
                spool.write(line.rstrip(b"\n") + b"\n")
            spool.seek(0, io.SEEK_SET)
            for place in sorted(range(len(starts)), key=self.times.__getitem__):
                spool.seek(starts[place])
                yield spool.readline()


def sample(path: Path, most: int | None, seed: int = 42) -> tuple[int, set[int] | None]:
    """How many lines will be taken and which, None for all: files are often sorted, so it is not the first ones."""
    count = sum(1 for _ in lines(path, Odd()))
    if most is None or count <= most:
        return count, None
    return most, set(random.Random(seed).sample(range(count), most))


def shares(counts: list[int], most: int | None) -> list[int]:
    """How many to take of each of several files: equal parts, and what a short one lacks from the others."""
    if most is None:
        return list(counts)
    taken = [0] * len(counts)
    left = min(most, sum(counts))
    while left:
        hungry = [i for i, count in enumerate(counts) if taken[i] < count]
        part = max(1, left // len(hungry))
        for i in hungry:
            more = min(part, counts[i] - taken[i], left)
            taken[i] += more
            left -= more
    return taken


def comments(files: list[tuple[Path, bool]], most: int | None, odd: Odd) -> tuple[int, Iterator[Comment]]:
    """How many rows there will be at most, and the comments of all files mixed, the same at every run."""
    counts = [sample(path, None)[0] for path, _ in files]
    parts = shares(counts, most)
    total = sum(parts)

    def mixed() -> Iterator[Comment]:
        sources = [_taken(path, part) for (path, _), part in zip(files, parts, strict=True)]
        left = list(parts)
        dice = random.Random(7)
        for number in range(total):
            which = dice.choices(range(len(left)), left)[0]
            left[which] -= 1
            line = next(sources[which], None)
            if line is None:
                continue
            try:
                yield comment_of(parsed(line), number, files[which][1], odd)
            except BadRow as reason:
                odd.left_out[str(reason)] += 1

    return total, mixed()


def _taken(path: Path, part: int) -> Iterator[bytes]:
    _, chosen = sample(path, part)
    return (line for i, line in enumerate(lines(path, Odd())) if chosen is None or i in chosen)
