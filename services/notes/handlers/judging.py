"""What readers see: comments are counted in the lane of the note, verdicts hide and restore."""

from msgspec.structs import replace

from services.notes import core
from services.notes.core import Comment, Note
from services.notes.handlers.helping import open_need, withdraw_need
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import CommentPosted, CommentVisibilityChanged, NoteVisibilityChanged
from shared.flow.work import Work


def comment_posted(event: CommentPosted, work: Work, steps: tuple[int, ...]) -> str | None:
    """Count the comment; a question in it opens a need with a timer."""
    note, comment = work.get(Note, event.note_id), work.get(Comment, event.comment_id)
    if note is None or comment is None:
        return "unknown"
    note = replace(note, comments=note.comments + 1)
    note = open_need(note, comment, work, steps)
    work.put(note)
    return None


def content_judged(event: ContentJudged, work: Work, steps: tuple[int, ...]) -> str | None:
    """Hide or restore what was judged; the need of a hidden question is withdrawn, of a restored one opened."""
    reasons = tuple(reason.rule for reason in event.reasons)
    note = work.get(Note, event.note_id)
    if note is None:
        return "unknown"
    if event.kind == "note":
        ruled = core.rule_note(note, event.hidden, work.cause.sequence)
        if ruled is None:
            return "older"
        stored = work.put(ruled)
        if stored.hidden != note.hidden:
            work.emit(
                NoteVisibilityChanged(note_id=note.id, author_id=note.author_id, hidden=stored.hidden, reasons=reasons),
                stored,
            )
        return None
    return judge_comment(event, note, work, steps)


def judge_comment(event: ContentJudged, note: Note, work: Work, steps: tuple[int, ...]) -> str | None:
    """The comment's half of a verdict."""
    comment = work.get(Comment, event.content_id)
    ruled = core.rule_comment(comment, event.hidden, work.cause.sequence) if comment else None
    if comment is None or ruled is None:
        return "unknown" if comment is None else "older"
    stored = work.put(ruled)
    if stored.hidden == comment.hidden:
        return None
    work.emit(
        CommentVisibilityChanged(
            comment_id=comment.id,
            note_id=note.id,
            author_id=comment.author_id,
            hidden=stored.hidden,
            reasons=tuple(reason.rule for reason in event.reasons),
        ),
        stored,
    )
    note = replace(note, hidden_comments=note.hidden_comments + (1 if stored.hidden else -1))
    note = withdraw_need(note, stored, work) if stored.hidden else open_need(note, stored, work, steps)
    work.put(note)
    return None
