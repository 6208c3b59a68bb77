"""Rules and text model together, as moderation and the gates judge; pure."""

from shared.judging.grams import Reading
from shared.judging.model import BadModel, TextModel, blank, chances
from shared.judging.verdict import MODEL, Case, Judges, Verdict, read, verdicts

__all__ = [
    "MODEL",
    "BadModel",
    "Case",
    "Judges",
    "Reading",
    "TextModel",
    "Verdict",
    "blank",
    "chances",
    "read",
    "verdicts",
]
