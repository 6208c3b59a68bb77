"""The table of a service: which payload goes to which handlers, and which documents they need."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from shared.contracts import Event
from shared.contracts.topics import Topic

from .documents import Ref
from .ports import Incoming

if TYPE_CHECKING:
    from .work import Work


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks for, validated at the edge. ``person_id`` is who asks."""

    person_id: str


class Reminder(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a timer."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A handler's answer to a command: the HTTP status and the JSON body."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a stranger's record says, as an event of ours.

    ``id`` is the stranger's own for it, the same again for a double; empty where there is none, and then a double
    is not recognised. ``at`` is its time: UTC, whole milliseconds.
    """

    event: Event
    at: datetime
    id: str = ""


Decode = Callable[[Incoming], Foreign | None]
"""Reads a stranger's record; None for one that nobody here wants. Raises Rejected for one that makes no sense."""
Payload = Event | Command | Reminder
P = TypeVar("P", bound=Payload)
Handle = Callable[[Any, "Work"], Reply | str | None]
"""A handler returns a Reply to a command; otherwise a short constant naming the outcome, or None for done."""


Ahead = Callable[[Sequence[Any], "Work"], None]
"""Has a view do at once, for all payloads of a batch, what takes longer one by one. A saving: nothing depends on it."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One entry of the table; ``name`` stands in the marks of the inbox and in ids, so it never changes."""

    name: str
    handle: Handle
    reads: Callable[[Any], Iterable[Ref]]
    ahead: Ahead | None = None


class Router:
    """The table payload type -> handlers of one service.

    The work of one payload is declared, so that a batch costs one query per collection: ``reads`` gives the
    keys of every document that the handler will ask the working set for.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self._handlers: dict[type[Payload], list[Handler]] = {}
        self._events: dict[str, type[Event]] = {}
        self._reminders: dict[str, type[Reminder]] = {}
        self._strangers: dict[str, Decode] = {}
        self._own: set[str] = set()

    def on(
        self,
        kind: type[P],
        handle: Callable[[P, "Work"], Reply | str | None],
        reads: Callable[[P], Iterable[Ref]],
        name: str = "",
        ahead: Ahead | None = None,
    ) -> None:
        """Add an entry, named after its function unless ``name`` says otherwise.

        A command or reminder has one handler; an event may have several.
        """
        if not issubclass(kind, Event) and kind in self._handlers:
            raise ValueError(f"{kind.__name__} has a handler already")
        name = name or getattr(handle, "__name__", "")
        if not name.isidentifier() or any(h.name == name for hs in self._handlers.values() for h in hs):
            raise ValueError(f"no name of its own for a handler of {kind.__name__}: {name!r}")
        self._handlers.setdefault(cast("type[Payload]", kind), []).append(Handler(name, handle, reads, ahead))
        if issubclass(kind, Event):
            self._events[kind.TYPE] = kind
        elif issubclass(kind, Reminder):
            self._reminders[kind.__name__] = kind

    def foreign(self, topic: Topic, decode: Decode) -> None:
        """Read records without our headers on a topic that is ``foreign``; elsewhere they are dead letters.

        Strangers choose key and partition as they like, so a handler of theirs emits, and leaves documents to the
        lane of their key.
        """
        if not topic.foreign:
            raise ValueError(f"{topic.name} is not foreign")
        self._strangers[topic.name] = decode

    def own(self, *kinds: type[Event]) -> None:
        """Decisions of the service that it reads back for a rebuild or a restore: a lane skips what it has told itself.

        Only for types whose handlers find nothing new in such a one.
        """
        self._own.update(kind.TYPE for kind in kinds)

    def owns(self, type_: str) -> bool:
        """Whether events of this type are such decisions."""
        return type_ in self._own

    def stranger(self, topic: str) -> Decode | None:
        """Who reads records without our headers on a topic, if anybody."""
        return self._strangers.get(topic)

    def handlers(self, kind: type[Payload]) -> tuple[Handler, ...]:
        """Handlers of a payload type, in the order they were added."""
        return tuple(self._handlers.get(kind, ()))

    def event(self, type_: str) -> type[Event] | None:
        """The model of an event type that somebody here handles, else None."""
        return self._events.get(type_)

    def reminder(self, type_: str) -> type[Reminder] | None:
        """The model of a timer's payload, else None."""
        return self._reminders.get(type_)

    def table(self) -> Iterator[tuple[type[Payload], Handler]]:
        """All entries, for docs and tests."""
        for kind, handlers in self._handlers.items():
            for handler in handlers:
                yield kind, handler
