"""Events of the groups service about the talk in a group: messages, and the needs asked in them."""

from pydantic import AwareDatetime, Field

from .event import Event, Gate, Id, Short, Text
from .topics import MESSAGE


class MessagePosted(Event, topic=MESSAGE, name="message_posted", order="fact"):
    """A member wrote a message in a group, or under another message of it (``parent_id``).

    One that the gate holds is hidden, as a ``MessageVisibilityChanged`` of the same moment says, until its verdict.
    """

    message_id: Id
    group_id: Id
    parent_id: Id | None = None
    author_id: Id
    text: Text
    gate: Gate = "open"
    gate_version: Short = ""


class MessageVisibilityChanged(Event, topic=MESSAGE, name="message_visibility_changed", order="state"):
    """A verdict hid a message from others, or restored it; ``reasons`` are names of rules."""

    message_id: Id
    group_id: Id
    author_id: Id
    hidden: bool
    reasons: tuple[Short, ...] = ()


class MessageDeleted(Event, topic=MESSAGE, name="message_deleted", order="state"):
    """Its author took a message away for good; a reader drops its text and keeps the sequence."""

    message_id: Id
    group_id: Id
    author_id: Id


class GroupNeedOpened(Event, topic=MESSAGE, name="need_opened", order="state"):
    """A question in a message became an open need; it is escalated when nothing is accepted by ``due_at``."""

    need_id: Id
    group_id: Id
    message_id: Id = Field(description="The message that asks.")
    asker_id: Id
    due_at: AwareDatetime = Field(description="When it is escalated: RFC 3339 with an offset.")


class GroupNeedAnswered(Event, topic=MESSAGE, name="need_answered", order="state"):
    """The asker accepted a message as the answer: the need is closed, for good, and its writer has helped the group.

    This is the helper's contribution (``answer_accepted``); no ``ContributionMade`` says it once more.
    """

    need_id: Id
    group_id: Id
    message_id: Id = Field(description="The message that asks.")
    asker_id: Id
    answer_id: Id
    helper_id: Id


class GroupNeedEscalated(Event, topic=MESSAGE, name="need_escalated", order="state"):
    """Nobody's answer was accepted in time; ``step`` counts from 1."""

    need_id: Id
    group_id: Id
    message_id: Id = Field(description="The message that asks.")
    asker_id: Id
    step: int = Field(ge=1, le=100)
    due_at: AwareDatetime


class GroupNeedWithdrawn(Event, topic=MESSAGE, name="need_withdrawn", order="state"):
    """The question is gone (its message was hidden or deleted), so nobody needs to answer it."""

    need_id: Id
    group_id: Id
    message_id: Id = Field(description="The message that asks.")
    asker_id: Id
