"""Likes and saves: one of each for a person and a note."""

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from services.notes.core.documents import Note, Reaction, ReactionKind, reaction_id
from services.notes.core.texts import seen
from shared.errors import Rejected

Wish = tuple[str, ReactionKind, bool]
"""Who, what, and whether or no longer."""


def reacted(
    note: Note | None, known: Reaction | None, wish: Wish, now: datetime
) -> tuple[Reaction, Literal[-1, 1]] | None:
    """What a person thinks of a note from now on, and by how much it counts; None if that is no news.

    Raises:
        Rejected: the note is not there (404) or deleted (410), or liked by its author (422).
    """
    person, kind, on = wish
    note = seen(note, "note")
    if kind == "like" and note.author_id == person:
        raise Rejected("own-like", 422, detail="One's own note is not liked.")
    if on == (known is not None and known.on):
        return None
    if known is None:
        id_ = reaction_id(note.id, person, kind)
        known = Reaction(id=id_, note_id=note.id, person_id=person, kind=kind, on=on, at=now)
    return replace(known, on=on, at=now), 1 if on else -1
