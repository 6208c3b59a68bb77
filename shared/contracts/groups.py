"""Events of the groups service."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from .event import Event, Id, Short
from .topics import GROUP

GroupState = Literal["open", "closed"]
ContributionKind = Literal["answer_accepted", "advice_taken"]
Part = Annotated[str, StringConstraints(max_length=2_000)]


class Charter(BaseModel):
    """The six parts that a group cannot be opened without."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    purpose: Part
    audience: Part
    rules: Part
    rewards: Part
    service: Part
    exit: Part


class GroupOpened(Event, topic=GROUP, name="group_opened", order="fact"):
    """A group was founded, with its charter."""

    group_id: Id
    owner_id: Id
    name: Short
    charter: Charter
    seats: int = Field(ge=1, le=1_000_000)


class GroupChanged(Event, topic=GROUP, name="group_changed", order="state"):
    """Whether a group takes people in, and how many it has."""

    group_id: Id
    state: GroupState
    seats: int = Field(ge=1, le=1_000_000)
    members: int = Field(ge=0, le=1_000_000)


class MemberJoined(Event, topic=GROUP, name="member_joined", order="state"):
    """A person passed the gate and took a seat, at the tier that earlier help has earned."""

    group_id: Id
    person_id: Id
    tier: Short


class MemberLeft(Event, topic=GROUP, name="member_left", order="state"):
    """A person left and the seat is free."""

    group_id: Id
    person_id: Id


class ContributionMade(Event, topic=GROUP, name="contribution_made", order="count"):
    """A person did something in a note that was relayed to the group; members and guests alike."""

    group_id: Id
    person_id: Id
    note_id: Id
    source_id: Id
    kind: ContributionKind


class TierChanged(Event, topic=GROUP, name="tier_changed", order="state"):
    """A member's tier was recomputed; ``reasons`` name the requirements met, as ``answer_accepted>=1``."""

    group_id: Id
    person_id: Id
    old: Short
    new: Short
    reasons: tuple[Short, ...]
