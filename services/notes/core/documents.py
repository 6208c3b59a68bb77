"""State of notes, and the ids that are made from others."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.flow.documents import Document, Texts

NeedState = Literal["open", "answered", "withdrawn"]
ReactionKind = Literal["like", "save"]
RevisionState = Literal["pending", "shown", "refused"]


class Note(Document, frozen=True, kw_only=True):
    """A note and what is counted on it.

    ``revision`` is what others see, ``latest`` what the author wrote last; they differ while an edit waits for its
    verdict or was refused. ``ruled`` is the sequence of the last verdict on what others see. ``cell`` is where it is,
    moved. A deleted note keeps its ids, counts and cell, and no text. ``asking`` are the comments whose need is open,
    or was a moment ago; by ``hot_at`` hot notes are listed, the latest first.
    """

    COLLECTION: ClassVar[str] = "notes"
    REBUILT: ClassVar[tuple[str, ...]] = (
        "comments",
        "deleted_comments",
        "needs_answered",
        "advice",
        "likes",
        "saves",
        "groups",
    )
    TEXTS: ClassVar[Texts] = {"author_id": ("title", "text")}

    author_id: str
    title: str
    text: str
    topic: str | None
    place: str | None
    intent: Literal["asks", "offers"] | None
    cell: str | None = None
    created_at: datetime
    revision: int = 0
    latest: int = 0
    hidden: bool = False
    deleted: bool = False
    ruled: int = 0
    comments: int = 0
    hidden_comments: int = 0
    deleted_comments: int = 0
    needs: int = 0
    needs_answered: int = 0
    asking: tuple[str, ...] = ()
    advice: int = 0
    likes: int = 0
    saves: int = 0
    hot_at: datetime | None = None
    groups: tuple[str, ...] = ()


class Comment(Document, frozen=True, kw_only=True):
    """A comment; it keeps the note's author, so that taking its advice needs no second read.

    ``revision``, ``latest``, ``ruled`` and ``deleted`` are as on a note.
    """

    COLLECTION: ClassVar[str] = "comments"
    REBUILT: ClassVar[bool] = False
    TEXTS: ClassVar[Texts] = {"author_id": ("text",)}

    note_id: str
    note_author_id: str
    parent_id: str | None
    depth: int
    author_id: str
    text: str
    created_at: datetime
    revision: int = 0
    latest: int = 0
    hidden: bool = False
    deleted: bool = False
    ruled: int = 0
    advice: bool = False


class Revision(Document, frozen=True, kw_only=True):
    """One text that the author of a note or comment has written; 0 is what was posted, kept from the first edit on.

    ``ruled`` is the sequence of the last verdict on it while it waited; ``reasons`` say why it was refused.
    """

    COLLECTION: ClassVar[str] = "revisions"
    REBUILT: ClassVar[bool] = False
    TEXTS: ClassVar[Texts] = {"author_id": ("title", "text")}

    content_id: str
    author_id: str
    number: int
    text: str
    title: str | None = None
    topic: str | None = None
    place: str | None = None
    intent: Literal["asks", "offers"] | None = None
    written_at: datetime
    state: RevisionState = "pending"
    reasons: tuple[str, ...] = ()
    ruled: int = 0


class Reaction(Document, frozen=True, kw_only=True):
    """Whether a person likes or saves a note: one document for the three, which stays when they do so no longer."""

    COLLECTION: ClassVar[str] = "reactions"
    REBUILT: ClassVar[bool] = False

    note_id: str
    person_id: str
    kind: ReactionKind
    on: bool
    at: datetime


class Need(Document, frozen=True, kw_only=True):
    """A question that waits for an answer; its id is made from the comment's."""

    COLLECTION: ClassVar[str] = "needs"
    REBUILT: ClassVar[bool] = False

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
    REBUILT: ClassVar[bool] = False

    note_id: str
    group_id: str
    by_id: str
    at: datetime


class Record(Document, frozen=True, kw_only=True):
    """What a person has written, asked and answered; its id is the person's. Counts as ``RecordCounted`` names them."""

    COLLECTION: ClassVar[str] = "records"
    REBUILT: ClassVar[bool] = True

    notes: int = 0
    comments: int = 0
    advice: int = 0
    asked: int = 0
    answered: int = 0
    questions: int = 0
    in_time: int = 0


class GroupCard(Document, frozen=True, kw_only=True):
    """What notes knows of a group, followed from its events; ``sequence`` orders its changes."""

    COLLECTION: ClassVar[str] = "groups"
    REBUILT: ClassVar[bool] = True

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


def revision_id(content_id: str, number: int) -> str:
    """The id of one text of a note or comment."""
    return f"{content_id}:{number}"


def reaction_id(note_id: str, person_id: str, kind: ReactionKind) -> str:
    """The id of what a person thinks of a note."""
    return f"{note_id}:{person_id}:{kind}"
