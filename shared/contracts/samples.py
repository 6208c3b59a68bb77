"""The hand-written examples of every event version: records as they stand on the wire.

Together they tell one story, so they fit each other: ids, causes, times and sequences. For readers' tests.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from .envelope import Envelope
from .event import EVENTS, Event, event_type

_PACKAGE = __name__.rpartition(".")[0]


def published() -> dict[str, type[Event]]:
    """The types of this package, sorted: a test may register types of its own in ``EVENTS``, these are not."""
    ours = {type_: model for type_, model in EVENTS.items() if model.__module__.rpartition(".")[0] == _PACKAGE}
    return dict(sorted(ours.items()))


@dataclass(frozen=True, slots=True)
class Sample:
    """One example: the headers and the value of a record."""

    name: str
    type: str
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @property
    def data(self) -> dict[str, Any]:
        """The body, parsed anew for each caller, who may change it."""
        body: dict[str, Any] = json.loads(self.value)
        return body

    @property
    def envelope(self) -> Envelope:
        """The headers, read."""
        return Envelope.of(self.headers)

    @property
    def event(self) -> Event:
        """The body, as the model of its type."""
        return event_type(self.type).model_validate_json(self.value)

    @property
    def key(self) -> bytes:
        """The record's key."""
        return self.event.key.encode()


@cache
def examples(type_: str) -> tuple[Sample, ...]:
    """Examples of one ``ce_type``, in the order of the story; KeyError for a type this release does not know."""
    event_type(type_)
    folder = resources.files(_PACKAGE) / "examples"
    return tuple(_sample(type_, entry) for entry in json.loads((folder / f"{type_}.json").read_text("utf-8")))


def all_examples() -> tuple[Sample, ...]:
    """Examples of all published types."""
    return tuple(sample for type_ in published() for sample in examples(type_))


def _sample(type_: str, entry: dict[str, Any]) -> Sample:
    return Sample(
        name=entry["name"],
        type=type_,
        headers=tuple((name, value.encode()) for name, value in entry["headers"].items()),
        value=json.dumps(entry["data"], ensure_ascii=False, separators=(",", ":")).encode(),
    )
