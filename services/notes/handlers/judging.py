"""What readers see: comments are counted in the lane of the note, verdicts hide, restore and let edits through."""

from datetime import timedelta

from msgspec.structs import replace

from services.notes import core
from services.notes.core import Comment, Note, Revision
from services.notes.handlers.commands import HoldLapses
from services.notes.handlers.editing import comment_news, note_news
from services.notes.handlers.helping import follow_need
from services.notes.handlers.recording import credit_text
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import (
    CommentPosted,
    CommentRevised,
    CommentVisibilityChanged,
    NotePosted,
    NoteRevised,
    NoteVisibilityChanged,
)
from shared.flow.work import Work
from shared.gate import SETTLES


def note_posted(event: NotePosted, work: Work) -> str | None:
    """Count the note for its author; one that the gate holds when others see it."""
    note = work.get(Note, event.note_id)
    if note is None:
        return "unknown"
    if event.gate != "held":
        credit_text(note, work, 1)
    return None


def comment_posted(event: CommentPosted, work: Work, steps: tuple[int, ...]) -> str | None:
    """Count the comment; a question in it opens a need with a timer."""
    note, comment = work.get(Note, event.note_id), work.get(Comment, event.comment_id)
    if note is None or comment is None:
        return "unknown"
    held = event.gate == "held"
    note = replace(note, comments=note.comments + 1, hidden_comments=note.hidden_comments + held)
    if not held:
        credit_text(comment, work, 1)
    work.put(follow_need(note, comment, work, steps))
    return None


def content_judged(event: ContentJudged, work: Work, steps: tuple[int, ...]) -> str | None:
    """Hide or restore what others see, or let an edit through or refuse it.

    What the gate holds by counters is not let go by a verdict that went without them: the next one follows soon.
    """
    note, comment = work.get(Note, event.note_id), None
    if event.kind == "comment":
        comment = work.get(Comment, event.content_id)
    if note is None or (event.kind == "comment" and comment is None):
        return "unknown"
    reasons = tuple(reason.rule for reason in event.reasons)
    if not event.hidden and event.without and core.unjudged(comment or note) and not event.revision:
        lapse(event.note_id, comment.id if comment else None, work, SETTLES)
        return "waits"
    verdict = core.Verdict(event.revision, event.hidden, reasons, work.cause.sequence, event.by == "staff")
    edit = work.get(Revision, core.revision_id(event.content_id, event.revision))
    if comment is None:
        return judge_note(note, edit, verdict, work)
    return judge_comment(comment, edit, verdict, (note, work, steps))


def judge_note(before: Note, edit: Revision | None, verdict: core.Verdict, work: Work) -> str | None:
    """What a verdict makes of a note."""
    ruled = core.ruled(before, edit, verdict)
    if isinstance(ruled, str):
        return ruled
    if ruled[1] is not None:
        work.put(ruled[1])
    if ruled[0] is before:
        return "refused"
    note = work.put(ruled[0])
    if note.revision != before.revision:
        work.emit(note_news(NoteRevised, note, note, note.revision), note)
    if note.hidden != before.hidden:
        show_note(note, verdict.reasons, work)
    return None


def show_note(note: Note, reasons: tuple[str, ...], work: Work) -> None:
    """Tell that others see a note, or do not any more, and count it for its author."""
    work.emit(note_seen(note, reasons), note)
    credit_text(note, work, -1 if note.hidden else 1)


def judge_comment(
    before: Comment, edit: Revision | None, verdict: core.Verdict, means: tuple[Note, Work, tuple[int, ...]]
) -> str | None:
    """What a verdict makes of a comment; its note counts it, and its need follows what others now read."""
    work = means[1]
    ruled = core.ruled(before, edit, verdict)
    if isinstance(ruled, str):
        return ruled
    if ruled[1] is not None:
        work.put(ruled[1])
    if ruled[0] is before:
        return "refused"
    comment = work.put(ruled[0])
    if comment.revision != before.revision:
        work.emit(comment_news(CommentRevised, comment, comment.text, comment.revision), comment)
    show_comment(before, comment, verdict.reasons, means)
    return None


def show_comment(
    before: Comment, comment: Comment, reasons: tuple[str, ...], means: tuple[Note, Work, tuple[int, ...]]
) -> None:
    """Tell that others see a comment, or do not any more, count it, and follow what it asks."""
    note, work, steps = means
    if comment.hidden != before.hidden:
        work.emit(comment_seen(comment, reasons), comment)
        credit_text(comment, work, -1 if comment.hidden else 1)
    if (comment.revision, comment.hidden) != (before.revision, before.hidden):
        hidden = note.hidden_comments + comment.hidden - before.hidden
        work.put(follow_need(replace(note, hidden_comments=hidden), comment, work, steps))


def lapse(note_id: str, comment_id: str | None, work: Work, after: timedelta) -> None:
    """See to it that what nobody has judged is hidden no longer than that."""
    payload = HoldLapses(note_id=note_id, comment_id=comment_id)
    work.remind(f"held:{comment_id or note_id}", work.now + after, payload, ("note", note_id))


def hold_lapses(reminder: HoldLapses, work: Work, steps: tuple[int, ...]) -> str | None:
    """Show what the gate has held and nobody has judged."""
    note = work.get(Note, reminder.note_id)
    content = work.get(Comment, reminder.comment_id) if reminder.comment_id else note
    if note is None or content is None or not core.unjudged(content):
        return "judged"
    shown = work.put(replace(content, hidden=False))
    if isinstance(shown, Comment) and isinstance(content, Comment):
        show_comment(content, shown, (), (note, work, steps))
    elif isinstance(shown, Note):
        show_note(shown, (), work)
    return None


def note_seen(note: Note, reasons: tuple[str, ...]) -> NoteVisibilityChanged:
    """The news that others see a note, or do not."""
    return NoteVisibilityChanged(note_id=note.id, author_id=note.author_id, hidden=note.hidden, reasons=reasons)


def comment_seen(comment: Comment, reasons: tuple[str, ...]) -> CommentVisibilityChanged:
    """The news that others see a comment, or do not."""
    return CommentVisibilityChanged(
        comment_id=comment.id,
        note_id=comment.note_id,
        author_id=comment.author_id,
        hidden=comment.hidden,
        reasons=reasons,
    )
