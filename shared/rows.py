"""Files of JSON lines, plain or gzipped, for the command lines of services: read, checked, and refused with a place."""

import contextlib
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

MAX_LINE = 1 << 20
"""Bytes of a row; a longer one is refused before it is read whole."""
BAD_INPUT = 2
"""The exit status for a file or a row that cannot be used; argparse has the same."""

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")


class BadRow(Exception):
    """A file or a row that cannot be used: where, and what is wrong with it, without its content."""

    def __init__(self, name: str, line: int | None, reason: str) -> None:
        super().__init__(f"{name}:{line}: {reason}" if line else f"{name}: {reason}")


def rows(path: Path, kind: type[R]) -> Iterator[tuple[int, R]]:
    """The rows of a file with their line numbers from 1; unknown fields are ignored, blank lines left out.

    Raises:
        BadRow: the file cannot be read, or a row is not of this kind.
    """
    try:
        with path.open("rb") as raw:
            yield from rows_of(raw, str(path), kind)
    except OSError as error:
        raise BadRow(str(path), None, error.strerror or "cannot be read") from None


def rows_of(raw: io.BufferedReader | BinaryIO, name: str, kind: type[R]) -> Iterator[tuple[int, R]]:
    """The same of an open file, which `name` stands for in what is raised."""
    for number, line in _lines(raw, name):
        try:
            row = msgspec.convert(_object(line), kind)
        except (ValueError, RecursionError) as error:
            told = error if isinstance(error, msgspec.ValidationError) else "not a JSON object in UTF-8"
            raise BadRow(name, number, str(told)) from None
        yield number, row


def _object(line: bytes) -> Mapping[str, Any]:
    # Not msgspec's reader: it refuses half an emoji, which real texts hold where somebody cut them.
    row = json.loads(line.decode("utf-8-sig"))
    if not isinstance(row, dict):
        raise ValueError
    return row


def _lines(raw: io.BufferedReader | BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with contextlib.ExitStack() as files:
            # What is piped in can be looked at by a buffered reader alone.
            source: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
            if source.peek(2)[:2] == b"\x1f\x8b":
                source = files.enter_context(gzip.GzipFile(fileobj=source))
            while line := source.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise BadRow(name, number, f"longer than {MAX_LINE} bytes")
                if line.strip():
                    yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadRow(name, number + 1, "the gzipped file is broken here") from None


def watched(items: Sequence[T], what: str) -> Iterable[T]:
    """The items, with a bar on stderr if somebody sits before it; rich is a tool, and an image has none."""
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            from rich.console import Console
            from rich.progress import track

            return track(items, what, console=Console(stderr=True))
    return items
