"""Events of the notes service."""

from typing import Literal

from pydantic import AwareDatetime, Field

from .event import Cell, Event, Gate, Id, Short, Text
from .topics import NOTE, NOTES_PERSON

Intent = Literal["asks", "offers"]
"""What a note is for: its author asks for something, or offers it."""


Reaction = Literal["like", "save"]
"""What a person may do with a note beside writing."""


Counted = Literal["notes", "comments", "advice", "asked", "answered", "questions", "in_time"]
"""What is counted of a person: notes and comments that others see, advice that was taken, questions asked, answers that
were accepted; questions of others under the person's notes, and of these the ones answered in time."""


class NotePosted(Event, topic=NOTE, name="note_posted", order="fact"):
    """A note was written. ``place`` is a coarse cell, never a coordinate; ``cell`` is where it is, moved.

    One that the gate holds is hidden, as a ``NoteVisibilityChanged`` of the same moment says, until its verdict.
    """

    note_id: Id
    author_id: Id
    title: Short
    text: Text
    topic: Short | None = None
    place: Short | None = None
    intent: Intent | None = None
    cell: Cell | None = None
    gate: Gate = "open"
    gate_version: Short = ""


class NoteEdited(Event, topic=NOTE, name="note_edited", order="fact"):
    """The author wrote a note anew; others do not see this text until a verdict on it says so.

    Once for each revision (what was posted is 0): of two the higher ``revision`` is the later, and replaces one that
    still waits for its verdict.
    """

    note_id: Id
    author_id: Id
    revision: int = Field(ge=1)
    title: Short
    text: Text
    topic: Short | None = None
    place: Short | None = None
    intent: Intent | None = None


class NoteRevised(Event, topic=NOTE, name="note_revised", order="fact"):
    """An edit passed its verdict: this is the text that others see. Once for each revision; the highest one holds."""

    note_id: Id
    author_id: Id
    revision: int = Field(ge=1)
    title: Short
    text: Text
    topic: Short | None = None
    place: Short | None = None
    intent: Intent | None = None


class NoteDeleted(Event, topic=NOTE, name="note_deleted", order="state"):
    """A note was taken away by its author or by staff, for good; comments under it stay.

    ``revision`` is the last that was written: no text of any of them is kept, nor shown when it comes late.
    """

    note_id: Id
    author_id: Id
    by_id: Id
    revision: int = Field(ge=0, description="The last text that was written; none of them is kept.")


class NoteReacted(Event, topic=NOTE, name="note_reacted", order="count"):
    """A person likes or saves a note (``change`` is 1) or does so no longer (-1)."""

    note_id: Id
    author_id: Id
    person_id: Id = Field(description="Who likes or saves it.")
    kind: Reaction = Field(description="What they do with it.")
    change: Literal[-1, 1] = Field(description="1: they do so now; -1: no longer.")


class NoteVisibilityChanged(Event, topic=NOTE, name="note_visibility_changed", order="state"):
    """A verdict hid a note from others, or restored it; ``reasons`` are names of rules."""

    note_id: Id
    author_id: Id
    hidden: bool
    reasons: tuple[Short, ...] = ()


class CommentPosted(Event, topic=NOTE, name="comment_posted", order="fact"):
    """A comment was written under a note, or under another comment of it (``parent_id``).

    One that the gate holds is hidden, as a ``CommentVisibilityChanged`` of the same moment says, until its verdict.
    """

    comment_id: Id
    note_id: Id
    parent_id: Id | None = None
    author_id: Id
    note_author_id: Id
    text: Text
    gate: Gate = "open"
    gate_version: Short = ""


class CommentEdited(Event, topic=NOTE, name="comment_edited", order="fact"):
    """The author wrote a comment anew; others do not see this text until a verdict on it says so.

    Once for each revision (what was posted is 0): of two the higher ``revision`` is the later, and replaces one that
    still waits for its verdict.
    """

    comment_id: Id
    note_id: Id
    parent_id: Id | None = None
    author_id: Id
    note_author_id: Id
    revision: int = Field(ge=1)
    text: Text


