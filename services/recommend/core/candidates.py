"""One list out of several sources: what fits a person ("algorithm"), what matches their words ("search"), what is near
where they are ("place"), what they said of themselves ("intent").

    score(g) = sum_s w_s / (8 + rank_s(g))      over the sources s that have found g, the first of each at rank 1

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009) with a weight for each source: scores of different
sources cannot be compared, ranks can. Their constant is 60, for lists of a thousand; ours are of forty at most.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice, zip_longest
from typing import Literal
from zlib import crc32

import msgspec

from services.recommend.core.circles import MAX_REASONS, Because, Circles, Fit
from services.recommend.core.people import Person, groups_of, settled
from services.recommend.core.placement import Profiles, Reason
from services.recommend.core.places import Places
from services.recommend.core.pulses import Pulses
from services.recommend.core.shown import CANDIDATES, SILENT, graded, paused_until, picked, resting, unfaded
from services.recommend.core.terms import TITLE_CHARS, features

Source = Literal["search", "intent", "place", "algorithm"]
Weighed = Mapping[Source, float]
_FIRST = 8


class Near(msgspec.Struct, frozen=True):
    """A group within the fence around where somebody is; how far it is stays here, and is not exact anyway."""

    kind: Literal["near"] = "near"
    weight: float = 0.0


class Found(msgspec.Struct, frozen=True):
    """A group that one source has found, and why."""

    group_id: str
    reasons: tuple[Because | Reason | Near, ...]


class Candidate(msgspec.Struct, frozen=True):
    """A group, which sources have found it, and one to three of their reasons; `score` is of one list only."""

    group_id: str
    score: float
    sources: tuple[Source, ...]
    reasons: tuple[Because | Reason | Near, ...]


class Asked(msgspec.Struct, frozen=True):
    """What somebody looks for: groups that talk about the words, near the cell; both, where both are given.

    `about` is what they say of themselves: no condition, and not looked at in a search by words.
    """

    words: str = ""
    cell: str = ""
    about: str = ""


class Picture(msgspec.Struct, frozen=True):
    """What this process knows of all groups, and what the sources weigh."""

    circles: Circles
    profiles: Profiles
    places: Places
    weights: Weighed
    pulses: Pulses = SILENT

    def takes(self, group_id: str, now: datetime) -> bool:
        """Whether somebody is sent there now: it is open, with a seat left, and alive."""
        return self.profiles.able(group_id) and self.pulses.alive(group_id, now)


def search(person: Person, asked: Asked, now: datetime, groups: Picture) -> list[Candidate]:
    """Groups with a seat left and alive that are as asked, best first; never one that the person is in.

    What fits the person better comes earlier, and never comes if it is not as asked. Who asks is answered: what was
    shown before, left or refused is found, too. Nothing for words that nobody uses. Raises ValueError for a cell that
    is none.
    """
    inside = set(groups_of(person))
    found: dict[Source, list[Found]] = {}
    if asked.words.strip():
        told = groups.profiles.place(features(asked.words, ""), CANDIDATES + len(inside), floor=0.0)
        fresh = (one for one in told if one.group_id not in inside and groups.takes(one.group_id, now))
        found["search"] = [Found(one.group_id, one.reasons) for one in fresh]
    if asked.cell:
        near = (g for g in groups.places.near(asked.cell) if g not in inside and groups.takes(g, now))
        found["place"] = [Found(group, (Near(),)) for group in near]
    names = set.intersection(*({one.group_id for one in some} for some in found.values()))
    fits = groups.circles.suggest(person, CANDIDATES, able=names)
    found["algorithm"] = [Found(fit.group_id, fit.reasons) for fit in fits]
    kept = {source: [one for one in some if one.group_id in names] for source, some in found.items()}
    return graded(blended(kept, groups.weights), groups.pulses, now)


def introduced(person: Person, asked: Asked, now: datetime, k: int, groups: Picture) -> list[Candidate]:
    """What somebody is shown who has said something of themselves, and perhaps where they are: for a first list.

    What they say is read like a note. Groups that talk about it, groups nearby and what else is suggested to them are
    blended; what holds for every list that comes unasked holds here. Raises ValueError for a cell that is none.
    """
    if paused_until(person, now):
        return []
    out = resting(person, now) | settled(person)

    def able(group: str) -> bool:
        return group not in out and groups.takes(group, now)

    terms = features(asked.about[:TITLE_CHARS], asked.about[TITLE_CHARS:])
    told = groups.profiles.place(terms, CANDIDATES + len(out), floor=0.0)
    near = groups.places.near(asked.cell) if asked.cell else []
    fits = groups.circles.suggest(unfaded(person, now), CANDIDATES, able=able)
    found: dict[Source, list[Found]] = {
        "intent": [Found(one.group_id, one.reasons) for one in told if able(one.group_id)],
        "place": [Found(group, (Near(),)) for group in near if able(group)],
        "algorithm": [Found(fit.group_id, fit.reasons) for fit in fits],
    }
    best = blended({source: some[:CANDIDATES] for source, some in found.items()}, groups.weights)
    best = graded(best, groups.pulses, now)
    return picked(best, person, now, k, circles=groups.circles, profiles=groups.profiles)


def blended(found: Mapping[Source, Sequence[Found]], weights: Weighed) -> list[Candidate]:
    """What was found, best first; a source without weight adds nothing, and a group only it has found is left out.

    Of what one source alone has found its first forty come. Reasons in the order of the sources, the first of each
    before the second of any.
    """
    score: dict[str, float] = {}
    by: dict[str, list[Source]] = {}
    why: dict[str, list[Sequence[Because | Reason | Near]]] = {}
    often = Counter(one.group_id for groups in found.values() for one in groups)
    for source, groups in found.items():
        for rank, one in enumerate(groups if weights[source] > 0 else (), 1):
            if rank > CANDIDATES and often[one.group_id] == 1:
                continue
            value = weights[source] / (_FIRST + rank)
            score[one.group_id] = score.get(one.group_id, 0.0) + value
            by.setdefault(one.group_id, []).append(source)
            why.setdefault(one.group_id, []).append([_weighed(reason, value) for reason in one.reasons])
    best = sorted(score, key=lambda group: (-score[group], crc32(group.encode("utf-8", "surrogatepass"))))
    return [Candidate(g, score[g], tuple(by[g]), _mixed(why[g])) for g in best]


def alone(fit: Fit) -> Candidate:
    """A group that nothing but the algorithm was asked for."""
    return Candidate(fit.group_id, fit.score, ("algorithm",), fit.reasons)


def _weighed(reason: Because | Reason | Near, value: float) -> Because | Reason | Near:
    # Without its nearness the group loses what the place adds; the others say themselves what they weigh.
    return Near(weight=value) if isinstance(reason, Near) else reason


def _mixed(reasons: list[Sequence[Because | Reason | Near]]) -> tuple[Because | Reason | Near, ...]:
    turns = (one for turn in zip_longest(*reasons) for one in turn if one is not None)
    return tuple(islice(turns, MAX_REASONS))
