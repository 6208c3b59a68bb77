"""What was changed in a group, by whom and why: one document for each change, never touched again."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.flow.documents import Document, Texts

Act = Literal[
    "opened",
    "closed",
    "reopened",
    "applied",
    "queued",
    "joined",
    "approved",
    "rejected",
    "escalated",
    "withdrew",
    "left",
    "removed",
    "tier",
]


class Entry(Document, frozen=True, kw_only=True):
    """One change. ``by_id`` is who made it, empty where a rule did; ``person_id`` is whom it is about."""

    COLLECTION: ClassVar[str] = "audit"
    REBUILT: ClassVar[bool] = False
    TEXTS: ClassVar[Texts] = {"by_id": ("why",), "person_id": ("why",)}

    group_id: str
    at: datetime
    act: Act
    by_id: str
    person_id: str
    why: str
    correlation_id: str
