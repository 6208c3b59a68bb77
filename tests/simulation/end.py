"""What a world leaves for the checker: what was asked and answered, what is stored, what was published."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from shared.flow.ports import Json
from tests.simulation.plan import Ask, Plan


@dataclass
class Answered:
    """What a client knows of its command at the end: "accepted", "refused" or "unknown"."""

    ask: Ask
    outcome: str = "unknown"
    body: Json = field(default_factory=dict)
    at: float = 0.0
    """When it was answered."""
    repeated: Json | None = None
    """What the same key gave once more."""
    tries: int = 0
    """How often it may have been folded, without a key."""
    misused: str = ""
    """What its key gave for another body."""
    last: float = 0.0
    """When it was answered for the last time, and not only because of an erasure."""


@dataclass(frozen=True)
class Seen:
    """One record as a subscriber sees it; ``came`` in seconds, ``time`` that of its cause."""

    place: tuple[str, int, int]
    id: str
    type: str
    sequence: int
    came: float
    time: datetime
    body: Json


@dataclass(frozen=True)
class Lost:
    """What of a service's time is lost: from when a backup was taken to when it was put back."""

    service: str
    taken: float
    back: float


@dataclass
class End:
    """All that the checker is given: what was asked and answered, what is stored, what was published."""

    plan: Plan
    answers: list[Answered]
    documents: dict[str, dict[str, dict[str, Json]]] = field(default_factory=dict)
    records: dict[str, list[Seen]] = field(default_factory=dict)
    letters: dict[str, list[Json]] = field(default_factory=dict)
    before_replay: dict[str, list[Json]] = field(default_factory=dict)
    replayed: dict[str, float] = field(default_factory=dict)
    """By service: when a dead letter may have been replayed for the first time."""
    erased: dict[tuple[str, str], float] = field(default_factory=dict)
    """By service and person: when the erasure was done."""
    erasing: dict[tuple[str, str], float] = field(default_factory=dict)
    """When it had begun."""
    firsts: dict[tuple[str, int], int] = field(default_factory=dict)
    """By topic and partition: the oldest record that can still be read."""
    just_erased: dict[tuple[str, str], dict[str, dict[str, Json]]] = field(default_factory=dict)
    """What was stored at that moment, as ``documents``."""
    lost: list[Lost] = field(default_factory=list)
    """Every restore."""
    looked: float = 0.0
    """When the last letters were replayed, and something more was sent so that the views look again."""
    views: list[dict[str, int]] = field(default_factory=list)
    """Of each process that has one: how many edits its view knows of each note."""
    moved: list[str] = field(default_factory=list)
    """Lanes that went on while an operator held them."""
    alarms: list[tuple[str, str, str]] = field(default_factory=list)
    """Service, lane, reason of each hold that the operator found."""
    copied: set[tuple[str, int, int]] = field(default_factory=set)
    """Records that were there before, and were sent once more by nobody of ours."""
    poisoned: list[tuple[str, int, int]] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    """What ended a task of a process, or was logged as an error, and is none of the troubles that have a name."""
    stuck: str = ""
    story: list[str] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    """Labelled steps at which a process has died."""
    drawn: Counter[str] = field(default_factory=Counter)
    """Faults that were meant to act, by kind; those that did are ``injected``."""
    injected: Counter[str] = field(default_factory=Counter)
    drained: float = 0.0
    """Seconds from the end of all faults to the end of all work."""

    @property
    def fingerprint(self) -> bytes:
        """The same for two worlds in which the same happened, at the same times."""
        told = (self.records, sorted(self.labels.items()), self.story, self.documents)
        return hashlib.sha256(repr(told).encode()).digest()
