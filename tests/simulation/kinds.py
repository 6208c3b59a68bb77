"""The documents, commands and reminders of the three small services."""

from datetime import datetime
from typing import ClassVar

from shared.flow.documents import Document, Texts
from shared.flow.router import Command, Reminder
from shared.flow.view import CollectionView


class Note(Document, frozen=True, kw_only=True):
    """Changed by commands of all api lanes: the exception to the single writer."""

    COLLECTION = "notes"
    REBUILT = False
    edits: int = 0


class Row(Document, frozen=True, kw_only=True):
    """Who has a seat. Whoever shuts the door counts them, and must guard the row."""

    COLLECTION = "rows"
    REBUILT = False
    takers: tuple[str, ...] = ()


class Door(Document, frozen=True, kw_only=True):
    """Whether seats may still be taken; shut, how many were. Whoever takes one must guard the door."""

    COLLECTION = "doors"
    REBUILT = False
    open: bool = True
    seats: int = 0


class Comment(Document, frozen=True, kw_only=True):
    COLLECTION = "comments"
    REBUILT = False
    TEXTS: ClassVar[Texts] = {"person": ("text",)}
    note_id: str
    person: str
    text: str


class Tally(Document, frozen=True, kw_only=True):
    COLLECTION = "tallies"
    REBUILT = True
    comments: int = 0


class Remembered(Document, frozen=True, kw_only=True):
    COLLECTION = "remembered"
    REBUILT = True
    times: int = 0


class Need(Document, frozen=True, kw_only=True):
    COLLECTION = "needs"
    REBUILT = False
    note_id: str
    due: datetime
    state: str = "open"
    rung: int = 0


class Echo(Document, frozen=True, kw_only=True):
    """One of the many effects of a large post."""

    COLLECTION = "echoes"
    REBUILT = False
    times: int = 0


class Seen(Document, frozen=True, kw_only=True):
    COLLECTION = "seen"
    REBUILT = True
    sequence: int = 0
    hidden: bool = False


class Copy(Document, frozen=True, kw_only=True):
    """What is judged."""

    COLLECTION = "copies"
    REBUILT = True
    TEXTS: ClassVar[Texts] = {"author_id": ("text",)}
    author_id: str
    text: str


class Verdict(Document, frozen=True, kw_only=True):
    """A decision: a rebuild reads it back."""

    COLLECTION = "verdicts"
    REBUILT = True
    note_id: str
    author_id: str
    hidden: bool
    rules: str


class Followed(Document, frozen=True, kw_only=True):
    COLLECTION = "followed"
    REBUILT = True
    FOLLOWED = True
    sequence: int = 0
    edits: int = 0


class Pair(Document, frozen=True, kw_only=True):
    COLLECTION = "pairs"
    REBUILT = True
    TEXTS: ClassVar[Texts] = {"author_id": ("text",)}
    author_id: str = ""
    text: str = ""
    posted: bool = False
    judged: bool = False


class Circle(Document, frozen=True, kw_only=True):
    COLLECTION = "circles"
    REBUILT = True
    pairs: int = 0


KINDS: dict[str, tuple[type[Document], ...]] = {
    "notes": (Note, Row, Door, Comment, Tally, Remembered, Need, Echo, Seen),
    "moderation": (Copy, Verdict, Followed),
    "recommend": (Pair, Circle),
}


class FollowedView(CollectionView[Followed]):
    """All notes that are followed, in memory; a verdict names its version."""


class Post(Command, frozen=True, kw_only=True):
    comment_id: str
    note_id: str
    text: str


class Edit(Command, frozen=True, kw_only=True):
    note_id: str


class Take(Command, frozen=True, kw_only=True):
    note_id: str


class Shut(Command, frozen=True, kw_only=True):
    note_id: str


class Answer(Command, frozen=True, kw_only=True):
    need_id: str


class CheckNeed(Reminder, frozen=True, kw_only=True):
    need_id: str


class EchoAll(Reminder, frozen=True, kw_only=True):
    ids: tuple[str, ...]
