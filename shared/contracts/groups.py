"""Events of the groups service."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from .event import Cell, Event, Id, Short
from .topics import GROUP

GroupState = Literal["open", "closed"]
ContributionKind = Literal["answer_accepted", "advice_taken"]
Part = Annotated[str, StringConstraints(max_length=2_000)]


class Charter(BaseModel):
    """The six parts that a group cannot be opened without."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    purpose: Part
    audience: Part
    rules: Part = Field(description="What holds inside.")
    rewards: Part
    service: Part
    exit: Part


class GroupOpened(Event, topic=GROUP, name="group_opened", order="fact"):
    """A group was founded, with its charter, and where it meets, if it said so: moved by about a kilometre."""

    group_id: Id
    owner_id: Id
    name: Short
    charter: Charter
    seats: int = Field(ge=1, le=1_000_000)
    cell: Cell | None = None


class GroupChanged(Event, topic=GROUP, name="group_changed", order="state"):
    """Whether a group takes people in, how many it has, and how many wait for a seat."""

    group_id: Id
    state: GroupState = Field(description="Whether it takes people in.")
    seats: int = Field(ge=1, le=1_000_000)
    members: int = Field(ge=0, le=1_000_000)
    waiting: int = Field(default=0, ge=0, le=1_000_000)


class MemberJoined(Event, topic=GROUP, name="member_joined", order="state"):
    """A person passed the gate and took a seat, at the tier that earlier help has earned."""

    group_id: Id
    person_id: Id
    tier: Short


class MemberLeft(Event, topic=GROUP, name="member_left", order="state"):
    """A person left, or was removed by the owner; the seat is free for the waiting list or the next."""

    group_id: Id
    person_id: Id
    removed: bool = False


class ApplicationChanged(Event, topic=GROUP, name="application_changed", order="state"):
    """How somebody stands at the door; who gets in is told by MemberJoined.

    ``pending``: the owner is to answer. ``escalated``: that has not been done in time. ``waiting``: admitted, and at
    ``place`` in the row for a seat. ``withdrawn`` by the person, ``rejected`` by the owner: it is over.
    """

    group_id: Id
    person_id: Id
    state: Literal["pending", "escalated", "waiting", "withdrawn", "rejected"] = Field(
        description="How the person stands at the door."
    )
    place: int = Field(default=0, ge=0, description="Their place in the waiting list; 0 where they have none.")


class SeatOffered(Event, topic=GROUP, name="seat_offered", order="fact"):
    """A free seat is kept for a place in the waiting list: the next one in the row."""

    group_id: Id
    place: int = Field(ge=1, description="The place in the waiting list.")


class SeatAssigned(Event, topic=GROUP, name="seat_assigned", order="fact"):
    """Whose place it is that a seat is kept for; a person who no longer waits is passed over."""

    group_id: Id
    place: int = Field(ge=1, description="The place in the waiting list.")
    person_id: Id


class ContributionMade(Event, topic=GROUP, name="contribution_made", order="count"):
    """A person did something in a note that was relayed to the group; members and guests alike."""

    group_id: Id
    person_id: Id
    note_id: Id
    source_id: Id
    kind: ContributionKind = Field(description="What was done.")


class TierChanged(Event, topic=GROUP, name="tier_changed", order="state"):
    """A member's tier rose or fell; ``reasons`` name the requirement that was met, as ``answer_accepted>=1``, or is
    not any more, as ``answer_accepted<1``."""

    group_id: Id
    person_id: Id
    old: Short
    new: Short
    reasons: tuple[Short, ...] = Field(description="Requirements that are met now, or not any more.")
