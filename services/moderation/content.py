"""State of moderation: what was judged, and how."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from services.moderation.core import Judgement
from shared.flow.documents import Document


class Found(msgspec.Struct, frozen=True):
    """A rule that fired, and where in the text (characters)."""

    rule: str
    weight: float
    start: int
    end: int


class Content(Document, frozen=True, kw_only=True):
    """A copy of a note or comment with its verdict."""

    COLLECTION: ClassVar[str] = "content"

    kind: Literal["note", "comment"]
    note_id: str
    author_id: str
    text: str
    posted_at: datetime
    hidden: bool
    score: float
    reasons: tuple[Found, ...]
    rules: str


def found(judgement: Judgement) -> tuple[Found, ...]:
    """The reasons of a judgement as they are kept."""
    return tuple(Found(r.rule, r.weight, *r.evidence) for r in judgement.reasons)
