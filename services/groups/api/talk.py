"""The routes of the talk: messages, and the needs asked in them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.groups import core
from services.groups.core import Message, Need
from services.groups.handlers import AcceptAnswer, DeleteMessage, PostMessage
from services.groups.store import Store
from shared.desk import Calling, Desk
from shared.http import Body, Cursor, Id, Page, Paging, Someone, page, problems

SOME_ID = "5f0c3a1e-9d0b-4a55-8f43-2c7de0b1a8f6"
SHUT = {404: ["unknown-group"], 403: ["not-a-member"]}


class NewMessage(Body):
    """A message to write."""

    text: str = Field(min_length=1, max_length=4_000, examples=["周六上午去要预约吗?"])
    parent_id: Id | None = Field(default=None, examples=[SOME_ID])


class Answer(Body):
    """Which message answers a need."""

    message_id: Id = Field(examples=[SOME_ID])


class MessagePosted(BaseModel):
    message_id: str
    group_id: str
    created_at: datetime
    held: bool = Field(default=False, description="Whether others see it only after it was judged.")


class NeedClosed(BaseModel):
    need_id: str
    state: Literal["open", "answered", "withdrawn"]
    answer_id: str | None


class NeedView(BaseModel):
    """A question that waits or has waited for an answer."""

    need_id: str
    message_id: str
    asker_id: str
    state: Literal["open", "answered", "withdrawn"]
    opened_at: datetime
    step: int = Field(description="How often it was escalated.")
    answer_id: str | None
    helper_id: str | None

    @classmethod
    def of(cls, need: Need) -> "NeedView":
        """The view of a need."""
        return cls(
            need_id=need.id,
            message_id=need.message_id,
            asker_id=need.asker_id,
            state=need.state,
            opened_at=need.opened_at,
            step=need.step,
            answer_id=need.answer_id,
            helper_id=need.helper_id,
        )


class MessageView(BaseModel):
    """A message as a member sees it; ``need`` if it asked something."""

    message_id: str
    group_id: str
    parent_id: str | None
    author_id: str
    text: str
    created_at: datetime
    hidden: bool
    need: NeedView | None

    @classmethod
    def of(cls, message: Message, need: Need | None) -> "MessageView":
        """The view of a message."""
        return cls(
            message_id=message.id,
            group_id=message.group_id,
            parent_id=message.parent_id,
            author_id=message.author_id,
            text=message.text,
            created_at=message.created_at,
            hidden=message.hidden,
            need=NeedView.of(need) if need else None,
        )


def routes(desk: Desk, store: Store) -> APIRouter:
    """Writing, reading, deleting, and the needs."""
    api = APIRouter(prefix="/v1/groups/{group_id}", tags=["talk"])

    async def listen(group_id: str, person: str) -> None:
        core.listens(await store.group(group_id), await store.member(group_id, person), person)

    @api.post(
        "/messages",
        status_code=201,
        response_model=MessagePosted,
        responses=problems(
            400,
            403,
            404,
            422,
            503,
            types={404: ["unknown-group", "unknown-message"], 403: ["not-a-member", "group-closed"]},
        ),
    )
    async def post_message(group_id: Id, body: NewMessage, call: Calling) -> Response:
        """Write in a group one belongs to. A question in it opens a need within moments."""
        command = PostMessage(
            person_id=call.person,
            message_id=call.new_id("message"),
            group_id=group_id,
            text=body.text,
            parent_id=body.parent_id,
        )
        return await desk.handle(command, call)

    @api.get("/messages", responses=problems(400, 403, 404, types=SHUT))
    async def read_messages(group_id: Id, who: Someone, window: Paging) -> Page[MessageView]:
        """Messages, newest first, to those who belong to the group; a hidden one to its author alone."""
        await listen(group_id, who.person)
        found = await store.newest_messages(group_id, who.person, window.after, window.read)
        needs = await store.needs_of(found)
        views = [MessageView.of(message, needs.get(message.id)) for message in found]
        return page(views, window.limit, lambda v: Cursor(v.created_at, v.message_id))

    @api.delete(
        "/messages/{message_id}",
        status_code=204,
        responses=problems(400, 403, 404, 422, 503, types={404: ["unknown-message"], 403: ["not-the-author"]}),
    )
    async def delete_message(group_id: Id, message_id: Id, call: Calling) -> Response:
        """Take one's own message away, for good, also after one has left; again is no error."""
        return await desk.handle(DeleteMessage(person_id=call.person, message_id=message_id, group_id=group_id), call)

    @api.get("/needs", responses=problems(400, 403, 404, types=SHUT))
    async def read_needs(
        group_id: Id, who: Someone, window: Paging, state: Annotated[Literal["open", "answered"], Query()] = "open"
    ) -> Page[NeedView]:
        """Questions of the group that wait for an answer, or that have one; the one opened last first."""
        await listen(group_id, who.person)
        found = await store.newest_needs(group_id, state, window.after, window.read)
        return page([NeedView.of(need) for need in found], window.limit, lambda v: Cursor(v.opened_at, v.need_id))

    @api.post(
        "/needs/{need_id}/accept",
        response_model=NeedClosed,
        responses=problems(
            400,
            403,
            404,
            409,
            422,
            503,
            types={
                403: ["not-the-asker"],
                404: ["unknown-need", "unknown-message"],
                409: ["need-closed"],
            },
        ),
    )
    async def accept_answer(group_id: Id, need_id: Id, body: Answer, call: Calling) -> Response:
        """The asker accepts somebody else's message as the answer, once; its writer has helped."""
        command = AcceptAnswer(person_id=call.person, need_id=need_id, group_id=group_id, message_id=body.message_id)
        return await desk.handle(command, call)

    return api
