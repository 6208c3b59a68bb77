"""What callers ask of notes, and what its timers ask."""

from shared.contracts.notes import Intent, Reaction
from shared.flow.router import Command, Reminder


class PostNote(Command, frozen=True, kw_only=True):
    """Write a note; its id is made at the edge, the same again for a repeated request."""

    note_id: str
    title: str
    text: str
    topic: str | None
    place: str | None
    intent: Intent | None
    cell: str | None = None


class PostComment(Command, frozen=True, kw_only=True):
    """Write a comment under a note, or under a comment of it."""

    comment_id: str
    note_id: str
    text: str
    parent_id: str | None


class EditNote(Command, frozen=True, kw_only=True):
    """Write one's note anew: set ``fields`` of a revision, over the revision ``match``, which the caller has read."""

    note_id: str
    match: int
    fields: dict[str, str | None]


class EditComment(Command, frozen=True, kw_only=True):
    """Write one's comment anew; as ``EditNote``."""

    comment_id: str
    match: int
    fields: dict[str, str | None]


class DeleteNote(Command, frozen=True, kw_only=True):
    """Take one's note away; ``any_note`` for staff."""

    note_id: str
    any_note: bool


class DeleteComment(Command, frozen=True, kw_only=True):
    """Take one's comment away; ``any_comment`` for staff."""

    comment_id: str
    any_comment: bool


class React(Command, frozen=True, kw_only=True):
    """Like or save a note, or do so no longer."""

    note_id: str
    kind: Reaction
    on: bool


class AcceptAnswer(Command, frozen=True, kw_only=True):
    """Close one's own need with somebody's comment."""

    need_id: str
    comment_id: str


class TakeAdvice(Command, frozen=True, kw_only=True):
    """Mark a comment under one's own note as advice taken."""

    comment_id: str


class RelayNote(Command, frozen=True, kw_only=True):
    """Hand a note over to a group; ``any_note`` for staff."""

    note_id: str
    group_id: str
    any_note: bool


class NeedDue(Reminder, frozen=True, kw_only=True):
    """A need may have to be escalated to ``step``."""

    need_id: str
    note_id: str
    step: int


class HoldLapses(Reminder, frozen=True, kw_only=True):
    """The gate has held a note, or a comment of it, and nobody may have judged it."""

    note_id: str
    comment_id: str | None


class NeedsOrphaned(Reminder, frozen=True, kw_only=True):
    """The note of these comments was deleted: what they ask needs no answer. A timer that is due at once."""

    note_id: str
    comment_ids: tuple[str, ...]
