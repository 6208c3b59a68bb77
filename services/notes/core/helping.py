"""Rules of help: needs, answers and advice."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.notes.core.documents import Comment, Need, Note, need_id
from services.notes.core.texts import of_note, seen
from shared.errors import Rejected
from shared.text import is_question


def due(need: Need, steps: tuple[int, ...]) -> datetime:
    """When the next escalation of a need is due; of the last step, when that one was."""
    return need.opened_at + timedelta(seconds=steps[min(need.step, len(steps) - 1)])


def next_due(need: Need, steps: tuple[int, ...]) -> datetime | None:
    """When a need will be escalated next; None when it will not."""
    return due(need, steps) if need.state == "open" and need.step < len(steps) else None


def in_time(note: Note, need: Need, answered_at: datetime, steps: tuple[int, ...]) -> bool:
    """Whether a question of somebody else under a note was answered before its last escalation was due."""
    return need.asker_id != note.author_id and answered_at <= need.opened_at + timedelta(seconds=steps[-1])


def accept(need: Need | None, answer: Comment | None, person: str) -> tuple[Need, bool]:
    """The need with its answer, and whether that is news.

    Raises:
        Rejected: unknown need or comment (404), a deleted one (410), not the asker (403), own comment (422), closed
            already (409).
    """
    if need is None:
        raise Rejected("unknown-need", 404)
    if need.asker_id != person:
        raise Rejected("not-the-asker", 403, detail="Only who asked may accept an answer.")
    answer = of_note(answer, need.note_id, "The answer is not a comment of this note.")
    if answer.author_id == person:
        raise Rejected("own-answer", 422, detail="An answer of one's own closes nothing.")
    if need.state == "answered" and need.answer_id == answer.id:
        return need, False
    if need.state != "open":
        raise Rejected("need-closed", 409, extra={"state": need.state})
    return replace(need, state="answered", answer_id=answer.id, helper_id=answer.author_id), True


def take_advice(comment: Comment | None, person: str) -> tuple[Comment, bool]:
    """The comment marked as taken, and whether that is news.

    Raises:
        Rejected: unknown comment (404), a deleted one (410), not the note's author (403), own comment (422).
    """
    comment = seen(comment, "comment")
    if comment.note_author_id != person:
        raise Rejected("not-the-author", 403, detail="Only the note's author takes advice in it.")
    if comment.author_id == person:
        raise Rejected("own-advice", 422, detail="One's own comment is no advice.")
    return (comment, False) if comment.advice else (replace(comment, advice=True), True)


def asks(note: Note, comment: Comment) -> bool:
    """Whether others see a question here, under a note that is still there."""
    return not (note.deleted or comment.hidden or comment.deleted) and is_question(comment.text)


def asked_no_more(note: Note, comment_id: str) -> Note:
    """The note without this comment among those that ask."""
    return replace(note, asking=tuple(id_ for id_ in note.asking if id_ != comment_id))


def need_of(comment: Comment, need: Need | None, now: datetime) -> Need | None:
    """The need that a question opens, or opens again after it was withdrawn; None if it has one."""
    if need is None:
        return Need(
            id=need_id(comment.id),
            note_id=comment.note_id,
            comment_id=comment.id,
            asker_id=comment.author_id,
            opened_at=now,
        )
    if need.state == "withdrawn":
        return replace(need, state="open", opened_at=now, step=0)
    return None


def escalate(need: Need | None, step: int) -> Need | None:
    """The need one step on, if it is still open and waits for this step."""
    if need is None or need.state != "open" or need.step + 1 != step:
        return None
    return replace(need, step=step)
