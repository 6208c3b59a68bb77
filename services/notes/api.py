"""HTTP of notes: parse, authorise, hand a command to the lane, answer."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.notes.core import Comment, Need, Note
from services.notes.handlers.commands import AcceptAnswer, PostComment, PostNote, RelayNote, TakeAdvice
from services.notes.store import Store
from shared.contracts.notes import Intent
from shared.desk import Calling, Desk
from shared.errors import Rejected
from shared.http import Body, Cursor, Id, Page, Paging, Someone, page, problems

SOME_ID = "0b9f8a52-6c1d-4e55-9d0a-3a6f0d6f7c11"


class NewNote(Body):
    """A note to write."""

    title: str = Field(min_length=1, max_length=200, examples=["周末有人一起去岩馆吗"])
    text: str = Field(min_length=1, max_length=20_000, examples=["新手, 想找附近的抱石馆, 最好周日下午."])
    topic: str | None = Field(default=None, min_length=1, max_length=100, examples=["climbing"])
    place: str | None = Field(
        default=None, pattern=r"^[0-9a-z]{4,6}$", description="A coarse cell, never a point.", examples=["wtw3s"]
    )
    intent: Intent | None = None


class NewComment(Body):
    """A comment to write."""

    text: str = Field(min_length=1, max_length=4_000, examples=["请问周末需要预约吗?"])
    parent_id: Id | None = Field(default=None, examples=[SOME_ID])


class Answer(Body):
    """Which comment answers a need."""

    comment_id: Id = Field(examples=[SOME_ID])


class NewRelay(Body):
    """Where a note's talk is to go on."""

    group_id: Id = Field(examples=[SOME_ID])


class NotePosted(BaseModel):
    note_id: str
    created_at: datetime


class CommentPosted(BaseModel):
    comment_id: str
    note_id: str
    created_at: datetime


class NeedClosed(BaseModel):
    need_id: str
    state: Literal["open", "answered", "withdrawn"]
    answer_id: str | None


class AdviceTaken(BaseModel):
    comment_id: str
    advice: bool


class Relayed(BaseModel):
    note_id: str
    group_id: str


class NoteView(BaseModel):
    """A note as a reader sees it. Counts follow the events, so they may lag by moments."""

    note_id: str
    author_id: str
    title: str
    text: str
    topic: str | None
    place: str | None
    intent: Intent | None
    created_at: datetime
    hidden: bool
    comments: int = Field(description="Comments that are not hidden.")
    needs: int
    needs_answered: int
    advice: int
    groups: tuple[str, ...] = Field(description="Groups that it was relayed to.")

    @classmethod
    def of(cls, note: Note) -> "NoteView":
        """The view of a note."""
        return cls(
            note_id=note.id,
            author_id=note.author_id,
            title=note.title,
            text=note.text,
            topic=note.topic,
            place=note.place,
            intent=note.intent,
            created_at=note.created_at,
            hidden=note.hidden,
            # A verdict may be counted before its comment.
            comments=max(0, note.comments - note.hidden_comments),
            needs=note.needs,
            needs_answered=note.needs_answered,
            advice=note.advice,
            groups=note.groups,
        )


class NeedView(BaseModel):
    need_id: str
    state: Literal["open", "answered", "withdrawn"]
    answer_id: str | None
    step: int = Field(description="How often it was escalated.")


class CommentView(BaseModel):
    """A comment as a reader sees it; ``need`` if it asked something."""

    comment_id: str
    note_id: str
    parent_id: str | None
    author_id: str
    text: str
    created_at: datetime
    hidden: bool
    advice: bool
    need: NeedView | None

    @classmethod
    def of(cls, comment: Comment, need: Need | None) -> "CommentView":
        """The view of a comment."""
        seen = None
        if need is not None:
            seen = NeedView(need_id=need.id, state=need.state, answer_id=need.answer_id, step=need.step)
        return cls(
            comment_id=comment.id,
            note_id=comment.note_id,
            parent_id=comment.parent_id,
            author_id=comment.author_id,
            text=comment.text,
            created_at=comment.created_at,
            hidden=comment.hidden,
            advice=comment.advice,
            need=seen,
        )


