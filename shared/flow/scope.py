"""Where an input is folded and what caused it, and the two errors of a fold that are bugs."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

_NAMESPACE = uuid.UUID("6c69616e-7969-5f66-8c6f-770000000001").bytes


def id_of(name: str) -> str:
    """The uuid5 of a name among the lanes' own: the same again in a replay.

    ``uuid.uuid5`` gives the same, and takes four times as long for the object around it.
    """
    made = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    return f"{made[:8]}-{made[8:12]}-5{made[13:16]}-{'89ab'[int(made[16], 16) & 3]}{made[17:20]}-{made[20:32]}"


class Undeclared(LookupError):
    """A handler asked for a document, view or topic that it had not declared: a bug."""


class TooLarge(ValueError):
    """An event is larger than a topic takes."""


class Cause(msgspec.Struct, frozen=True):
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
