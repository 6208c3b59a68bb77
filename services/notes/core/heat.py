"""What makes a note hot: use rather than applause, and youth."""

import math
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.notes.core.documents import Note
from services.notes.settings import Heat


def score(note: Note, heat: Heat) -> float:
    """What a note was worth to people: saves, accepted answers, advice taken; likes are at most a share of the sum."""
    use = heat.save * note.saves + heat.answer * note.needs_answered + heat.advice * note.advice
    applause = min(heat.like * max(0, note.likes), use * heat.like_share / (1 - heat.like_share))
    return max(0.0, use + applause)


def hot_at(created_at: datetime, score: float, hours: float) -> datetime:
    """The moment by which hot notes are listed, the latest first: when it was written, moved on by what it is worth.

    Lemmy's strength, log10(max(2, score + 2)), under a decay that is exponential instead of a power of the age: a
    tenfold strength counts as much as ``hours``. Then the order of two notes does not change while nothing happens to
    them, and the moment is written only when the score changes.
    """
    strength = math.log10(max(2.0, score + 2)) / math.log10(2)
    return created_at + timedelta(milliseconds=round(3_600_000 * hours * math.log10(strength)))


def warmed(note: Note, heat: Heat) -> Note:
    """The note with its moment as its counts have it now."""
    return replace(note, hot_at=hot_at(note.created_at, score(note, heat), heat.hours))
