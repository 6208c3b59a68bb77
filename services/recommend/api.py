"""HTTP of recommend: what was suggested for a note, what is suggested to a person, and what they say to it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.recommend.core import Because, Fit, in_words, list_for, paused_until
from services.recommend.handlers import GiveFeedback
from services.recommend.store import Store
from services.recommend.view import CirclesView, ProfilesView
from shared.contracts.recommend import FeedbackKind
from shared.desk import Calling, Desk
from shared.errors import Rejected
from shared.http import Body, Id, Someone, problems

STAFF = "recommend"
"""The scope that reads anybody's suggestions."""


class WordsView(BaseModel):
    """A sentence for the reader, in Chinese and in English."""

    zh: str
    en: str


class ReasonView(BaseModel):
    """A term of the note that the group talks about, and how far the score would fall without it."""

    kind: Literal["term", "popular"]
    term: str | None
    weight: float
    words: WordsView


class SuggestionView(BaseModel):
    group_id: str
    score: float = Field(description="0..1, comparable inside one list.")
    reasons: tuple[ReasonView, ...]


class SuggestionsView(BaseModel):
    """The groups where a note's talk can go on, best first; those that have filled or closed since are left out."""

    note_id: str
    suggestions: tuple[SuggestionView, ...]
    model: str


class BecauseView(BaseModel):
    """Why a group is suggested to a person, and how far its score would fall without that.

    `members`: people of `group_id`, a group that the person is in, are in it too. `popular`: many people are in it;
    nothing else is known that speaks for it.
    """

    kind: Literal["members", "popular"]
    group_id: str | None
    name: str | None = Field(description="What the group of `group_id` is called.")
    weight: float
    words: WordsView


class FitView(BaseModel):
    group_id: str
    name: str
    score: float = Field(description="Above 0, comparable inside one list.")
    reasons: tuple[BecauseView, ...]


class FitsView(BaseModel):
    """Groups for a person, best first: open ones with a seat left, that they are not in and have not refused.

    None that they were shown within a week (of a look that is an hour old at most the list stays), at most two of ten
    by one owner, and not too many that are the same people.
    """

    person_id: str
    suggestions: tuple[FitView, ...]
    model: str
    paused_until: datetime | None = Field(
        default=None, description="Three were refused within a day: nothing is suggested until then."
    )


class NewFeedback(Body):
    """What a person says of a group that was suggested to them, or that it was shown to them."""

    group_id: Id = Field(examples=["2b1c7c1e-6c8e-4d4e-9a52-3d1f0f3f7a10"])
    kind: FeedbackKind


class FeedbackView(BaseModel):
    """Taken; the person's next list respects it in moments."""

    person_id: str
    group_id: str
    kind: FeedbackKind


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups as this process knows them, and how many are suggested at once."""

    profiles: ProfilesView
    circles: CirclesView
    most: int

    async def suggest(self, person_id: str, store: Store, now: datetime) -> FitsView:
        """The list of a person now. Raises Transient."""
        await self.profiles.refresh()
        await self.circles.refresh()
        person = await store.person(person_id)
        until = paused_until(person, now)
        fits = list_for(person, now, self.most, self.circles.circles, self.profiles.profiles)
        # The view may be a moment behind; whether somebody is let in is asked of the database.
        joinable = await store.joinable([fit.group_id for fit in fits]) if fits else set()
        views = tuple(self._fit(fit) for fit in fits if fit.group_id in joinable)
        return FitsView(person_id=person_id, suggestions=views, model=self.circles.model, paused_until=until)

    def _fit(self, fit: Fit) -> FitView:
        name = self.profiles.profiles.name
        reasons = tuple(self._because(because) for because in fit.reasons)
        return FitView(group_id=fit.group_id, name=name(fit.group_id), score=round(fit.score, 6), reasons=reasons)

    def _because(self, because: Because) -> BecauseView:
        group_id, weight = because.group_id or None, round(because.weight, 6)
        name = self.profiles.profiles.name(because.group_id) if group_id else None
        return BecauseView(
            kind=because.kind, group_id=group_id, name=name, weight=weight, words=_words(because.kind, name or "")
        )


def _words(kind: Literal["term", "members", "popular"], what: str) -> WordsView:
    told = in_words(kind, what)
    return WordsView(zh=told.zh, en=told.en)


def routes(desk: Desk, store: Store, groups: Groups) -> APIRouter:
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
                reasons=tuple(
                    ReasonView(kind="term", term=r.term, weight=r.weight, words=_words("term", r.term))
                    for r in s.reasons
                ),
            )
            for s in made.groups
            if s.group_id in joinable
        )
        return SuggestionsView(note_id=note_id, suggestions=views, model=made.model)

    @api.get("/people/{person_id}", responses=problems(403, types={403: ["not-your-list"]}))
    async def read_fits(person_id: Id, who: Someone) -> FitsView:
        """Groups for oneself, with reasons; anybody's with the scope `recommend`. A newcomer gets what is popular."""
        if person_id != who.person and STAFF not in who.scopes:
            raise Rejected("not-your-list", 403, detail="A list is for the person whom it is about.")
        return await groups.suggest(person_id, store, datetime.now(UTC))

    @api.post(
        "/people/{person_id}/feedback",
        status_code=202,
        response_model=FeedbackView,
        responses=problems(400, 403, 404, 422, 503, types={403: ["not-your-list"], 404: ["unknown-group"]}),
    )
    async def give_feedback(person_id: Id, body: NewFeedback, call: Calling) -> Response:
        """Say "not for me", "seen" or "joined" of a group. Saying it again changes nothing; a later answer holds."""
        if person_id != call.person:
            raise Rejected("not-your-list", 403, detail="Only they say what is for them.")
        return await desk.handle(GiveFeedback(person_id=person_id, group_id=body.group_id, kind=body.kind), call)

    return api
