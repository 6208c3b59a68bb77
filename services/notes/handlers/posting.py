"""Writing: what a person posts is inserted by the api lane; the counts follow in the lane of the note."""

from services.notes import core
from services.notes.core import Comment, Note
from services.notes.handlers.commands import PostComment, PostNote
from shared.contracts.notes import CommentPosted, NotePosted
from shared.errors import Rejected
from shared.flow.router import Reply
from shared.flow.work import Work


def post_note(command: PostNote, work: Work) -> Reply:
    """A new note, and the news of it."""
    if work.get(Note, command.note_id):
        raise Rejected("idempotency-key-reused", 422)
    note = work.put(
        Note(
            id=command.note_id,
            author_id=command.person_id,
            title=command.title,
            text=command.text,
            topic=command.topic,
            place=command.place,
            intent=command.intent,
            created_at=work.now,
            hot_at=work.now,
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
        ),
        note,
    )
    return Reply(status=201, body={"note_id": note.id, "created_at": work.now.isoformat()})


def post_comment(command: PostComment, work: Work) -> Reply:
    """A new comment. The note's counts follow in the lane of the note."""
    if work.get(Comment, command.comment_id):
        raise Rejected("idempotency-key-reused", 422)
    note = work.get(Note, command.note_id)
    parent = work.get(Comment, command.parent_id) if command.parent_id else None
    depth = core.commentable(note, parent, command.parent_id)
    assert note is not None
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
        ),
        comment,
    )
    return Reply(status=201, body={"comment_id": comment.id, "note_id": note.id, "created_at": work.now.isoformat()})
