"""Events of the recommend service."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from .event import Event, Id, Short
from .topics import PROFILE, SUGGESTION, TIES

Term = Annotated[str, StringConstraints(min_length=1, max_length=64)]
FeedbackKind = Literal["not_for_me", "seen", "joined", "liked", "reported"]


class Reason(BaseModel):
    """Why a group is suggested: a term of the note that the group talks about, or its popularity.

    ``weight`` is how far the score would fall without it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["term", "popular"] = Field(description="A term of the note, or popularity.")
    term: Term | None = Field(default=None, description="The term, normalised.")
    weight: FiniteFloat = Field(description="How far the score would fall without it.")


class Suggestion(BaseModel):
    """One group for a note; ``score`` is in 0..1 and comparable inside one list only."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    group_id: Id
    score: float = Field(ge=0, le=1, description="How well it fits: no unit, comparable inside one list only.")
    reasons: tuple[Reason, ...] = Field(description="Why it fits.")


class GroupsSuggested(Event, topic=SUGGESTION, name="groups_suggested", order="state"):
    """The groups where the talk of a note can go on, best first; ``model`` names what decided.

    Told anew, in a higher sequence, when comments or a new text of the note change groups, order or reasons.
    """

    note_id: Id
    suggestions: tuple[Suggestion, ...] = Field(max_length=20)
    model: Short = Field(description="What decided, and by which picture of the groups.")


class SuggestionsWithdrawn(Event, topic=SUGGESTION, name="suggestions_withdrawn", order="state"):
    """The note was deleted: what was suggested for it, and the reasons that quote it, are to be forgotten."""

    note_id: Id


class ProfileTaught(Event, topic=PROFILE, name="profile_taught", order="count"):
    """A note relayed to a group adds its terms, with their counts, to the group's profile."""

    group_id: Id
    note_id: Id
    terms: tuple[tuple[Term, Annotated[int, Field(ge=1, le=1_000_000)]], ...] = Field(max_length=1_000)


class ProfileUntaught(Event, topic=PROFILE, name="profile_untaught", order="count"):
    """A note that had taught the group's profile these terms is deleted, or has another text: they go again."""

    group_id: Id
    note_id: Id
    terms: tuple[tuple[Term, Annotated[int, Field(ge=1, le=1_000_000)]], ...] = Field(max_length=1_000)


class CircleTurned(Event, topic=PROFILE, name="circle_turned", order="count"):
    """A person's memberships changed: this group has `members` more, and its pairs with other groups change.

    `shares` are (another group, by how many 128ths of a person the pair changes).
    """

    group_id: Id
    members: int = Field(ge=-1, le=1, description="How many members more: 1, or -1 for one less.")
    shares: tuple[tuple[Id, Annotated[int, Field(ge=-128, le=128)]], ...] = Field(max_length=128)


class MembershipHeard(Event, topic=TIES, name="membership_heard", order="fact"):
    """A join or leave, handed on to the person; `sequence` is that of the membership: the higher one holds."""

    person_id: Id
    group_id: Id
    member: bool
    sequence: int = Field(ge=0)


class FeedbackGiven(Event, topic=TIES, name="feedback_given", order="count"):
    """What a person said of a suggested group, or that it was shown to them; of two answers the later one holds."""

    person_id: Id
    group_id: Id
    kind: FeedbackKind = Field(description="What they said of it, or that it was shown to them.")
