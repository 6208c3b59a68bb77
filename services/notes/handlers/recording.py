"""Records of authors: told by the lane of the note, counted in the lane of the person."""

from typing import Literal

from msgspec.structs import replace

from services.notes.core import Comment, Need, Note, Record
from shared.contracts.notes import Counted, RecordCounted
from shared.flow.work import Work


def credit(person_id: str, what: Counted, of: Note | Comment | Need, work: Work, change: Literal[-1, 1] = 1) -> None:
    """Have something counted in a person's record."""
    note_id = of.id if isinstance(of, Note) else of.note_id
    work.emit(RecordCounted(person_id=person_id, note_id=note_id, source_id=of.id, what=what, change=change))


def credit_text(content: Note | Comment, work: Work, change: Literal[-1, 1]) -> None:
    """Count a note or comment that others see from now on, or do not."""
    credit(content.author_id, "notes" if isinstance(content, Note) else "comments", content, work, change)


def credit_question(note: Note, need: Need, work: Work, change: Literal[-1, 1]) -> None:
    """Count a question for who asked, and for the note's author if that is somebody else."""
    credit(need.asker_id, "asked", need, work, change)
    if need.asker_id != note.author_id:
        credit(note.author_id, "questions", need, work, change)


# -- events in the lane of the person -----------------------------------------------------------------------


def record_counted(event: RecordCounted, work: Work) -> None:
    """Count in the person's record."""
    record = work.get(Record, event.person_id) or Record(id=event.person_id)
    work.put(replace(record, **{event.what: getattr(record, event.what) + event.change}))
