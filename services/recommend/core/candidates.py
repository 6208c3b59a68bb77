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
from msgspec.structs import replace

from services.recommend.core.circles import MAX_REASONS, Because, Circles, Fit
from services.recommend.core.people import Person, groups_of, settled
from services.recommend.core.placement import Profiles, Reason
from services.recommend.core.places import Places
from services.recommend.core.pulses import Pulses
from services.recommend.core.shown import CANDIDATES, SILENT, paused_until, picked, resting, unfaded
from services.recommend.core.terms import TITLE_CHARS, features

Source = Literal["search", "intent", "place", "algorithm"]
Weighed = Mapping[Source, float]
_FIRST = 8


class Near(msgspec.Struct, frozen=True):
    """A group within the fence around where somebody is; how far it is stays here, and is not exact anyway."""

    kind: Literal["near"] = "near"
    weight: float = 0.0


_NEAR = (Near(),)


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


def search(person: Person, asked: Asked, now: datetime, groups: Picture, k: int | None = None) -> list[Candidate]:
    """Groups with a seat left and alive that are as asked, best first, k at most; never one that the person is in.

    What fits the person better comes earlier, and never comes if it is not as asked. Who asks is answered: what was
    shown before, left or refused is found, too. Nothing for words that nobody uses. Raises ValueError for a cell that
    is none.
    """
    inside, grades = set(groups_of(person)), groups.pulses.grades(now)
    found: dict[Source, list[Found]] = {}
    if asked.words.strip():
        told = groups.profiles.place(features(asked.words, ""), CANDIDATES + len(inside), floor=0.0)
        fresh = (one for one in told if one.group_id not in inside and grades[one.group_id] > 0)
        found["search"] = [Found(one.group_id, one.reasons) for one in fresh]
    if asked.cell:
        able = groups.profiles.able
        near = (g for g in groups.places.near(asked.cell) if able(g) and grades[g] > 0 and g not in inside)
        found["place"] = [Found(group, _NEAR) for group in near]
    names = set.intersection(*({one.group_id for one in some} for some in found.values()))
    fits = groups.circles.suggest(person, CANDIDATES, able=names)
    found["algorithm"] = [Found(fit.group_id, fit.reasons) for fit in fits]
    kept = {source: [one for one in some if one.group_id in names] for source, some in found.items()}
    return blended(kept, groups.weights, grades, k)


def introduced(person: Person, asked: Asked, now: datetime, k: int, groups: Picture) -> list[Candidate]:
    """What somebody is shown who has said something of themselves, and perhaps where they are: for a first list.

    What they say is read like a note. Groups that talk about it, groups nearby and what else is suggested to them are
    blended; what holds for every list that comes unasked holds here. Raises ValueError for a cell that is none.
    """
    if paused_until(person, now):
        return []
    out, grades = resting(person, now) | settled(person), groups.pulses.grades(now)

    def able(group: str) -> bool:
        return group not in out and groups.profiles.able(group) and grades[group] > 0

    terms = features(asked.about[:TITLE_CHARS], asked.about[TITLE_CHARS:])
    told = groups.profiles.place(terms, CANDIDATES + len(out), floor=0.0)
    near = groups.places.near(asked.cell) if asked.cell else []
    fits = groups.circles.suggest(unfaded(person, now), CANDIDATES, able=able)
    found: dict[Source, list[Found]] = {
        "intent": [Found(one.group_id, one.reasons) for one in told if able(one.group_id)],
        "place": [Found(group, _NEAR) for group in islice(filter(able, near), CANDIDATES)],
        "algorithm": [Found(fit.group_id, fit.reasons) for fit in fits],
    }
    few = {source: some[:CANDIDATES] for source, some in found.items()}
    best = blended(few, groups.weights, grades)
    return picked(best, person, now, k, circles=groups.circles, profiles=groups.profiles)


def blended(
    found: Mapping[Source, Sequence[Found]],
    weights: Weighed,
    grades: Mapping[str, float] | None = None,
    k: int | None = None,
) -> list[Candidate]:
    """What was found, best first, k at most; a source without weight adds nothing, and a group only it has found is
    left out. With `grades` score and reasons are multiplied by the group's.

    Of what one source alone has found its first forty come. Reasons in the order of the sources, the first of each
    before the second of any.
    """
    score: dict[str, float] = {}
    by: dict[str, list[tuple[Source, float, Found]]] = {}
    often = Counter(one.group_id for groups in found.values() for one in groups)
    for source, groups in found.items():
        weight = weights[source]
        for rank, one in enumerate(groups if weight > 0 else (), 1):
            group = one.group_id
            if rank > CANDIDATES and often[group] == 1:
                continue
            value = weight / (_FIRST + rank)
            score[group] = score.get(group, 0.0) + value
            by.setdefault(group, []).append((source, value, one))
    best = sorted(score, key=lambda group: (-score[group], crc32(group.encode("utf-8", "surrogatepass"))))
    if grades is not None:
        score = {group: score[group] * grades[group] for group in best}
        best.sort(key=lambda group: -score[group])
    return [_candidate(g, score[g], by[g], grades[g] if grades is not None else 1.0) for g in best[:k]]


def _candidate(group: str, score: float, by: list[tuple[Source, float, Found]], grade: float) -> Candidate:
    why: list[Sequence[Because | Reason | Near]]
    why = [[_weighed(reason, value, grade) for reason in one.reasons] for _, value, one in by]
    return Candidate(group, score, tuple(source for source, _, _ in by), _mixed(why))


def alone(fit: Fit) -> Candidate:
    """A group that nothing but the algorithm was asked for."""
    return Candidate(fit.group_id, fit.score, ("algorithm",), fit.reasons)


def _weighed(reason: Because | Reason | Near, value: float, grade: float) -> Because | Reason | Near:
    # Without its nearness the group loses what the place adds; the others say themselves what they weigh.
    if isinstance(reason, Near):
        return Near(weight=value * grade)
    return reason if grade == 1 else replace(reason, weight=reason.weight * grade)


def _mixed(reasons: list[Sequence[Because | Reason | Near]]) -> tuple[Because | Reason | Near, ...]:
    turns = (one for turn in zip_longest(*reasons) for one in turn if one is not None)
    return tuple(islice(turns, MAX_REASONS))
