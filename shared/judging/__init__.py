"""Rules and text model together, as moderation and the gates judge; pure."""

from shared.judging.grams import Reading
from shared.judging.model import BadModel, TextModel, blank, chances
from shared.judging.verdict import MODEL, Ahead, Case, Judges, Verdict, ahead, read, verdicts

__all__ = [
    "MODEL",
    "Ahead",
    "BadModel",
    "Case",
    "Judges",
    "Reading",
    "TextModel",
    "Verdict",
    "ahead",
    "blank",
    "chances",
    "read",
    "verdicts",
]
