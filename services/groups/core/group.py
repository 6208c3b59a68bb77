"""A group: its charter, its seats and its door."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from shared.errors import Rejected
from shared.flow.documents import Document

from .gate import Gate

CHARTER_PARTS = ("purpose", "audience", "rules", "rewards", "service", "exit")
MOST_OFFERS = 50
"""Freed seats that are on their way to the waiting list at once: an opening door makes no thousands of events."""


class Charter(msgspec.Struct, frozen=True):
    """What a group is for: all six parts, or it does not open."""

    purpose: str
    audience: str
    rules: str
    rewards: str
    service: str
    exit: str


class Group(Document, frozen=True, kw_only=True):
    """A group. Its invariant: ``members`` and ``held`` together are never above ``seats``, whoever comes at once.

    The waiting list is a row of numbered places, from ``first`` (the next to get a seat) to ``last``. Places given
    back stay in the row and are passed over; ``waiting`` counts the people. ``held`` seats are on their way to one.
    """

    COLLECTION: ClassVar[str] = "groups"
    REBUILT: ClassVar[bool] = False

    owner_id: str
    name: str
    charter: Charter
    seats: int
    gate: Gate
    created_at: datetime
    members: int = 0
    state: Literal["open", "closed"] = "open"
    held: int = 0
    waiting: int = 0
    first: int = 1
    last: int = 0

    @property
    def room(self) -> bool:
        """Whether the next one gets a seat at once: the door is open, one is free, and nobody waits for it."""
        return self.state == "open" and self.members + self.held < self.seats and self.first > self.last


def known(group: Group | None) -> Group:
    """The group. Raises Rejected 404 if there is none."""
    if group is None:
        raise Rejected("unknown-group", 404)
    return group


def owned(group: Group | None, person: str) -> Group:
    """The group of this owner. Raises Rejected: unknown group (404), somebody else's (403)."""
    group = known(group)
    if group.owner_id != person:
        raise Rejected("not-the-owner", 403, detail="Only the owner of the group may do this.")
    return group


def change(group: Group | None, person: str, state: Literal["open", "closed"]) -> tuple[Group, bool]:
    """The group opened or closed by its owner, and whether that is news. Raises as ``owned`` does."""
    group = owned(group, person)
    return replace(group, state=state), group.state != state


def offer(group: Group) -> tuple[Group, range]:
    """Free seats go to the waiting list: the group that holds them, and the places that they are held for.

    While the door is closed nobody is called; when it opens the row moves on.
    """
    free = group.seats - group.members - group.held
    count = min(free, group.last - group.first + 1, MOST_OFFERS - group.held) if group.state == "open" else 0
    first = group.first + max(0, count)
    return replace(group, held=group.held + first - group.first, first=first), range(group.first, first)
