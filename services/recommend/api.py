"""HTTP of recommend: what was suggested for a note, what is suggested to a person, and what they say to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.recommend.core import (
    Asked,
    Because,
    Candidate,
    Near,
    Person,
    Picture,
    Reason,
    Source,
    alone,
    apart,
    in_words,
    introduced,
    list_for,
    paused_until,
    search,
)
from services.recommend.handlers import GiveFeedback
from services.recommend.store import Store
from services.recommend.view import CirclesView, ProfilesView, PulsesView
from services.recommend.weights import LiveWeights
from shared.contracts.event import Cell
from shared.contracts.recommend import FeedbackKind
from shared.desk import Calling, Desk
from shared.errors import Rejected
from shared.http import Body, Id, Someone, problems

STAFF = "recommend"
"""The scope that reads anybody's suggestions."""
NEARBY = 20
"""Notes of one look around."""


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
    """The groups where a note's talk can go on, best first, without those that have filled, closed or died since."""

    note_id: str
    suggestions: tuple[SuggestionView, ...]
    model: str


class NearbyView(BaseModel):
    note_id: str
    posted_at: datetime


class NearbyNotesView(BaseModel):
    """Notes within about 2.5 km, the newest first, at most two of ten by one author; how far they are is not told."""

    notes: tuple[NearbyView, ...]


