"""Rules and text model together, as moderation and the gates judge; pure."""

from shared.judging.evidence import MODEL
from shared.judging.grams import Reading
from shared.judging.model import BadModel, TextModel, blank, chances
from shared.judging.verdict import Ahead, Case, Judges, Verdict, ahead, read, readings, verdicts

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
    "readings",
    "verdicts",
]
