"""Edits and deletions: a person's own text, changed by the api lane that the person is answered from.

An edit waits as a revision of its own until a verdict lets it through; a deletion takes the text at once, and the
lane of the note takes the rest: revisions, counts and needs.
"""

from typing import TypeVar

from msgspec.structs import replace

from services.notes import core
from services.notes.core import Comment, Note, Revision
from services.notes.handlers.commands import DeleteComment, DeleteNote, EditComment, EditNote, NeedsOrphaned
from services.notes.handlers.helping import follow_need
from services.notes.handlers.recording import credit_text
from shared.contracts.notes import (
    CommentDeleted,
    CommentEdited,
    CommentRevised,
    NoteDeleted,
    NoteEdited,
    NoteRevised,
)
from shared.flow.router import Reply
from shared.flow.work import Work

AT_ONCE = 200
"""Needs that are withdrawn in one step when their note is deleted."""
T = TypeVar("T", Note, Comment)
N = TypeVar("N", NoteEdited, NoteRevised)
C = TypeVar("C", CommentEdited, CommentRevised)


def edit_note(command: EditNote, work: Work) -> Reply:
    """Keep an edit of a note apart, and tell it to those who judge."""
    before, changes = work.get(Note, command.note_id), core.Changes(command.person_id, command.match, command.fields)
    base = work.get(Revision, core.revision_id(command.note_id, command.match))
    after, edit = core.edited(before, "note", base, changes, work.now)
    if after is not before:
        note = keep(after, edit, work)
        work.emit(note_news(NoteEdited, note, edit, edit.number), note)
    return Reply(status=200, body={"note_id": after.id, "revision": edit.number, "state": edit.state})


def edit_comment(command: EditComment, work: Work) -> Reply:
    """Keep an edit of a comment apart, and tell it to those who judge."""
    id_ = command.comment_id
    before, changes = work.get(Comment, id_), core.Changes(command.person_id, command.match, command.fields)
    base = work.get(Revision, core.revision_id(id_, command.match))
    after, edit = core.edited(before, "comment", base, changes, work.now)
    if after is not before:
        comment = keep(after, edit, work)
        work.emit(comment_news(CommentEdited, comment, edit.text, edit.number), comment)
    return Reply(status=200, body={"comment_id": after.id, "revision": edit.number, "state": edit.state})


def keep(content: T, edit: Revision, work: Work) -> T:
    """Store a text's new revision; with the first one also what was posted, for the history."""
    if edit.number == 1:
        work.put(core.original(content))
    work.put(edit)
    return work.put(content)


def note_news(kind: type[N], note: Note, text: Note | Revision, revision: int) -> N:
    """The event of an edit, as it was written or as others now see it."""
    return kind(
        note_id=note.id,
        author_id=note.author_id,
        revision=revision,
        title=text.title or "",
        text=text.text,
        topic=text.topic,
        place=text.place,
        intent=text.intent,
    )


def comment_news(kind: type[C], comment: Comment, text: str, revision: int) -> C:
    """The event of an edit, as it was written or as others now see it."""
    return kind(
        comment_id=comment.id,
        note_id=comment.note_id,
        parent_id=comment.parent_id,
        author_id=comment.author_id,
        note_author_id=comment.note_author_id,
        revision=revision,
        text=text,
    )


def delete_note(command: DeleteNote, work: Work) -> Reply:
    """Leave a tombstone; again is no news."""
    by = command.person_id
    note, news = core.removed(work.get(Note, command.note_id), "note", by, staff=command.any_note)
    if news:
        note = work.put(note)
        work.emit(NoteDeleted(note_id=note.id, author_id=note.author_id, by_id=by, revision=note.latest), note)
    return Reply(status=204, body={})


def delete_comment(command: DeleteComment, work: Work) -> Reply:
    """Leave a tombstone, so that replies keep their place; again is no news."""
    by = command.person_id
    found = work.get(Comment, command.comment_id)
    comment, news = core.removed(found, "comment", by, staff=command.any_comment)
    if news:
        comment = work.put(comment)
        work.emit(
            CommentDeleted(
                comment_id=comment.id,
                note_id=comment.note_id,
                author_id=comment.author_id,
                by_id=by,
                revision=comment.latest,
            ),
            comment,
        )
    return Reply(status=204, body={})


# -- events in the lane of the note -------------------------------------------------------------------------


def note_deleted(event: NoteDeleted, work: Work) -> str | None:
    """Blank what was written before, and have the needs under the note withdrawn, some at a time."""
    note = work.get(Note, event.note_id)
    if note is None:
        return "unknown"
    blank(event.note_id, event.revision, work)
    if not note.hidden:
        credit_text(note, work, -1)
    for start in range(0, len(note.asking), AT_ONCE):
        payload = NeedsOrphaned(note_id=note.id, comment_ids=note.asking[start : start + AT_ONCE])
        work.remind(f"{note.id}:orphaned:{start}", work.now, payload, ("note", note.id))
    return None


def comment_deleted(event: CommentDeleted, work: Work, steps: tuple[int, ...]) -> str | None:
    """Blank what was written before, count the comment out, and withdraw what it asked."""
    note, comment = work.get(Note, event.note_id), work.get(Comment, event.comment_id)
    if note is None or comment is None:
        return "unknown"
    blank(event.comment_id, event.revision, work)
    # A verdict after the deletion changes nothing, so a comment that is hidden now was so before and is not counted.
    if not comment.hidden:
        note = replace(note, deleted_comments=note.deleted_comments + 1)
        credit_text(comment, work, -1)
    work.put(follow_need(note, comment, work, steps))
    return None


def written(latest: int) -> range:
    """Numbers of a text's revisions. An event from the topic may claim any; more than may be written there are not."""
    return range(min(latest, core.MAX_EDITS) + 1)


def blank(content_id: str, latest: int, work: Work) -> None:
    """Take the text out of all revisions of a deleted note or comment."""
    for number in written(latest):
        if edit := work.get(Revision, core.revision_id(content_id, number)):
            work.put(core.blanked(edit))
