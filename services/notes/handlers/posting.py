"""Writing: what a person posts is inserted by the api lane; the counts follow in the lane of the note."""

from services.notes import core
from services.notes.core import Comment, Note
from services.notes.handlers.commands import PostComment, PostNote
from services.notes.handlers.judging import comment_seen, lapse, note_seen
from shared.contracts.notes import CommentPosted, NotePosted
from shared.errors import Rejected
from shared.flow.router import Reply
from shared.flow.work import Work
from shared.gate import Gated
from shared.judging.snapshot import Draft


def post_note(command: PostNote, work: Work, gate: Gated) -> Reply:
    """A new note, and the news of it; one that the gate holds is hidden until it was judged."""
    if work.get(Note, command.note_id):
        raise Rejected("idempotency-key-reused", 422)
    passage = gate.look(Draft("note", f"{command.title}\n{command.text}", command.person_id), work.now)
    note = work.put(
        Note(
            id=command.note_id,
            author_id=command.person_id,
            title=command.title,
            text=command.text,
            topic=command.topic,
            place=command.place,
            intent=command.intent,
            cell=command.cell,
            created_at=work.now,
            hot_at=work.now,
            hidden=passage.held,
        )
    )
    work.emit(
        NotePosted(
            note_id=note.id,
            author_id=note.author_id,
            title=note.title,
            text=note.text,
            topic=note.topic,
            place=note.place,
            intent=note.intent,
            cell=note.cell,
            gate=passage.gate,
            gate_version=passage.version,
        ),
        note,
    )
    if passage.held:
        work.emit(note_seen(note, passage.reasons), note)
        lapse(note.id, None, work, gate.hold)
    return Reply(status=201, body={"note_id": note.id, "created_at": work.now.isoformat(), "held": passage.held})


def post_comment(command: PostComment, work: Work, gate: Gated) -> Reply:
    """A new comment, hidden if the gate holds it. The note's counts follow in the lane of the note."""
    if work.get(Comment, command.comment_id):
        raise Rejected("idempotency-key-reused", 422)
    note = work.get(Note, command.note_id)
    parent = work.get(Comment, command.parent_id) if command.parent_id else None
    depth = core.commentable(note, parent, command.parent_id)
    assert note is not None
    passage = gate.look(Draft("comment", command.text, command.person_id), work.now)
    comment = work.put(
        Comment(
            id=command.comment_id,
            note_id=note.id,
            note_author_id=note.author_id,
            parent_id=command.parent_id,
            depth=depth,
            author_id=command.person_id,
            text=command.text,
            created_at=work.now,
            hidden=passage.held,
        )
    )
    work.emit(
        CommentPosted(
            comment_id=comment.id,
            note_id=note.id,
            parent_id=comment.parent_id,
            author_id=comment.author_id,
            note_author_id=note.author_id,
            text=comment.text,
            gate=passage.gate,
            gate_version=passage.version,
        ),
        comment,
    )
    if passage.held:
        work.emit(comment_seen(comment, passage.reasons), comment)
        lapse(note.id, comment.id, work, gate.hold)
    about = {"comment_id": comment.id, "note_id": note.id, "created_at": work.now.isoformat()}
    return Reply(status=201, body={**about, "held": passage.held})
