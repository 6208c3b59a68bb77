"""Messages: written and deleted by members, hidden and restored by verdicts."""

from datetime import timedelta

from msgspec.structs import replace

from services.groups import core
from services.groups.core import Group, Member, Message, member_id
from shared.contracts.moderation import MessageJudged
from shared.contracts.talk import MessageDeleted, MessagePosted, MessageVisibilityChanged
from shared.errors import Rejected
from shared.flow.router import Command, Reminder, Reply
from shared.flow.work import Work
from shared.gate import SETTLES, Gated
from shared.judging.snapshot import Draft

from .needs import Steps, open_need, withdraw_need


class PostMessage(Command, frozen=True, kw_only=True):
    """Write a message in a group, or under a message of it; its id is made at the edge."""

    message_id: str
    group_id: str
    text: str
    parent_id: str | None


class HoldLapses(Reminder, frozen=True, kw_only=True):
    """The gate has held a message, and nobody may have judged it."""

    message_id: str


class DeleteMessage(Command, frozen=True, kw_only=True):
    """Take one's own message away."""

    message_id: str
    group_id: str


def post_message(command: PostMessage, work: Work, gate: Gated) -> Reply:
    """A new message, hidden if the gate holds it. The need of a question follows in the lane of the group."""
    if work.get(Message, command.message_id):
        raise Rejected("idempotency-key-reused", 422)
    member = work.get(Member, member_id(command.group_id, command.person_id))
    group = core.listens(work.get(Group, command.group_id), member, command.person_id)
    parent = work.get(Message, command.parent_id) if command.parent_id else None
    core.writable(group, parent, command.parent_id)
    passage = gate.look(Draft("message", command.text, command.person_id, group.id), work.now)
    message = work.put(
        Message(
            id=command.message_id,
            group_id=group.id,
            parent_id=command.parent_id,
            author_id=command.person_id,
            text=command.text,
            created_at=work.now,
            hidden=passage.held,
        )
    )
    work.emit(
        MessagePosted(
            message_id=message.id,
            group_id=message.group_id,
            parent_id=message.parent_id,
            author_id=message.author_id,
            text=message.text,
            gate=passage.gate,
            gate_version=passage.version,
        ),
        message,
    )
    if passage.held:
        work.emit(message_news(message, passage.reasons), message)
        lapse(message, work, gate.hold)
    about = {"message_id": message.id, "group_id": message.group_id, "created_at": work.now.isoformat()}
    return Reply(status=201, body={**about, "held": passage.held})


def delete_message(command: DeleteMessage, work: Work) -> Reply:
    """The text goes at once; the need of a question in it follows in the lane of the group."""
    message, news = core.take_away(work.get(Message, command.message_id), command.group_id, command.person_id)
    if news:
        message = work.put(message)
        work.emit(message_news(message), message)
    return Reply(status=204, body={})


def message_news(message: Message, reasons: tuple[str, ...] = ()) -> MessageDeleted | MessageVisibilityChanged:
    """The state of a message as the world may know it: that it is gone, or whether it is hidden."""
    if message.gone:
        return MessageDeleted(message_id=message.id, group_id=message.group_id, author_id=message.author_id)
    return MessageVisibilityChanged(
        message_id=message.id,
        group_id=message.group_id,
        author_id=message.author_id,
        hidden=message.hidden,
        reasons=reasons,
    )


# -- events in the lane of the group ------------------------------------------------------------------------


def message_posted(event: MessagePosted, work: Work, steps: Steps) -> str | None:
    """A question in it opens a need with a timer."""
    message = work.get(Message, event.message_id)
    if message is None or message.group_id != event.group_id:
        return "unknown"
    open_need(message, work, steps)
    return None


def message_deleted(event: MessageDeleted, work: Work, steps: Steps) -> None:
    """A question that is gone needs no answer."""
    withdraw_need(event.message_id, work, steps)


def message_judged(event: MessageJudged, work: Work, steps: Steps) -> str | None:
    """Hide or restore what was judged; the need of a hidden question is withdrawn, of a restored one opened."""
    message = work.get(Message, event.content_id)
    if message is None or message.group_id != event.group_id:
        return "unknown"
    if not event.hidden and event.without and core.unjudged(message):
        lapse(message, work, SETTLES)
        return "waits"
    ruled = core.rule_message(message, event.hidden, work.cause.sequence)
    if ruled is None:
        return "older"
    stored = work.put(ruled)
    if stored.hidden != message.hidden and not stored.gone:
        show(stored, tuple(reason.rule for reason in event.reasons), work, steps)
    return None


def lapse(message: Message, work: Work, after: timedelta) -> None:
    """See to it that what nobody has judged is hidden no longer than that."""
    held = HoldLapses(message_id=message.id)
    work.remind(f"held:{message.id}", work.now + after, held, ("group", message.group_id))


def hold_lapses(reminder: HoldLapses, work: Work, steps: Steps) -> str | None:
    """Show what the gate has held and nobody has judged."""
    message = work.get(Message, reminder.message_id)
    if message is None or not core.unjudged(message):
        return "judged"
    show(work.put(replace(message, hidden=False)), (), work, steps)
    return None


def show(message: Message, reasons: tuple[str, ...], work: Work, steps: Steps) -> None:
    """Tell that others see a message, or do not any more; what it asks follows."""
    work.emit(message_news(message, reasons), message)
    if message.hidden:
        withdraw_need(message.id, work, steps)
    else:
        open_need(message, work, steps)
