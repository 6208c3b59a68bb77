"""What was asked over HTTP and what was answered: the only source of what must be true of the topics."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import uuid4

Action = Literal[
    "note", "comment", "accept", "advice", "relay", "group", "state", "join", "wait", "leave",
    "feedback", "message", "delete", "thank", "edit", "react", "remove",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Accepted:
    """One command that a service has taken: 2xx. The ids are those that it needs, the others are empty.

    `state` and `seats` are a group's; of feedback and of a reaction `state` is its kind, of an edit its revision.
    `asks` labels a comment or a message that is a question to which an answer is waited for; None where nobody has
    labelled it. `ad` labels an edit that others must not see.
    """

    action: Action
    person: str
    note: str = ""
    comment: str = ""
    message: str = ""
    need: str = ""
    group: str = ""
    state: str = ""
    seats: int = 0
    asks: bool | None = None
    size: int = 0
    """Bytes of text that it carries."""
    ad: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """One command that a service has refused: 4xx, by the last part of the problem's type."""

    action: Action
    person: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """One command without a definite answer after all retries: nobody knows whether it was applied."""

    action: Action
    person: str
    why: str


class Hears(Protocol):
    """Whoever wants to know of accepted commands, at once."""

    def accepted(self, done: Accepted) -> None: ...

    def failed(self, failed: Failed) -> None: ...


@dataclass(slots=True)
class Journal:
    """All commands, counted; what was accepted is passed on to those that listen. Texts are not kept.

    Correlation ids are minted here: they tell our events from those of others, and say when the request that
    caused them was sent, so that the time from cause to effect is read off an event by one clock, ours.
    """

    run: str = field(default_factory=lambda: f"lw{uuid4().hex[:8]}")
    clock: Callable[[], float] = time.time
    listeners: list[Hears] = field(default_factory=list)
    commands: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    waits: int = 0
    """503 answers and broken connections that a retry has got over."""
    _minted: int = 0

    def correlation(self) -> str:
        """A new correlation id, of the request that is sent now."""
        self._minted += 1
        return f"{self.run}-{self._minted:x}-{int(self.clock() * 1000):x}"

    def sent(self, correlation: str) -> float | None:
        """When the request of a correlation id was sent, in epoch seconds; None if it is not ours."""
        run, _, rest = correlation.partition("-")
        if run != self.run:
            return None
        try:
            return int(rest.rpartition("-")[2], 16) / 1000
        except ValueError:
            return None

    def accept(self, done: Accepted) -> None:
        """A command was answered with 2xx."""
        self.commands[done.action] += 1
        for listener in self.listeners:
            listener.accepted(done)

    def refuse(self, refused: Refused) -> None:
        """A command was answered with 4xx."""
        self.refused.append(refused)

    def fail(self, failed: Failed) -> None:
        """A command was given up."""
        self.failures.append(failed)
        for listener in self.listeners:
            listener.failed(failed)