class CommentRevised(Event, topic=NOTE, name="comment_revised", order="fact"):
    """An edit passed its verdict: this is the text that others see. Once for each revision; the highest one holds."""

    comment_id: Id
    note_id: Id
    parent_id: Id | None = None
    author_id: Id
    note_author_id: Id
    revision: int = Field(ge=1)
    text: Text


class CommentDeleted(Event, topic=NOTE, name="comment_deleted", order="state"):
    """A comment was taken away by its author or by staff, for good; replies to it stay.

    ``revision`` is the last that was written: no text of any of them is kept, nor shown when it comes late.
    """

    comment_id: Id
    note_id: Id
    author_id: Id
    by_id: Id
    revision: int = Field(ge=0, description="The last text that was written; none of them is kept.")


class CommentVisibilityChanged(Event, topic=NOTE, name="comment_visibility_changed", order="state"):
    """A verdict hid a comment from others, or restored it; ``reasons`` are names of rules."""

    comment_id: Id
    note_id: Id
    author_id: Id
    hidden: bool
    reasons: tuple[Short, ...] = ()


class NeedOpened(Event, topic=NOTE, name="need_opened", order="state"):
    """A question in a comment became an open need; it is escalated when nothing is accepted by ``due_at``."""

    need_id: Id
    note_id: Id
    comment_id: Id = Field(description="The comment that asks.")
    asker_id: Id
    due_at: AwareDatetime = Field(description="When it is escalated: RFC 3339 with an offset.")


class NeedAnswered(Event, topic=NOTE, name="need_answered", order="state"):
    """The asker accepted a comment as the answer: the need is closed and its writer has helped."""

    need_id: Id
    note_id: Id
    comment_id: Id = Field(description="The comment that asks.")
    asker_id: Id
    answer_id: Id
    helper_id: Id


class NeedEscalated(Event, topic=NOTE, name="need_escalated", order="state"):
    """Nobody's answer was accepted in time; ``step`` counts from 1.

    ``due_at`` is when the next step is due, or was this one if it is the ``last``.
    """

    need_id: Id
    note_id: Id
    comment_id: Id = Field(description="The comment that asks.")
    asker_id: Id
    step: int = Field(ge=1, le=100)
    due_at: AwareDatetime = Field(description="When the next step is due, or was the last: RFC 3339 with an offset.")
    last: bool = False


class NeedWithdrawn(Event, topic=NOTE, name="need_withdrawn", order="state"):
    """The question is gone, so nobody needs to answer it; it opens again if the question comes back.

    Its comment was hidden or deleted, or an edit of it asks no more; or the note was deleted.
    """

    need_id: Id
    note_id: Id
    comment_id: Id = Field(description="The comment that asks.")
    asker_id: Id


class AdviceTaken(Event, topic=NOTE, name="advice_taken", order="fact"):
    """The note's author took a comment's advice (听劝)."""

    comment_id: Id = Field(description="The comment with the advice.")
    note_id: Id
    author_id: Id = Field(description="Who wrote the note and took the advice.")
    adviser_id: Id


class NoteRelayed(Event, topic=NOTE, name="note_relayed", order="fact"):
    """A note was handed over to a group, where the talk goes on; once for each pair of note and group."""

    note_id: Id
    group_id: Id
    by_id: Id


class RecordCounted(Event, topic=NOTES_PERSON, name="record_counted", order="count"):
    """One thing more (``change`` is 1) or less (-1) in a person's record; ``source_id`` is a note, comment or need."""

    person_id: Id = Field(description="Whose record it is.")
    note_id: Id
    source_id: Id
    what: Counted
    change: Literal[-1, 1] = Field(description="1: one more; -1: one less.")
