"""Help: advice taken and needs, from the question until it is answered, withdrawn or escalated."""

from msgspec.structs import replace

from services.notes import core
from services.notes.core import Comment, Need, Note
from services.notes.handlers.commands import AcceptAnswer, NeedDue, NeedsOrphaned, TakeAdvice
from services.notes.handlers.recording import credit, credit_question
from services.notes.settings import Heat, Settings
from shared.contracts.notes import AdviceTaken, NeedAnswered, NeedEscalated, NeedOpened, NeedWithdrawn
from shared.flow.router import Reply
from shared.flow.work import Work


def accept_answer(command: AcceptAnswer, work: Work) -> Reply:
    """Close a need. It is decided here and not in the note's lane, because the caller is told who was first."""
    answer = work.guard(Comment, command.comment_id)
    need, news = core.accept(work.get(Need, command.need_id), answer, command.person_id)
    if news:
        assert answer is not None
        need = work.put(need)
        work.cancel(timer_name(need.id, need.step + 1))
        work.emit(
            NeedAnswered(
                need_id=need.id,
                note_id=need.note_id,
                comment_id=need.comment_id,
                asker_id=need.asker_id,
                answer_id=answer.id,
                helper_id=answer.author_id,
            ),
            need,
        )
    return Reply(status=200, body={"need_id": need.id, "state": need.state, "answer_id": need.answer_id})


def take_advice(command: TakeAdvice, work: Work) -> Reply:
    """Mark advice as taken, once."""
    comment, news = core.take_advice(work.get(Comment, command.comment_id), command.person_id)
    if news:
        comment = work.put(comment)
        work.emit(
            AdviceTaken(
                comment_id=comment.id,
                note_id=comment.note_id,
                author_id=comment.note_author_id,
                adviser_id=comment.author_id,
            ),
            comment,
        )
    return Reply(status=200, body={"comment_id": comment.id, "advice": True})


def follow_need(note: Note, comment: Comment, work: Work, steps: tuple[int, ...]) -> Note:
    """Open or withdraw the need of a comment, as others see it now; returns the note with the need counted."""
    if not core.asks(note, comment):
        return withdraw_need(note, comment.id, work)
    need = core.need_of(comment, work.get(Need, core.need_id(comment.id)), work.now)
    if need is None:
        return note
    need = work.put(need)
    due = core.due(need, steps)
    work.emit(
        NeedOpened(need_id=need.id, note_id=note.id, comment_id=comment.id, asker_id=need.asker_id, due_at=due),
        need,
    )
    remind(need, work, steps)
    credit_question(note, need, work, 1)
    return replace(note, needs=note.needs + 1, asking=(*note.asking, comment.id))


def withdraw_need(note: Note, comment_id: str, work: Work) -> Note:
    """Nobody needs to answer a question that is gone; returns the note without the need, if one was open."""
    need = work.get(Need, core.need_id(comment_id))
    if need is None or need.state != "open":
        return note
    work.cancel(timer_name(need.id, need.step + 1))
    need = work.put(replace(need, state="withdrawn"))
    work.emit(NeedWithdrawn(need_id=need.id, note_id=note.id, comment_id=comment_id, asker_id=need.asker_id), need)
    credit_question(note, need, work, -1)
    return core.asked_no_more(replace(note, needs=note.needs - 1), comment_id)


def needs_orphaned(reminder: NeedsOrphaned, work: Work) -> str | None:
    """Withdraw what is still open under a deleted note."""
    note = work.get(Note, reminder.note_id)
    if note is None:
        return "unknown"
    for comment_id in reminder.comment_ids:
        note = withdraw_need(note, comment_id, work)
    work.put(note)
    return None


def need_answered(event: NeedAnswered, work: Work, settings: Settings) -> str | None:
    """Count an answered need on its note, and for who has helped."""
    note, need = work.get(Note, event.note_id), work.get(Need, event.need_id)
    if note is None or need is None:
        return "unknown"
    note = core.asked_no_more(replace(note, needs_answered=note.needs_answered + 1), event.comment_id)
    work.put(core.warmed(note, settings.hot))
    credit(event.helper_id, "answered", need, work)
    if core.in_time(note, need, work.now, settings.need_steps):
        credit(note.author_id, "in_time", need, work)
    return None


def advice_taken(event: AdviceTaken, work: Work, heat: Heat) -> str | None:
    """Count taken advice on its note, and for who gave it."""
    note, comment = work.get(Note, event.note_id), work.get(Comment, event.comment_id)
    if note is None or comment is None:
        return "unknown"
    work.put(core.warmed(replace(note, advice=note.advice + 1), heat))
    credit(event.adviser_id, "advice", comment, work)
    return None


def need_due(reminder: NeedDue, work: Work, steps: tuple[int, ...]) -> str | None:
    """Escalate a need that nobody has answered in time, and look again at the next step."""
    need = core.escalate(work.get(Need, reminder.need_id), reminder.step)
    if need is None:
        return "answered"
    need = work.put(need)
    work.emit(
        NeedEscalated(
            need_id=need.id,
            note_id=need.note_id,
            comment_id=need.comment_id,
            asker_id=need.asker_id,
            step=need.step,
            due_at=core.due(need, steps),
            last=need.step >= len(steps),
        ),
        need,
    )
    if need.step < len(steps):
        remind(need, work, steps)
    return None


def remind(need: Need, work: Work, steps: tuple[int, ...]) -> None:
    """Set the timer of a need's next step."""
    step = need.step + 1
    payload = NeedDue(need_id=need.id, note_id=need.note_id, step=step)
    work.remind(timer_name(need.id, step), core.due(need, steps), payload, ("note", need.note_id))


def timer_name(need_id: str, step: int) -> str:
    """The timer of one step of a need."""
    return f"{need_id}:{step}"
