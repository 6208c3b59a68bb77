"""HTTP of moderation: verdicts, for those they concern."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.moderation.content import Content
from services.moderation.store import Store
from shared.errors import Rejected
from shared.http import Id, Someone, problems


class ReasonView(BaseModel):
    """A rule that fired, what it means to the author, and where in the text (characters)."""

    rule: str
    why: str
    weight: float
    start: int
    end: int


class VerdictView(BaseModel):
    """Why a note or comment is hidden, or not."""

    content_id: str
    kind: Literal["note", "comment"]
    note_id: str
    hidden: bool
    score: float
    reasons: tuple[ReasonView, ...]
    rules: str = Field(description="Version of the rules that decided.")


def routes(store: Store, why: dict[str, str]) -> APIRouter:
    """The routes of moderation. ``why`` says of each rule what it means."""
    api = APIRouter(prefix="/v1", tags=["moderation"])

    @api.get("/verdicts/{content_id}", responses=problems(404, types={404: ["unknown-content"]}))
    async def read_verdict(content_id: Id, who: Someone) -> VerdictView:
        """The verdict on a note or comment, for its author and for staff (scope ``moderation``)."""
        content = await store.content(content_id)
        if content is None or (content.author_id != who.person and "moderation" not in who.scopes):
            raise Rejected("unknown-content", 404)
        return view(content)

    def view(content: Content) -> VerdictView:
        return VerdictView(
            content_id=content.id,
            kind=content.kind,
            note_id=content.note_id,
            hidden=content.hidden,
            score=content.score,
            reasons=tuple(
                ReasonView(rule=r.rule, why=why.get(r.rule, ""), weight=r.weight, start=r.start, end=r.end)
                for r in content.reasons
            ),
            rules=content.rules,
        )

    return api
