"""Where an input is folded and what caused it, and the two errors of a fold that are bugs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class Undeclared(LookupError):
    """A handler asked for a document, view or topic that it had not declared: a bug."""


class TooLarge(ValueError):
    """An event is larger than a topic takes."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The input being folded: its id, its own time, and where its chain began.

    ``sequence`` is an event's ``ce_sequence``: of two state events about one subject the higher one holds.
    """

    id: str
    at: datetime
    correlation: str
    traceparent: str = ""
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """What a working set knows of its place: service, partition counts by topic and by kind of key."""

    service: str
    partitions: Mapping[str, int]
    lanes: Mapping[str, int]
    views: tuple[Any, ...] = ()
    max_event: int = 262_144
