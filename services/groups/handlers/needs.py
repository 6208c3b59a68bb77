"""Needs asked in the talk: opened and withdrawn with their message, accepted by the asker, escalated by timers."""

from msgspec.structs import replace

from services.groups import core
from services.groups.core import Message, Need, need_id
from services.groups.settings import Settings
from shared.contracts import Event
from shared.contracts.talk import GroupNeedAnswered, GroupNeedEscalated, GroupNeedOpened, GroupNeedWithdrawn
from shared.flow.router import Command, Reminder, Reply
from shared.flow.work import Work

from .tiers import count

Steps = tuple[int, ...]


class AcceptAnswer(Command, frozen=True, kw_only=True):
    """Close one's own need with somebody's message."""

    need_id: str
    group_id: str
    message_id: str


class NeedDue(Reminder, frozen=True, kw_only=True):
    """A need may have to be escalated to ``step``."""

    need_id: str
    message_id: str
    step: int


def accept_answer(command: AcceptAnswer, work: Work, steps: Steps) -> Reply:
    """Close a need. It is decided here and not in the group's lane, because the caller is told who was first."""
    answer, asked = work.guard(Message, command.message_id), work.get(Need, command.need_id)
    need, news = core.accept(asked, answer, command.group_id, command.person_id)
    if news:
        work.cancel(timer_name(need.id, need.step + 1))
        tell(work.put(need), work, steps)
    return Reply(status=200, body={"need_id": need.id, "state": need.state, "answer_id": need.answer_id})


def tell(need: Need, work: Work, steps: Steps) -> None:
    """The need's state, to the world."""
    work.emit(need_news(need, steps), need)


def need_news(need: Need, steps: Steps) -> Event:
    """The state of a need as the world knows it, whole."""
    about = {"need_id": need.id, "group_id": need.group_id, "message_id": need.message_id, "asker_id": need.asker_id}
    if need.answer_id is not None and need.helper_id is not None:
        return GroupNeedAnswered(**about, answer_id=need.answer_id, helper_id=need.helper_id)
    if need.state == "withdrawn":
        return GroupNeedWithdrawn(**about)
    due = core.due(need, steps)
    return (
        GroupNeedEscalated(**about, step=need.step, due_at=due) if need.step else GroupNeedOpened(**about, due_at=due)
    )


# -- in the lane of the group -------------------------------------------------------------------------------


def open_need(message: Message, work: Work, steps: Steps) -> None:
    """Open the need of a question, if it is one and has none."""
    need = core.need_of(message, work.get(Need, need_id(message.id)), work.now)
    if need is not None:
        need = work.put(need)
        tell(need, work, steps)
        remind(need, work, steps)


def withdraw_need(message_id: str, work: Work, steps: Steps) -> None:
    """Nobody needs to answer a question that is hidden or gone."""
    need = work.get(Need, need_id(message_id))
    if need is not None and need.state == "open":
        work.cancel(timer_name(need.id, need.step + 1))
        tell(work.put(replace(need, state="withdrawn")), work, steps)


def group_need_answered(event: GroupNeedAnswered, work: Work, settings: Settings) -> str | None:
    """An accepted answer is a contribution of its writer to the group, once."""
    need = work.get(Need, event.need_id)
    if need is None or need.counted:
        return "unknown" if need is None else "known"
    work.put(replace(need, counted=True))
    return count(event.group_id, event.helper_id, "answer_accepted", work, settings)


def need_due(reminder: NeedDue, work: Work, steps: Steps) -> str | None:
    """Escalate a need that nobody has answered in time, and look again at the next step.

    A question whose author was erased waits for nobody.
    """
    need = core.escalate(work.get(Need, reminder.need_id), reminder.step)
    message = work.get(Message, reminder.message_id)
    if need is None:
        return "answered"
    if message is None or message.gone:
        withdraw_need(reminder.message_id, work, steps)
        return "gone"
    need = work.put(need)
    tell(need, work, steps)
    if need.step < len(steps):
        remind(need, work, steps)
    return None


def remind(need: Need, work: Work, steps: Steps) -> None:
    """Set the timer of a need's next step."""
    step = need.step + 1
    payload = NeedDue(need_id=need.id, message_id=need.message_id, step=step)
    work.remind(timer_name(need.id, step), core.due(need, steps), payload, ("group", need.group_id))


def timer_name(need_id: str, step: int) -> str:
    """The timer of one step of a need."""
    return f"{need_id}:{step}"
