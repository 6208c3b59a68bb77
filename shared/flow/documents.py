"""State documents: frozen structs that know their collection, and the collections that flow itself keeps."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

import msgspec

LANES = "lanes"
INBOX = "inbox"
ERASED = "erased"
"""Persons whose texts are gone and stay gone: ``_id`` is the person's."""
RESTORED = "restored"
"""Its one document, ``floor``, is there once the database was restored from a backup: no sequence is below it."""
DEAD = "dead"
"""Which inputs have died and wait for a replay, by ``letter_id``: a rebuild leaves them out."""


Texts = Mapping[str, tuple[str, ...]]


class Document(msgspec.Struct, frozen=True, kw_only=True, rename={"id": "_id"}):
    """One MongoDB document. ``v`` counts the inputs folded into it, from the floor where the database was restored,
    and guards every write of it.

    Times in it are UTC and hold whole milliseconds.
    """

    COLLECTION: ClassVar[str]
    REBUILT: ClassVar[bool | tuple[str, ...]] = False
    """What a rebuild takes away because the topics tell it again: nothing, since commands wrote it (False); the
    whole document (True); or these fields, which go back to their defaults."""
    TEXTS: ClassVar[Texts] = {}
    """Whose words stand in it: the field of the person's id -> the fields that an erasure empties. ``talk.author_id``
    stands for that field of each entry of the list ``talk``."""
    FOLLOWED: ClassVar[bool] = False
    """Whether a view reads what changed: the lane and batch that wrote it last are then stored beside the fields."""

    id: str
    v: int = 0

    def closed(self) -> "Document":
        """The document as it is stored, once all inputs of a batch are folded: a kind may put off until then what is
        cheaper done once. It must not fail, and come to the same as if nothing had been put off."""
        return self


D = TypeVar("D", bound=Document)
Ref = tuple[type[Document], str]
"""A document by its key, as a handler declares it."""


class Timer(Document, frozen=True, kw_only=True):
    """A reminder that a handler asked for; the lane named here folds it once, after ``due``.

    A ``part`` of a large input is folded as soon as the lane comes to it.
    """

    COLLECTION: ClassVar[str] = "timers"

    lane: str
    due: datetime
    type: str
    payload: dict[str, Any]
    correlation: str
    traceparent: str = ""
    part: bool = False


class StoredReply(Document, frozen=True, kw_only=True):
    """The answer to an applied command, under its idempotency key; ``at`` starts its 24 hours."""

    COLLECTION: ClassVar[str] = "replies"

    person: str
    digest: bytes
    status: int
    body: bytes
    at: datetime


INBOX_KEPT = timedelta(days=7)
"""Horizon within which a double on the wire is recognised."""
DEAD_KEPT = timedelta(days=45)
"""Longer than any topic keeps the input."""
REPLIES_KEPT = timedelta(hours=24)


FOLLOW_KEYS = (("_lane", 1), ("_batch", 1))
"""The index by which a view finds what a lane has written since."""


def as_rebuilt(before: D, document: D) -> D:
    """What a rebuild takes over of a changed document: the fields that are rebuilt, and nothing of what is kept."""
    fields = document.REBUILT if isinstance(document.REBUILT, tuple) else ()
    return msgspec.structs.replace(before, **{name: getattr(document, name) for name in fields})


def to_mongo(document: Document) -> dict[str, Any]:
    """The document as MongoDB stores it."""
    made: dict[str, Any] = msgspec.to_builtins(document, builtin_types=(datetime, bytes))
    return made


def from_mongo(kind: type[D], stored: Mapping[str, Any]) -> D:
    """The document from what MongoDB returned; unknown fields are ignored.

    Raises:
        msgspec.ValidationError: the stored document is not of this kind.
    """
    return msgspec.convert(stored, kind)
