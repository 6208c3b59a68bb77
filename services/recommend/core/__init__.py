"""The rules of `recommend`: which group a note or a person belongs in, and why. No I/O, clock, random, log, await."""

from services.recommend.core.circles import Because, Circle, Circles, Fit, Weights, others, turn
from services.recommend.core.notes import (
    NoteTerms,
    Remark,
    is_due,
    remarked,
    removed,
    said,
    unsaid,
    veiled,
    voices,
    written,
)
from services.recommend.core.people import (
    Person,
    Tie,
    Turn,
    answered,
    groups_of,
    joined,
    left,
    saw,
    share,
    turned,
)
from services.recommend.core.placement import Method, Placement, Profiles, Reason
from services.recommend.core.profiles import GroupProfile, changed, counts, learn, opened, unlearn
from services.recommend.core.shown import list_for, paused_until, shown, varied
from services.recommend.core.terms import features
from services.recommend.core.words import Words, in_words

__all__ = [
    "Because",
    "Circle",
    "Circles",
    "Fit",
    "GroupProfile",
    "Method",
    "NoteTerms",
    "Person",
    "Placement",
    "Profiles",
    "Reason",
    "Remark",
    "Tie",
    "Turn",
    "Weights",
    "Words",
    "answered",
    "changed",
    "counts",
    "features",
    "groups_of",
    "in_words",
    "is_due",
    "joined",
    "learn",
    "left",
    "list_for",
    "opened",
    "others",
    "paused_until",
    "remarked",
    "removed",
    "said",
    "saw",
    "share",
    "shown",
    "turn",
    "turned",
    "unlearn",
    "unsaid",
    "varied",
    "veiled",
    "voices",
    "written",
]
