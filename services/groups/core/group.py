"""A group: its charter, its seats and its door."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from shared.errors import Rejected
from shared.flow.documents import Document

from .gate import Question

CHARTER_PARTS = ("purpose", "audience", "rules", "rewards", "service", "exit")


class Charter(msgspec.Struct, frozen=True):
    """What a group is for: all six parts, or it does not open."""

    purpose: str
    audience: str
    rules: str
    rewards: str
    service: str
    exit: str


class Group(Document, frozen=True, kw_only=True):
    """A group. ``members`` is its invariant: never above ``seats``, whoever joins at the same time."""

    COLLECTION: ClassVar[str] = "groups"

    owner_id: str
    name: str
    charter: Charter
    seats: int
    question: Question | None
    created_at: datetime
    members: int = 0
    state: Literal["open", "closed"] = "open"


def change(group: Group | None, person: str, state: Literal["open", "closed"]) -> tuple[Group, bool]:
    """The group opened or closed by its owner, and whether that is news.

    Raises:
        Rejected: unknown group (404), not its owner (403).
    """
    if group is None:
        raise Rejected("unknown-group", 404)
    if group.owner_id != person:
        raise Rejected("not-the-owner", 403, detail="Only the owner opens and closes a group.")
    return replace(group, state=state), group.state != state
