"""What a reader sees: notes and comments, what became of their edits, and their needs."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.notes.core import Comment, Need, NeedState, Note, Record, Revision, next_due, standing
from shared.contracts.notes import Intent


class RevisionView(BaseModel):
    """One text that the author wrote, and what became of it."""

    revision: int
    state: Literal["pending", "shown", "past", "refused", "superseded"] = Field(
        description="It waits for its verdict; others see it; they saw it once; it was refused; an edit came before "
        "its verdict."
    )
    reasons: tuple[str, ...] = Field(description="Rules that refused it.")
    title: str | None = Field(description="Of a note.")
    text: str
    topic: str | None
    place: str | None
    intent: Intent | None
    written_at: datetime

    @classmethod
    def of(cls, edit: Revision, content: Note | Comment) -> "RevisionView":
        """The view of one text of a note or comment."""
        return cls(
            revision=edit.number,
            state=standing(edit, content),
            reasons=edit.reasons,
            title=edit.title,
            text=edit.text,
            topic=edit.topic,
            place=edit.place,
            intent=edit.intent,
            written_at=edit.written_at,
        )


class NoteView(BaseModel):
    """A note as a reader sees it. Counts follow the events, so they may lag by moments."""

    note_id: str
    author_id: str
    revision: int = Field(description="Which of its author's texts this is: what was posted is 0.")
    title: str
    text: str
    topic: str | None
    place: str | None
    intent: Intent | None
    created_at: datetime
    hidden: bool
    comments: int = Field(description="Comments that are neither hidden nor deleted.")
    needs: int
    needs_answered: int
    advice: int
    likes: int
    saves: int
    liked: bool = Field(description="Whether the reader likes it.")
    saved: bool = Field(description="Whether the reader has saved it.")
    groups: tuple[str, ...] = Field(description="Groups that it was relayed to.")
    edit: RevisionView | None = Field(None, description="To its author alone: the last edit, while others see another.")

    @classmethod
    def of(cls, note: Note, mine: Collection[str] = (), edit: Revision | None = None) -> "NoteView":
        """The view of a note; ``mine`` is what the reader thinks of it."""
        return cls(
            note_id=note.id,
            author_id=note.author_id,
            revision=note.revision,
            title=note.title,
            text=note.text,
            topic=note.topic,
            place=note.place,
            intent=note.intent,
            created_at=note.created_at,
            hidden=note.hidden,
            # A verdict may be counted before its comment.
            comments=max(0, note.comments - note.hidden_comments - note.deleted_comments),
            needs=note.needs,
            needs_answered=note.needs_answered,
            advice=note.advice,
            likes=max(0, note.likes),
            saves=max(0, note.saves),
            liked="like" in mine,
            saved="save" in mine,
            groups=note.groups,
            edit=RevisionView.of(edit, note) if edit else None,
        )


class NeedView(BaseModel):
    need_id: str
    state: Literal["open", "answered", "withdrawn"]
    answer_id: str | None
    step: int = Field(description="How often it was escalated.")


class AskedView(BaseModel):
    """A need under a note: a question that waits, or has waited, for an answer."""

    need_id: str
    comment_id: str
    asker_id: str
    state: NeedState
    opened_at: datetime
    step: int = Field(description="How often it was escalated.")
    due_at: datetime | None = Field(description="When it is escalated next; null when it will not be.")
    answer_id: str | None
    helper_id: str | None

    @classmethod
    def of(cls, need: Need, steps: tuple[int, ...]) -> "AskedView":
        """The view of a need."""
        return cls(
            need_id=need.id,
            comment_id=need.comment_id,
            asker_id=need.asker_id,
            state=need.state,
            opened_at=need.opened_at,
            step=need.step,
            due_at=next_due(need, steps),
            answer_id=need.answer_id,
            helper_id=need.helper_id,
        )


class CommentView(BaseModel):
    """A comment as a reader sees it; ``need`` if it asked something. A deleted one holds the place of its replies."""

    comment_id: str
    note_id: str
    parent_id: str | None
    author_id: str | None = Field(description="Null of a deleted one.")
    revision: int = Field(description="Which of its author's texts this is: what was posted is 0.")
    text: str = Field(description="Empty of a deleted one.")
    created_at: datetime
    hidden: bool
    deleted: bool
    advice: bool
    need: NeedView | None
    edit: RevisionView | None = Field(None, description="To its author alone: the last edit, while others see another.")

    @classmethod
    def of(cls, comment: Comment, need: Need | None, edit: Revision | None = None) -> "CommentView":
        """The view of a comment."""
        asked = None
        if need is not None:
            asked = NeedView(need_id=need.id, state=need.state, answer_id=need.answer_id, step=need.step)
        return cls(
            comment_id=comment.id,
            note_id=comment.note_id,
            parent_id=comment.parent_id,
            author_id=None if comment.deleted else comment.author_id,
            revision=comment.revision,
            text=comment.text,
            created_at=comment.created_at,
            hidden=comment.hidden,
            deleted=comment.deleted,
            advice=comment.advice,
            need=asked,
            edit=RevisionView.of(edit, comment) if edit else None,
        )


class RecordView(BaseModel):
    """What a person has written, asked and answered. Counts follow the events, so they may lag by moments."""

    person_id: str
    notes: int = Field(description="Notes that others see.")
    comments: int = Field(description="Comments that others see.")
    advice: int = Field(description="Comments whose advice was taken (听劝).")
    needs_asked: int
    needs_answered: int = Field(description="Answers of this person's that were accepted.")
    questions: int = Field(description="Questions of others under this person's notes.")
    questions_in_time: float | None = Field(
        description="The share of these that were answered before their last escalation was due; null without any."
    )

    @classmethod
    def of(cls, record: Record) -> "RecordView":
        """The view of a record; what was taken back may be counted before what was given."""
        questions = max(0, record.questions)
        return cls(
            person_id=record.id,
            notes=max(0, record.notes),
            comments=max(0, record.comments),
            advice=record.advice,
            needs_asked=max(0, record.asked),
            needs_answered=record.answered,
            questions=questions,
            questions_in_time=min(1.0, record.in_time / questions) if questions else None,
        )


class History(BaseModel):
    """All texts that the author wrote, the first one first."""

    items: list[RevisionView]
