"""HTTP of recommend: what was suggested, as far as it still holds."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.recommend.store import Store
from shared.errors import Rejected
from shared.http import Id, Someone, problems


class ReasonView(BaseModel):
    """A term of the note that the group talks about, and how far the score would fall without it."""

    kind: Literal["term", "popular"]
    term: str | None
    weight: float


class SuggestionView(BaseModel):
    group_id: str
    score: float = Field(description="0..1, comparable inside one list.")
    reasons: tuple[ReasonView, ...]


class SuggestionsView(BaseModel):
    """The groups where a note's talk can go on, best first; those that have filled or closed since are left out."""

    note_id: str
    suggestions: tuple[SuggestionView, ...]
    model: str


def routes(store: Store) -> APIRouter:
    """The routes of recommend."""
    api = APIRouter(prefix="/v1/suggestions", tags=["recommend"])

    @api.get("/notes/{note_id}", responses=problems(404, types={404: ["unknown-note"]}))
    async def read_suggestions(note_id: Id, _: Someone) -> SuggestionsView:
        """Groups for a note, with reasons. A note is known here moments after it was posted."""
        made = await store.suggestions(note_id)
        if made is None:
            raise Rejected("unknown-note", 404)
        joinable = await store.joinable([s.group_id for s in made.groups]) if made.groups else set()
        views = tuple(
            SuggestionView(
                group_id=s.group_id,
                score=s.score,
                reasons=tuple(ReasonView(kind="term", term=r.term, weight=r.weight) for r in s.reasons),
            )
            for s in made.groups
            if s.group_id in joinable
        )
        return SuggestionsView(note_id=note_id, suggestions=views, model=made.model)

    return api
