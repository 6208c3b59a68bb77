"""What a person is shown of the groups that fit: few, of several kinds and owners, none again soon, and then a pause.

How varied a list is: D = n^2 / sum_ij Z_ij with Z_ij the likeness of two of its n groups and Z_ii = 1. That is the
diversity of order 2 of Leinster and Cobbold (Ecology 2012), whose logarithm is an entropy: n where no two groups are
alike, 1 where all are. What is near in a list stands for its topics: groups are alike as far as they share people.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from services.recommend.core.circles import Circles, Fit, Rating
from services.recommend.core.people import LOOK, Person
from services.recommend.core.placement import Profiles
from services.recommend.core.pulses import Pulses

SILENT = Pulses()
"""Nothing was heard of any group."""
REST = timedelta(days=7)
"""For so long a group that was shown is not shown again."""
CANDIDATES = 40
"""Fitting groups that a list is chosen from."""
LEAST_VARIED = 0.7
"""D of a list as a share of its groups, at the least. On development splits it cost nothing; from 0.8 on it does."""
OF_ONE_OWNER = 2
IN_A_ROW = 10
"""Of so many groups shown one after another, at most two have the same owner."""
REFUSALS = 3
PAUSE = timedelta(days=1)
"""Who refuses or reports three groups within this time is shown nothing until it is over: low pressure."""


class Rated(Protocol):
    """A group with a score that is comparable inside one list."""

    @property
    def group_id(self) -> str: ...
    @property
    def score(self) -> float: ...


F = TypeVar("F", bound=Rated)


def list_for(
    person: Person, now: datetime, k: int, circles: Circles, profiles: Profiles, *, pulses: Pulses = SILENT
) -> list[Fit]:
    """What a person is shown now, best first: at most k groups, each alive and with a seat left; none while they pause.

    Within an hour of a look the list is that look's, but for what they have answered since.
    """
    if paused_until(person, now):
        return []
    out, grades = resting(person, now), pulses.grades(now)

    def able(group: str) -> bool:
        return group not in out and profiles.able(group) and grades[group] > 0

    look = circles.look(unfaded(person, now))
    best = [Rating(one.group_id, one.score * grades[one.group_id]) for one in circles.best(look, CANDIDATES, able=able)]
    best.sort(key=lambda one: -one.score)
    chosen = picked(best, person, now, k, circles=circles, profiles=profiles)
    # Why is asked of those alone that are shown.
    return graded(circles.fits(look, [one.group_id for one in chosen]), pulses, now)


def graded(fits: Iterable[F], pulses: Pulses, now: datetime) -> list[F]:
    """The groups that are alive, scores and what their reasons weigh multiplied by their grade, best first."""
    grades = pulses.grades(now)
    alive = ((fit, grade) for fit in fits if (grade := grades[fit.group_id]) > 0)
    return sorted((fit if grade == 1 else _times(fit, grade) for fit, grade in alive), key=lambda fit: -fit.score)


def _times(fit: Any, grade: float) -> Any:
    reasons = tuple(replace(reason, weight=reason.weight * grade) for reason in fit.reasons)
    return replace(fit, score=fit.score * grade, reasons=reasons)


def picked(fits: list[F], person: Person, now: datetime, k: int, *, circles: Circles, profiles: Profiles) -> list[F]:
    """What is shown of groups that fit, best first; those of the look that is still on are not pushed out by better."""
    seen = {tie.group_id: tie.seen_at for tie in person.ties if tie.seen_at}
    again = {fit.group_id for fit in fits if fit.group_id in seen and now - seen[fit.group_id] < LOOK}
    fits = sorted(fits, key=lambda fit: fit.group_id not in again)
    before = last_shown({group: at for group, at in seen.items() if group not in again})
    return shown(fits, k, before, profiles.owner, circles.alike)


def unfaded(person: Person, now: datetime) -> Person:
    """The person without the look that is still on: until it is over nothing counts for less, and the order stays."""
    on = {tie.group_id for tie in person.ties if tie.seen_at and now - tie.seen_at < LOOK}
    if not on:
        return person
    return replace(person, ties=tuple(replace(t, seen=t.seen - (t.group_id in on)) for t in person.ties))


def resting(person: Person, now: datetime) -> frozenset[str]:
    """The groups that were shown within a week; those of the look that is still on are not among them."""
    return frozenset(tie.group_id for tie in person.ties if tie.seen_at and LOOK <= now - tie.seen_at < REST)


def last_shown(seen: Mapping[str, datetime]) -> list[str]:
    """The groups of the last looks, of as many looks as nine groups need."""
    times = sorted(seen.values(), reverse=True)[: IN_A_ROW - 1]
    return [group for group, at in seen.items() if at >= times[-1]]


def paused_until(person: Person, now: datetime) -> datetime | None:
    """When something is shown again to somebody who has just refused three groups; None if they have not."""
    said = [t.answered_at for t in person.ties if t.answer in ("refused", "reported") and t.answered_at]
    recent = sorted(at for at in said if at > now - PAUSE)
    return recent[-REFUSALS] + PAUSE if len(recent) >= REFUSALS else None


def varied(groups: list[str], alike: Callable[[str, str], float]) -> float:
    """D of a list that is not empty."""
    total = sum(1.0 + _beside(group, groups[:n], alike) for n, group in enumerate(groups))
    return len(groups) ** 2 / total


def _beside(group: str, others: Iterable[str], alike: Callable[[str, str], float]) -> float:
    """What a group adds to the sum of D beside its own 1."""
    return sum(alike(group, other) + alike(other, group) for other in others)


def shown(
    fits: Iterable[F], k: int, before: Iterable[str], owner: Callable[[str], str], alike: Callable[[str, str], float]
) -> list[F]:
    """The first k of the fits, best first, without what is one too many of an owner, or makes the list too much alike.

    What is too much alike comes where nothing else is left, in a town of a few groups. `before` are the groups shown
    last; an owner who is not known, "", is nobody's.
    """
    taken: list[F] = []
    spare: list[F] = []
    names: list[str] = []
    total = 0.0
    owned = Counter(map(owner, before))
    for fit in fits:
        whose = owner(fit.group_id)
        if whose and owned[whose] >= OF_ONE_OWNER:
            continue
        more = 1.0 + _beside(fit.group_id, names, alike)
        many = len(names) + 1
        good = many**2 / (total + more) >= LEAST_VARIED * many
        (taken if good else spare).append(fit)
        if good:
            names.append(fit.group_id)
            total += more
        owned[whose] += good
        if len(taken) == k:
            break
    for fit in spare:
        whose = owner(fit.group_id)
        if len(taken) < k and not (whose and owned[whose] >= OF_ONE_OWNER):
            owned[whose] += 1
            taken.append(fit)
    return sorted(taken, key=lambda fit: -fit.score)
