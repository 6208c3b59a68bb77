"""State of recommend beside its core: what was suggested for a note, and whether the note is hidden."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

import msgspec

from services.recommend.core import Placement
from shared.contracts.recommend import Suggestion
from shared.flow.documents import Document


class Why(msgspec.Struct, frozen=True):
    """A reason as it is kept."""

    kind: str
    term: str
    weight: float


class Suggested(msgspec.Struct, frozen=True):
    """A suggested group as it is kept."""

    group_id: str
    score: float
    reasons: tuple[Why, ...]


class Suggestions(Document, frozen=True, kw_only=True):
    """The groups suggested for a note, best first, and which model decided; none once the note was deleted."""

    COLLECTION: ClassVar[str] = "suggestions"
    REBUILT: ClassVar[bool] = True

    groups: tuple[Suggested, ...]
    model: str
    at: datetime
    withdrawn: bool = False


class Visibility(Document, frozen=True, kw_only=True):
    """Whether a note is hidden, by the event of the highest sequence; a hidden note's terms are not shown."""

    COLLECTION: ClassVar[str] = "visibility"
    REBUILT: ClassVar[bool] = True

    hidden: bool
    sequence: int


def kept(placement: Placement) -> Suggested:
    """A placement as it is kept; scores to four digits, which is more than they mean."""
    reasons = tuple(Why(r.kind, r.term, round(r.weight, 4)) for r in placement.reasons)
    return Suggested(placement.group_id, round(placement.score, 4), reasons)


def told(groups: Iterable[Suggested]) -> list[tuple[str, list[str]]]:
    """What a reader would notice of suggestions: which groups, in which order, and for which terms."""
    return [(group.group_id, sorted(reason.term for reason in group.reasons)) for group in groups]


def read_back(suggestions: Iterable[Suggestion]) -> tuple[Suggested, ...]:
    """Suggestions as they are kept, from what was told of them."""
    return tuple(
        Suggested(s.group_id, s.score, tuple(Why(r.kind, r.term or "", r.weight) for r in s.reasons))
        for s in suggestions
    )
