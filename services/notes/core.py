"""Rules of notes: what a comment, an answer, a verdict or a relay does to the documents. Pure."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from msgspec.structs import replace

from shared.errors import Rejected
from shared.flow.documents import Document
from shared.text import is_question

NeedState = Literal["open", "answered", "withdrawn"]
MAX_DEPTH = 50
"""How deep a tree of comments may grow."""


class Note(Document, frozen=True, kw_only=True):
    """A note and what is counted on it; ``ruled`` is the sequence of the last verdict that was taken up."""

    COLLECTION: ClassVar[str] = "notes"

    author_id: str
    title: str
    text: str
    topic: str | None
    place: str | None
    intent: Literal["asks", "offers"] | None
    created_at: datetime
    hidden: bool = False
    ruled: int = 0
    comments: int = 0
    hidden_comments: int = 0
    needs: int = 0
    needs_answered: int = 0
    advice: int = 0
    groups: tuple[str, ...] = ()


class Comment(Document, frozen=True, kw_only=True):
    """A comment; it keeps the note's author, so that taking its advice needs no second read."""

    COLLECTION: ClassVar[str] = "comments"

    note_id: str
    note_author_id: str
    parent_id: str | None
    depth: int
    author_id: str
    text: str
    created_at: datetime
    hidden: bool = False
    ruled: int = 0
    advice: bool = False


class Need(Document, frozen=True, kw_only=True):
    """A question that waits for an answer; its id is made from the comment's."""

    COLLECTION: ClassVar[str] = "needs"

    note_id: str
    comment_id: str
    asker_id: str
    opened_at: datetime
    state: NeedState = "open"
    step: int = 0
    answer_id: str | None = None
    helper_id: str | None = None


class Relay(Document, frozen=True, kw_only=True):
    """A note was handed over to a group: one document a pair."""

    COLLECTION: ClassVar[str] = "relays"

    note_id: str
    group_id: str
    by_id: str
    at: datetime


class GroupCard(Document, frozen=True, kw_only=True):
    """What notes knows of a group, followed from its events; ``sequence`` orders its changes."""

    COLLECTION: ClassVar[str] = "groups"

    owner_id: str = ""
    name: str = ""
    state: Literal["open", "closed"] = "open"
    seats: int = 0
    members: int = 0
    sequence: int = 0


def need_id(comment_id: str) -> str:
    """The id of the need that a comment's question opens."""
    return f"need-{comment_id}"


def relay_id(note_id: str, group_id: str) -> str:
    """The id of the relay of a note to a group."""
    return f"{note_id}:{group_id}"


def due(need: Need, steps: tuple[int, ...]) -> datetime:
    """When the next escalation of a need is due; of the last step, when that one was."""
    return need.opened_at + timedelta(seconds=steps[min(need.step, len(steps) - 1)])


# -- what commands may do -----------------------------------------------------------------------------------


def commentable(note: Note | None, parent: Comment | None, parent_id: str | None) -> int:
    """Depth of a new comment in its tree.

    Raises:
        Rejected: the note or the parent is not there (404), or the tree is too deep (422).
    """
    if note is None or note.hidden:
        raise Rejected("unknown-note", 404)
    if parent_id is None:
        return 0
    if parent is None or parent.note_id != note.id or parent.hidden:
        raise Rejected("unknown-comment", 404, detail="The parent is not a comment of this note.")
    if parent.depth + 1 >= MAX_DEPTH:
        raise Rejected("too-deep-a-reply", 422, extra={"most": MAX_DEPTH})
    return parent.depth + 1


def accept(need: Need | None, answer: Comment | None, person: str) -> tuple[Need, bool]:
    """The need with its answer, and whether that is news.

    Raises:
        Rejected: unknown need or comment (404), not the asker (403), own comment (422), closed already (409).
    """
    if need is None:
        raise Rejected("unknown-need", 404)
    if need.asker_id != person:
        raise Rejected("not-the-asker", 403, detail="Only who asked may accept an answer.")
    if answer is None or answer.note_id != need.note_id or answer.hidden:
        raise Rejected("unknown-comment", 404, detail="The answer is not a comment of this note.")
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
        Rejected: unknown comment (404), not the note's author (403), own comment (422).
    """
    if comment is None or comment.hidden:
        raise Rejected("unknown-comment", 404)
    if comment.note_author_id != person:
        raise Rejected("not-the-author", 403, detail="Only the note's author takes advice in it.")
    if comment.author_id == person:
        raise Rejected("own-advice", 422, detail="One's own comment is no advice.")
    return (comment, False) if comment.advice else (replace(comment, advice=True), True)


def relayable(note: Note | None, group: GroupCard | None, person: str, *, any_note: bool, again: bool) -> None:
    """Whether a person may hand a note over to a group; its author, the group's owner, or staff.

    A closed group takes no new note; ``again`` is one that it has.

    Raises:
        Rejected: unknown note or group (404), no right (403), a closed group (409).
    """
    if note is None or note.hidden:
        raise Rejected("unknown-note", 404)
    if group is None or not group.owner_id:
        raise Rejected("unknown-group", 404)
    if not any_note and person not in (note.author_id, group.owner_id):
        raise Rejected("not-yours-to-relay", 403, detail="The note's author, the group's owner or staff relay it.")
    if group.state == "closed" and not again:
        raise Rejected("group-closed", 409)


# -- what events do -----------------------------------------------------------------------------------------


def need_of(comment: Comment, need: Need | None, now: datetime) -> Need | None:
    """The need that a visible question opens, or opens again after it was withdrawn; None if nothing is to do."""
    if comment.hidden or not is_question(comment.text):
        return None
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


def rule_note(note: Note, hidden: bool, sequence: int) -> Note | None:
    """The note after a verdict; None for one that is older than what was taken up."""
    return None if sequence <= note.ruled else replace(note, hidden=hidden, ruled=sequence)


def rule_comment(comment: Comment, hidden: bool, sequence: int) -> Comment | None:
    """The comment after a verdict; None for one that is older than what was taken up."""
    return None if sequence <= comment.ruled else replace(comment, hidden=hidden, ruled=sequence)
