"""The rules of `recommend`: which group a note belongs in, and why. No I/O, clock, random, log, await."""

from services.recommend.core.placement import Method, Placement, Profiles, Reason
from services.recommend.core.profiles import GroupProfile, changed, counts, learn, opened
from services.recommend.core.terms import features

__all__ = [
    "GroupProfile",
    "Method",
    "Placement",
    "Profiles",
    "Reason",
    "changed",
    "counts",
    "features",
    "learn",
    "opened",
]
