"""Whose text it is and who sees it: posting, editing, taking away, and what a verdict does."""

from datetime import datetime
from typing import Literal, NamedTuple, TypeVar

from msgspec.structs import replace

from services.notes.core.documents import Comment, Note, Revision, revision_id
from shared.errors import Rejected

MAX_DEPTH = 50
"""How deep a tree of comments may grow."""
MAX_EDITS = 100
"""How often one text may be edited: a deletion blanks all its revisions in one step."""

T = TypeVar("T", Note, Comment)


class Changes(NamedTuple):
    """What an edit sets; ``fields`` are the names of a revision's fields, ``match`` is the revision that was read."""

    person: str
    match: int
    fields: dict[str, str | None]


class Verdict(NamedTuple):
    """What moderation says of one revision; ``sequence`` orders verdicts, ``staff`` is whether people decided."""

    revision: int
    hidden: bool
    reasons: tuple[str, ...]
    sequence: int
    staff: bool = False


def seen(content: T | None, kind: str) -> T:
    """The content as others may use it.

    Raises:
        Rejected: it is not there or hidden (404 unknown-…), or was deleted (410 …-deleted).
    """
    if content is None or content.hidden:
        raise Rejected(f"unknown-{kind}", 404)
    return undeleted(content, kind)


def readable(content: T | None, kind: str, person: str) -> T:
    """The content, deleted or not, if this person may read it: a hidden one only its author. Rejected 404."""
    if content is None or (content.hidden and content.author_id != person):
        raise Rejected(f"unknown-{kind}", 404)
    return content


def undeleted(content: T, kind: str) -> T:
    """The content itself. Rejected 410 once deleted."""
    if content.deleted:
        raise Rejected(f"{kind}-deleted", 410)
    return content


def commentable(note: Note | None, parent: Comment | None, parent_id: str | None) -> int:
    """Depth of a new comment in its tree.

    Raises:
        Rejected: the note or the parent is not there (404) or deleted (410), or the tree is too deep (422).
    """
    note = seen(note, "note")
    if parent_id is None:
        return 0
    parent = of_note(parent, note.id, "The parent is not a comment of this note.")
    if parent.depth + 1 >= MAX_DEPTH:
        raise Rejected("too-deep-a-reply", 422, extra={"most": MAX_DEPTH})
    return parent.depth + 1


def of_note(comment: Comment | None, note_id: str, otherwise: str) -> Comment:
    """A comment that others see under this note.

    Raises:
        Rejected: not there, hidden or of another note (404), or deleted (410).
    """
    if comment is None or comment.note_id != note_id:
        raise Rejected("unknown-comment", 404, detail=otherwise)
    return seen(comment, "comment")


def own(content: T | None, kind: str, person: str, *, staff: bool = False) -> T:
    """The content, deleted or not, in the hands of its author (or of staff).

    Raises:
        Rejected: it is not there, or hidden from this person (404); somebody else's (403).
    """
    if content is None:
        raise Rejected(f"unknown-{kind}", 404)
    if content.author_id != person and not staff:
        if content.hidden:
            raise Rejected(f"unknown-{kind}", 404)
        raise Rejected("not-the-author", 403)
    return content


def edited(content: T | None, kind: str, base: Revision | None, changes: Changes, now: datetime) -> tuple[T, Revision]:
    """The content with its edit noted, and the edit; the same revision as before if nothing is new in it.

    ``base`` is the revision ``changes.match``, if it is kept as one.

    Raises:
        Rejected: as of ``own``; deleted (410), not the revision that was written last (412), edited too often (409).
    """
    content = undeleted(own(content, kind, changes.person), kind)
    if content.latest != changes.match:
        raise Rejected("edited-meanwhile", 412, extra={"revision": content.latest})
    before = base or original(content)
    after = replace(before, **changes.fields)
    if after == before:
        return content, before
    number = content.latest + 1
    if number > MAX_EDITS:
        raise Rejected("too-many-edits", 409, extra={"most": MAX_EDITS})
    edit = Revision(
        id=revision_id(content.id, number),
        content_id=content.id,
        author_id=content.author_id,
        number=number,
        title=after.title,
        text=after.text,
        topic=after.topic,
        place=after.place,
        intent=after.intent,
        written_at=now,
    )
    return replace(content, latest=number), edit


def original(content: Note | Comment) -> Revision:
    """What was posted, as revision 0; of a text that was never edited."""
    made = Revision(
        id=revision_id(content.id, 0),
        content_id=content.id,
        author_id=content.author_id,
        number=0,
        text=content.text,
        written_at=content.created_at,
        state="shown",
    )
    if isinstance(content, Comment):
        return made
    return replace(made, title=content.title, topic=content.topic, place=content.place, intent=content.intent)


def standing(edit: Revision, content: Note | Comment) -> Literal["pending", "shown", "past", "refused", "superseded"]:
    """What has become of one text of a note or comment by now."""
    if edit.number == content.revision:
        return "shown"
    if edit.state == "shown":
        return "past"
    return "superseded" if edit.state == "pending" and edit.number < content.latest else edit.state


def removed(content: T | None, kind: str, person: str, *, staff: bool) -> tuple[T, bool]:
    """The tombstone of the content, and whether that is news.

    Raises:
        Rejected: as of ``own``.
    """
    content = own(content, kind, person, staff=staff)
    if content.deleted:
        return content, False
    gone = replace(content, deleted=True, text="")
    return (replace(gone, title="", topic=None, place=None, intent=None) if isinstance(gone, Note) else gone), True


def blanked(edit: Revision) -> Revision:
    """A revision of a deleted text: that it was written, and nothing of what it said."""
    return replace(edit, text="", title=None, topic=None, place=None, intent=None)


def unjudged(content: Note | Comment) -> bool:
    """Whether a text is hidden because the gate holds it, and no verdict on it has come."""
    return content.hidden and not content.deleted and not content.ruled


def ruled(content: T, edit: Revision | None, verdict: Verdict) -> tuple[T, Revision | None] | str:
    """What a verdict makes of a text: what others see, and the edit if that had waited; a word if it changes nothing.

    A verdict on what others see hides or restores it. One on the edit that waits makes it what others see, also
    where the text before it was hidden, or refuses it. One on a revision that a later edit has replaced, or that is
    older than what was taken up, changes nothing. What staff hide is hidden, whichever revision they had before them:
    moderation knows the latest only, and an edit that is refused must not shield the text before it.
    """
    if content.deleted:
        return "deleted"
    if verdict.revision == content.revision:
        if verdict.sequence <= content.ruled:
            return "older"
        return replace(content, hidden=verdict.hidden, ruled=verdict.sequence), None
    if edit is None or verdict.revision != content.latest:
        return "superseded"
    if verdict.sequence <= edit.ruled:
        return "older"
    if verdict.hidden:
        if verdict.staff:
            content = replace(content, hidden=True, ruled=verdict.sequence)
        return content, replace(edit, state="refused", reasons=verdict.reasons, ruled=verdict.sequence)
    after = replace(content, text=edit.text, revision=edit.number, hidden=False, ruled=verdict.sequence)
    if isinstance(after, Note):
        title = edit.title or ""
        after = replace(after, title=title, topic=edit.topic, place=edit.place, intent=edit.intent)
    return after, replace(edit, state="shown", reasons=(), ruled=verdict.sequence)
