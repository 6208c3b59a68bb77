"""Likes and saves: kept by the api lane, counted in the lane of the note."""

from msgspec.structs import replace

from services.notes import core
from services.notes.core import Note, Reaction
from services.notes.handlers.commands import React
from services.notes.settings import Heat
from shared.contracts.notes import NoteReacted
from shared.flow.router import Reply
from shared.flow.work import Work


def react(command: React, work: Work) -> Reply:
    """Keep what a person thinks of a note; the same again is no news."""
    note, person, kind = work.get(Note, command.note_id), command.person_id, command.kind
    known = work.get(Reaction, core.reaction_id(command.note_id, person, kind))
    news = core.reacted(note, known, (person, kind, command.on), work.now)
    if news is not None:
        assert note is not None
        reaction, change = news
        work.emit(
            NoteReacted(note_id=note.id, author_id=note.author_id, person_id=person, kind=kind, change=change),
            work.put(reaction),
        )
    return Reply(status=204, body={})


def note_reacted(event: NoteReacted, work: Work, heat: Heat) -> str | None:
    """Count a like or a save on its note."""
    note = work.get(Note, event.note_id)
    if note is None:
        return "unknown"
    if event.kind == "like":
        note = replace(note, likes=note.likes + event.change)
    else:
        note = replace(note, saves=note.saves + event.change)
    work.put(core.warmed(note, heat))
    return None
