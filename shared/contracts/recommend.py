"""Events of the recommend service."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from .event import Event, Id, Short
from .topics import PROFILE, SUGGESTION

Term = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Reason(BaseModel):
    """Why a group is suggested: a term of the note that the group talks about, or its popularity.

    ``weight`` is how far the score would fall without it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["term", "popular"]
    term: Term | None = None
    weight: FiniteFloat


class Suggestion(BaseModel):
    """One group for a note; ``score`` is in 0..1 and comparable inside one list only."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    group_id: Id
    score: float = Field(ge=0, le=1)
    reasons: tuple[Reason, ...]


class GroupsSuggested(Event, topic=SUGGESTION, name="groups_suggested", order="state"):
    """The groups where the talk of a note can go on, best first; ``model`` names what decided."""

    note_id: Id
    suggestions: tuple[Suggestion, ...] = Field(max_length=20)
    model: Short


class ProfileTaught(Event, topic=PROFILE, name="profile_taught", order="count"):
    """A note relayed to a group adds its terms, with their counts, to the group's profile."""

    group_id: Id
    note_id: Id
    terms: tuple[tuple[Term, Annotated[int, Field(ge=1, le=1_000_000)]], ...] = Field(max_length=1_000)
