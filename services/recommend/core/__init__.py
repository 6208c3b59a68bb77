"""The rules of `recommend`: which group a note or a person belongs in, and why. No I/O, clock, random, log, await."""

from services.recommend.core.circles import Because, Circle, Circles, Fit, Weights, others, turn
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
from services.recommend.core.profiles import GroupProfile, changed, counts, learn, opened
from services.recommend.core.terms import features

__all__ = [
    "Because",
    "Circle",
    "Circles",
    "Fit",
    "GroupProfile",
    "Method",
    "Person",
    "Placement",
    "Profiles",
    "Reason",
    "Tie",
    "Turn",
    "Weights",
    "answered",
    "changed",
    "counts",
    "features",
    "groups_of",
    "joined",
    "learn",
    "left",
    "opened",
    "others",
    "saw",
    "share",
    "turn",
    "turned",
]
