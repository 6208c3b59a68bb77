"""One list out of several sources: what fits a person ("algorithm") and what matches their words ("search").

    score(g) = sum_s w_s / (8 + rank_s(g))      over the sources s that have found g, the first of each at rank 1

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009) with a weight for each source: scores of different
sources cannot be compared, ranks can. Their constant is 60, for lists of a thousand; ours are of forty at most.
"""

from collections.abc import Mapping, Sequence
from typing import Literal
from zlib import crc32

import msgspec

from services.recommend.core.circles import MAX_REASONS, Because, Circles, Fit
from services.recommend.core.people import Person, groups_of
from services.recommend.core.placement import Placement, Profiles, Reason
from services.recommend.core.shown import CANDIDATES
from services.recommend.core.terms import features

Source = Literal["search", "algorithm"]
_FIRST = 8


class Candidate(msgspec.Struct, frozen=True):
    """A group, which sources have found it, and one to three of their reasons; `score` is of one list only."""

    group_id: str
    score: float
    sources: tuple[Source, ...]
    reasons: tuple[Because | Reason, ...]


def search(
    person: Person, words: str, k: int, circles: Circles, profiles: Profiles, *, weights: Mapping[Source, float]
) -> list[Candidate]:
    """Groups with a seat left that talk about the words, best first, at most k; never one that the person is in.

    What fits the person better comes earlier, and never comes without the words. Who asks by name is answered: what
    was shown before, left or refused is found, too. Nothing for words that nobody uses.
    """
    inside = set(groups_of(person))
    told = profiles.place(features(words, ""), CANDIDATES + len(inside), floor=0.0)
    matching = [placed for placed in told if placed.group_id not in inside][:CANDIDATES]
    names = {placed.group_id for placed in matching}
    fitting = circles.suggest(person, len(names), able=names.__contains__)
    return blended({"search": matching, "algorithm": fitting}, weights)[:k]


def blended(found: Mapping[Source, Sequence[Fit | Placement]], weights: Mapping[Source, float]) -> list[Candidate]:
    """All that was found, best first; a source without weight adds nothing, and a group only it has found is left out.

    Reasons in the order of the sources.
    """
    score: dict[str, float] = {}
    by: dict[str, list[Source]] = {}
    why: dict[str, list[Because | Reason]] = {}
    for source, groups in found.items():
        for rank, one in enumerate(groups if weights[source] > 0 else (), 1):
            score[one.group_id] = score.get(one.group_id, 0.0) + weights[source] / (_FIRST + rank)
            by.setdefault(one.group_id, []).append(source)
            why.setdefault(one.group_id, []).extend(one.reasons)
    best = sorted(score, key=lambda group: (-score[group], crc32(group.encode("utf-8", "surrogatepass"))))
    return [Candidate(g, score[g], tuple(by[g]), tuple(why[g][:MAX_REASONS])) for g in best]


def alone(fit: Fit) -> Candidate:
    """A group that nothing but the algorithm was asked for."""
    return Candidate(fit.group_id, fit.score, ("algorithm",), fit.reasons)