UNKNOWN_NOTE = {404: ["unknown-note"]}


def routes(desk: Desk, store: Store) -> APIRouter:
    """The routes of notes."""
    api = APIRouter(prefix="/v1", tags=["notes"])

    @api.post("/notes", status_code=201, response_model=NotePosted, responses=problems(400, 422, 503))
    async def post_note(body: NewNote, call: Calling) -> Response:
        """Write a note."""
        command = PostNote(
            person_id=call.person,
            note_id=call.new_id("note"),
            title=body.title,
            text=body.text,
            topic=body.topic,
            place=body.place,
            intent=body.intent,
        )
        return await desk.handle(command, call)

    @api.get("/notes/{note_id}", responses=problems(404, types=UNKNOWN_NOTE))
    async def read_note(note_id: Id, who: Someone) -> NoteView:
        """Read a note; a hidden one is there for its author alone."""
        return NoteView.of(await visible(note_id, who.person))

    @api.post(
        "/notes/{note_id}/comments",
        status_code=201,
        response_model=CommentPosted,
        responses=problems(400, 404, 422, 503, types={404: ["unknown-note", "unknown-comment"]}),
    )
    async def post_comment(note_id: Id, body: NewComment, call: Calling) -> Response:
        """Write a comment. A question in it opens a need within moments."""
        command = PostComment(
            person_id=call.person,
            comment_id=call.new_id("comment"),
            note_id=note_id,
            text=body.text,
            parent_id=body.parent_id,
        )
        return await desk.handle(command, call)

    @api.get("/notes/{note_id}/comments", responses=problems(400, 404, types=UNKNOWN_NOTE))
    async def read_comments(
        note_id: Id, who: Someone, window: Paging, _sort: Annotated[Literal["new"], Query(alias="sort")] = "new"
    ) -> Page[CommentView]:
        """Comments of a note, newest first, as a tree by ``parent_id``."""
        await visible(note_id, who.person)
        after = (window.after.at, window.after.id) if window.after else None
        found = await store.newest_comments(note_id, who.person, after, window.read)
        needs = await store.needs_of(found)
        views = [CommentView.of(c, needs.get(c.id)) for c in found]
        return page(views, window.limit, lambda v: Cursor(v.created_at, v.comment_id))

    @api.post(
        "/needs/{need_id}/accept",
        response_model=NeedClosed,
        responses=problems(400, 403, 404, 409, 422, 503, types={404: ["unknown-need", "unknown-comment"]}),
    )
    async def accept_answer(need_id: Id, body: Answer, call: Calling) -> Response:
        """The asker accepts a comment as the answer."""
        command = AcceptAnswer(person_id=call.person, need_id=need_id, comment_id=body.comment_id)
        return await desk.handle(command, call)

    @api.post(
        "/comments/{comment_id}/advice",
        response_model=AdviceTaken,
        responses=problems(400, 403, 404, 422, 503, types={404: ["unknown-comment"]}),
    )
    async def take_advice(comment_id: Id, call: Calling) -> Response:
        """The note's author takes a comment's advice (听劝)."""
        return await desk.handle(TakeAdvice(person_id=call.person, comment_id=comment_id), call)

    @api.post(
        "/notes/{note_id}/relays",
        status_code=201,
        response_model=Relayed,
        responses={
            **problems(400, 403, 404, 409, 422, 503, types={404: ["unknown-note", "unknown-group"]}),
            200: {"model": Relayed, "description": "It had been before."},
        },
    )
    async def relay_note(note_id: Id, body: NewRelay, call: Calling) -> Response:
        """Hand a note over to a group; 200 if it had been before."""
        command = RelayNote(
            person_id=call.person, note_id=note_id, group_id=body.group_id, any_note="relay" in call.scopes
        )
        return await desk.handle(command, call)

    async def visible(note_id: str, person: str) -> Note:
        note = await store.note(note_id)
        if note is None or (note.hidden and note.author_id != person):
            raise Rejected("unknown-note", 404)
        return note

    return api