class Where(BaseModel):
    """Where somebody looks around; a parameter that is misspelt is refused, not passed over."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    cell: Cell = Field(description="An H3 cell of resolution 9. It is kept nowhere.", examples=["89309959d73ffff"])


class BecauseView(BaseModel):
    """Why a group is suggested to a person, and how far its score would fall without that: the score by its source,
    where several sources are blended.

    `members`: people of `group_id`, a group that the person is in, are in it too. `liked`: the same of one
    that they like. `popular`: many people are in it;
    nothing else is known that speaks for it. `term`: the group talks about that word of the search.
    `near`: the group meets within about 2.5 km.
    """

    kind: Literal["members", "liked", "popular", "term", "near"]
    term: str | None
    group_id: str | None
    name: str | None = Field(description="What the group of `group_id` is called.")
    weight: float
    words: WordsView


class FitView(BaseModel):
    group_id: str
    name: str
    score: float = Field(description="Above 0, comparable inside one list.")
    sources: tuple[Source, ...] = Field(
        description="What has found it: words, what one says of oneself, nearness, people."
    )
    reasons: tuple[BecauseView, ...]


class FitsView(BaseModel):
    """Groups for a person, best first: open and alive, with a seat left, that they are not in and have not refused.

    None that they were shown within a week (of a look that is an hour old at most the list stays), at most two of ten
    by one owner, and not too many that are the same people.
    """

    person_id: str
    suggestions: tuple[FitView, ...]
    model: str
    paused_until: datetime | None = Field(
        default=None, description="Three were refused within a day: nothing is suggested until then."
    )


class Looking(BaseModel):
    """What a list is narrowed to; a parameter that is misspelt is refused, not passed over."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    q: str = Field(default="", max_length=200, description="Words that the groups talk about.")
    cell: Cell | None = Field(
        default=None, description="Near this H3 cell of resolution 9. It is kept nowhere.", examples=["89309959d73ffff"]
    )
    about: str = Field(
        default="",
        max_length=320,
        description="What one says of oneself, for a first list: a wish, answers. It is kept nowhere; `q` goes before.",
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
    pulses: PulsesView
    most: int
    weights: LiveWeights

    async def suggest(self, person_id: str, asked: Asked, store: Store, now: datetime) -> FitsView:
        """The list of a person now. Raises Transient; Rejected for a cell that is none."""
        await self._refresh()
        person = await store.person(person_id)
        try:
            found = self._found(person, asked, now)
        except ValueError:
            raise unknown_cell() from None
        open_ = await self._open_now(found[: self.most], store)
        until, model = paused_until(person, now), f"{self.circles.model} {self.profiles.model} {self.pulses.version}"
        return FitsView(person_id=person_id, suggestions=open_, model=model, paused_until=until)

    def _found(self, person: Person, asked: Asked, now: datetime) -> list[Candidate]:
        weights = self.weights.now().blend.by_source()
        pulses = self.pulses.pulses
        groups = Picture(self.circles.circles, self.profiles.profiles, self.profiles.places, weights, pulses)
        if asked.about.strip() and not asked.words.strip():
            return introduced(person, asked, now, self.most, groups)
        if asked.words.strip() or asked.cell:
            return search(person, asked, now, groups, self.most)
        return [alone(fit) for fit in list_for(person, now, self.most, groups.circles, groups.profiles, pulses=pulses)]

    async def joinable(self, group_ids: Sequence[str], store: Store, now: datetime) -> set[str]:
        """Those of the groups that are alive, open and have a seat now. Raises Transient."""
        await self.pulses.refresh()
        alive = [group for group in group_ids if self.pulses.pulses.alive(group, now)]
        return await store.joinable(alive) if alive else set()

    async def _refresh(self) -> None:
        await self.profiles.refresh()
        await self.circles.refresh()
        await self.pulses.refresh()
        self.circles.circles.weights = self.weights.now().ties

    async def _open_now(self, found: Iterable[Candidate], store: Store) -> tuple[FitView, ...]:
        # The view may be a moment behind; whether somebody is let in is asked of the database.
        all_ = list(found)
        joinable = await store.joinable([one.group_id for one in all_]) if all_ else set()
        return tuple(self._fit(one) for one in all_ if one.group_id in joinable)

    def _fit(self, one: Candidate) -> FitView:
        name, reasons = self.profiles.profiles.name(one.group_id), tuple(map(self._because, one.reasons))
        score = round(one.score, 6)
        return FitView(group_id=one.group_id, name=name, score=score, sources=one.sources, reasons=reasons)

    def _because(self, because: Because | Reason | Near) -> BecauseView:
        group_id = because.group_id or None if isinstance(because, Because) else None
        term = because.term if isinstance(because, Reason) else None
        name = self.profiles.profiles.name(group_id) if group_id else None
        words, weight = _words(because.kind, term or name or ""), round(because.weight, 6)
        return BecauseView(kind=because.kind, term=term, group_id=group_id, name=name, weight=weight, words=words)


def unknown_cell() -> Rejected:
    """The refusal of a cell that there is not."""
    return Rejected("unknown-cell", 422, detail="There is no such H3 cell of resolution 9.")


def _words(kind: Literal["term", "members", "liked", "popular", "near"], what: str) -> WordsView:
    told = in_words(kind, what)
    return WordsView(zh=told.zh, en=told.en)


def routes(desk: Desk, store: Store, groups: Groups) -> APIRouter:
    """The routes of recommend."""
    api = APIRouter(prefix="/v1/suggestions", tags=["recommend"])

    @api.get("/notes", responses=problems(422, types={422: ["invalid-query", "unknown-cell"]}))
    async def read_nearby(_: Someone, where: Annotated[Where, Query()]) -> NearbyNotesView:
        """Notes near a place, which is kept nowhere."""
        try:
            found = apart(await store.nearby(where.cell), NEARBY)
        except ValueError:
            raise unknown_cell() from None
        return NearbyNotesView(notes=tuple(NearbyView(note_id=note.note_id, posted_at=note.at) for note in found))

    @api.get("/notes/{note_id}", responses=problems(404, types={404: ["unknown-note"]}))
    async def read_suggestions(note_id: Id, _: Someone) -> SuggestionsView:
        """Groups for a note, with reasons. A note is known here moments after it was posted."""
        made = await store.suggestions(note_id)
        if made is None:
            raise Rejected("unknown-note", 404)
        joinable = await groups.joinable([s.group_id for s in made.groups], store, datetime.now(UTC))
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

    @api.get(
        "/people/{person_id}",
        responses=problems(403, 422, types={403: ["not-your-list"], 422: ["invalid-query", "unknown-cell"]}),
    )
    async def read_fits(person_id: Id, who: Someone, asked: Annotated[Looking, Query()]) -> FitsView:
        """Groups for oneself, with reasons; anybody's with the scope `recommend`. A newcomer gets what is popular.

        With `q` groups that talk about these words, Chinese or English, with `cell` groups that meet near it, what fits
        the person earlier: also what was shown before, left or refused. With `about` what that speaks for, and what is
        near, comes among what is suggested.
        """
        if person_id != who.person and STAFF not in who.scopes:
            raise Rejected("not-your-list", 403, detail="A list is for the person whom it is about.")
        looking = Asked(words=asked.q, cell=asked.cell or "", about=asked.about)
        return await groups.suggest(person_id, looking, store, datetime.now(UTC))

    @api.post(
        "/people/{person_id}/feedback",
        status_code=202,
        response_model=FeedbackView,
        responses=problems(400, 403, 404, 422, 503, types={403: ["not-your-list"], 404: ["unknown-group"]}),
    )
    async def give_feedback(person_id: Id, body: NewFeedback, call: Calling) -> Response:
        """Say what one thinks of a group, or that it was seen. Again is no more; of two answers the later holds."""
        if person_id != call.person:
            raise Rejected("not-your-list", 403, detail="Only they say what is for them.")
        return await desk.handle(GiveFeedback(person_id=person_id, group_id=body.group_id, kind=body.kind), call)

    return api
