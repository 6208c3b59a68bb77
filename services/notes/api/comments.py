"""The routes of comments and of what they ask: write, read, edit, take away, answer, take advice."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.notes import core
from services.notes.api.common import (
    COMMENT_GONE,
    EDITING,
    NOTE_GONE,
    SOME_ID,
    STAFF,
    required,
    tag,
    tagged,
)
from services.notes.api.views import AskedView, CommentView, History, RevisionView
from services.notes.core import NeedState
from services.notes.handlers.commands import AcceptAnswer, DeleteComment, EditComment, PostComment, TakeAdvice
from services.notes.store import Store
from shared.desk import Calling, Desk
from shared.http import Body, Cursor, Id, IfMatch, Page, Paging, Someone, page, problems


class NewComment(Body):
    """A comment to write."""

    text: str = Field(min_length=1, max_length=4_000, examples=["请问周末需要预约吗?"])
    parent_id: Id | None = Field(default=None, examples=[SOME_ID])


class CommentChanges(Body):
    """A comment to write anew."""

    text: str = Field(min_length=1, max_length=4_000, examples=["请问周末需要预约吗? 周日呢?"])


class Answer(Body):
    """Which comment answers a need."""

    comment_id: Id = Field(examples=[SOME_ID])


class CommentPosted(BaseModel):
    comment_id: str
    note_id: str
    created_at: datetime
    held: bool = Field(default=False, description="Whether others see it only after it was judged.")


class CommentEdited(BaseModel):
    comment_id: str
    revision: int
    state: core.RevisionState


class NeedClosed(BaseModel):
    need_id: str
    state: Literal["open", "answered", "withdrawn"]
    answer_id: str | None


class AdviceTaken(BaseModel):
    comment_id: str
    advice: bool


def routes(desk: Desk, store: Store, steps: tuple[int, ...]) -> APIRouter:
    """The routes of comments; ``steps`` are those of a need's escalation."""
    api = APIRouter(prefix="/v1", tags=["comments"])

    @api.post(
        "/notes/{note_id}/comments",
        status_code=201,
        response_model=CommentPosted,
        responses=problems(
            *(400, 422, 503),
            types={404: ["unknown-note", "unknown-comment"], 410: ["note-deleted", "comment-deleted"]},
        ),
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

    @api.get("/notes/{note_id}/comments", responses=problems(400, 404, types={404: ["unknown-note"]}))
    async def read_comments(
        note_id: Id, who: Someone, window: Paging, _sort: Annotated[Literal["new"], Query(alias="sort")] = "new"
    ) -> Page[CommentView]:
        """Comments of a note, newest first, as a tree by ``parent_id``; also when the note was deleted."""
        core.readable(await store.note(note_id), "note", who.person)
        after = (window.after.at, window.after.id) if window.after else None
        found = await store.newest_comments(note_id, who.person, after, window.read)
        needs, edits = await store.needs_of(found), await store.last_edits(found, who.person)
        views = [CommentView.of(c, needs.get(c.id), edits.get(c.id)) for c in found]
        return page(views, window.limit, lambda v: Cursor(v.created_at, v.comment_id))

    @api.get("/comments/{comment_id}", responses=problems(404, types=COMMENT_GONE))
    async def read_comment(comment_id: Id, who: Someone, response: Response) -> CommentView:
        """Read a comment; a hidden one is there for its author alone. The `ETag` names its text."""
        comment = core.undeleted(core.readable(await store.comment(comment_id), "comment", who.person), "comment")
        tag(response, comment, who.person)
        needs, edits = await store.needs_of([comment]), await store.last_edits([comment], who.person)
        return CommentView.of(comment, needs.get(comment.id), edits.get(comment.id))

    @api.patch(
        "/comments/{comment_id}",
        response_model=CommentEdited,
        responses=problems(400, 422, 503, types={**COMMENT_GONE, **EDITING}),
    )
    async def edit_comment(comment_id: Id, body: CommentChanges, match: IfMatch, call: Calling) -> Response:
        """Write one's comment anew. Others see it when it was judged, and the text before until then."""
        command = EditComment(
            person_id=call.person, comment_id=comment_id, match=required(match), fields={"text": body.text}
        )
        return tagged(await desk.handle(command, call))

    @api.get("/comments/{comment_id}/history", responses=problems(types={**COMMENT_GONE, 403: ["not-the-author"]}))
    async def read_comment_history(comment_id: Id, who: Someone) -> History:
        """All texts of a comment, for its author and for staff."""
        found = await store.comment(comment_id)
        comment = core.undeleted(core.own(found, "comment", who.person, staff=STAFF in who.scopes), "comment")
        return History(items=[RevisionView.of(edit, comment) for edit in await store.history(comment)])

    @api.delete(
        "/comments/{comment_id}",
        status_code=204,
        responses=problems(400, 422, 503, types={403: ["not-the-author"], 404: ["unknown-comment"]}),
    )
    async def delete_comment(comment_id: Id, call: Calling) -> Response:
        """Take one's comment away, for good: its text, its history, what it asked. Replies stay."""
        command = DeleteComment(person_id=call.person, comment_id=comment_id, any_comment=STAFF in call.scopes)
        return await desk.handle(command, call)

    @api.get("/notes/{note_id}/needs", responses=problems(400, 404, types=NOTE_GONE))
    async def read_needs(
        note_id: Id, who: Someone, window: Paging, state: Annotated[NeedState | None, Query()] = None
    ) -> Page[AskedView]:
        """What was asked under a note, the last one first; of one ``state``, or all."""
        core.undeleted(core.readable(await store.note(note_id), "note", who.person), "note")
        after = (window.after.at, window.after.id) if window.after else None
        found = await store.needs(note_id, state, after, window.read)
        return page([AskedView.of(n, steps) for n in found], window.limit, lambda v: Cursor(v.opened_at, v.need_id))

    @api.post(
        "/needs/{need_id}/accept",
        response_model=NeedClosed,
        responses=problems(
            *(400, 403, 409, 422, 503), types={**COMMENT_GONE, 404: ["unknown-need", "unknown-comment"]}
        ),
    )
    async def accept_answer(need_id: Id, body: Answer, call: Calling) -> Response:
        """The asker accepts a comment as the answer."""
        command = AcceptAnswer(person_id=call.person, need_id=need_id, comment_id=body.comment_id)
        return await desk.handle(command, call)

    @api.post(
        "/comments/{comment_id}/advice",
        response_model=AdviceTaken,
        responses=problems(400, 403, 422, 503, types=COMMENT_GONE),
    )
    async def take_advice(comment_id: Id, call: Calling) -> Response:
        """The note's author takes a comment's advice (听劝)."""
        return await desk.handle(TakeAdvice(person_id=call.person, comment_id=comment_id), call)

    return api
