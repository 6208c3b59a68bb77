"""Needs: questions asked in the talk that wait for an answer. The words are those of notes."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from msgspec.structs import replace

from shared.errors import Rejected
from shared.flow.documents import Document
from shared.text import is_question

from .talk import Message, in_sight

NeedState = Literal["open", "answered", "withdrawn"]


class Need(Document, frozen=True, kw_only=True):
    """A question that waits for an answer; its id is made from the message's.

    ``counted`` once its answer is a contribution of the helper: the event that says so may come again in a
    republication, under another id.
    """

    COLLECTION: ClassVar[str] = "needs"
    REBUILT: ClassVar[bool] = False

    group_id: str
    message_id: str
    asker_id: str
    opened_at: datetime
    state: NeedState = "open"
    step: int = 0
    answer_id: str | None = None
    helper_id: str | None = None
    counted: bool = False


def need_id(message_id: str) -> str:
    """The id of the need that a message's question opens."""
    return f"need-{message_id}"


def due(need: Need, steps: tuple[int, ...]) -> datetime:
    """When the next escalation of a need is due; of the last step, when that one was."""
    return need.opened_at + timedelta(seconds=steps[min(need.step, len(steps) - 1)])


def need_of(message: Message, need: Need | None, now: datetime) -> Need | None:
    """The need that a visible question opens, or opens again after it was withdrawn; None if nothing is to do.

    A message that is gone has no text, and so asks nothing.
    """
    if message.hidden or not is_question(message.text):
        return None
    if need is None:
        return Need(
            id=need_id(message.id),
            group_id=message.group_id,
            message_id=message.id,
            asker_id=message.author_id,
            opened_at=now,
        )
    return replace(need, state="open", opened_at=now, step=0) if need.state == "withdrawn" else None


def accept(need: Need | None, answer: Message | None, group_id: str, person: str) -> tuple[Need, bool]:
    """The need with its answer, and whether that is news.

    Raises:
        Rejected: unknown need or message (404), not the asker (403), own message (422), closed already (409).
    """
    if need is None or need.group_id != group_id:
        raise Rejected("unknown-need", 404)
    if need.asker_id != person:
        raise Rejected("not-the-asker", 403, detail="Only who asked may accept an answer.")
    if need.state == "answered" and answer is not None and need.answer_id == answer.id:
        return need, False
    if answer is None or not in_sight(answer, group_id):
        raise Rejected("unknown-message", 404, detail="The answer is not a message of this group.")
    if answer.author_id == person:
        raise Rejected("own-answer", 422, detail="An answer of one's own closes nothing.")
    if need.state != "open":
        raise Rejected("need-closed", 409, extra={"state": need.state})
    return replace(need, state="answered", answer_id=answer.id, helper_id=answer.author_id), True


def escalate(need: Need | None, step: int) -> Need | None:
    """The need one step on, if it is still open and waits for this step."""
    if need is None or need.state != "open" or need.step + 1 != step:
        return None
    return replace(need, step=step)
