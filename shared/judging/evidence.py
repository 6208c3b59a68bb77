"""Where a text speaks most for spam, as the model sees it, so that a verdict can show it."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.judging.grams import SHIFT, Floats, Line, Reading, line, runs
from shared.judging.model import TextModel
from shared.rules import Reason

MODEL = "model"
"""Stands among the reasons where the model has spoken."""
MOST_PLACES = 3
WIDE = 8
"""How many places the model shows, and how many characters of the normalised text one has."""

Doubles = NDArray[np.float64]


def evidence(model: TextModel, over: Sequence[tuple[Reading, float]]) -> Iterator[tuple[Reason, ...]]:
    """For each text with its chance: the places that speak most for spam, in its order; they add up to the chance.

    A text that has none, as one that is spam for what it lacks, shows the whole.
    """
    row = line([reading.seen.text for reading, _ in over])
    found = _heaviest(row, _gains(model.weights, row), len(over))
    for (reading, chance), places in zip(over, found, strict=True):
        if not places:
            yield (Reason(MODEL, chance, (0, len(reading.text))),)
            continue
        total = sum(weight for weight, _, _ in places)
        shown = sorted((reading.seen.original(start, end), weight) for weight, start, end in places)
        yield tuple(Reason(MODEL, round(chance * weight / total, 3), place) for place, weight in shown)


def _gains(weights: Floats, row: Line) -> Doubles:
    """What each character of normalised texts adds by the runs that it is in, a run's weight shared among them."""
    total = np.zeros(len(row.codes))
    for many, ok, hashes in runs(row):
        share = np.where(ok, weights[hashes >> SHIFT], 0) / many
        for back in range(many):
            total[: max(len(total) - back, 0)] += share[back:]
    return total


def _heaviest(row: Line, gains: Doubles, many: int) -> list[list[tuple[float, int, int]]]:
    """The stretches of each text that weigh most, apart from each other: weight, start, end. All texts at once."""
    bounds = np.searchsorted(row.owner, np.arange(many + 1))
    begins = bounds[:-1] + 1  # behind the edge
    lengths = np.diff(bounds) - 2
    places: list[list[tuple[float, int, int]]] = [[] for _ in range(many)]
    sums = _windows(row, gains, lengths)
    for _ in range(MOST_PLACES):
        best = np.maximum.reduceat(sums, bounds[:-1])
        at = np.flatnonzero(sums == best[row.owner])
        first = at[np.searchsorted(row.owner[at], np.arange(many))]
        for text in np.flatnonzero(best > 0).tolist():
            start, begin = int(first[text]), int(begins[text])
            places[text].append((float(best[text]), start - begin, start - begin + min(WIDE, int(lengths[text]))))
            sums[max(begin, start - WIDE + 1) : min(begin + int(lengths[text]), start + WIDE)] = 0
    return places


def _windows(row: Line, gains: Doubles, lengths: NDArray[np.int64]) -> Doubles:
    """The sum of the gains of the stretch that begins at each place; nothing begins where it would not fit."""
    place, length = row.place - 1, lengths[row.owner]
    sums = np.zeros(len(gains))
    for ahead in range(min(WIDE, len(gains))):
        inside = place[: len(place) - ahead] + ahead < length[: len(place) - ahead]
        sums[: len(sums) - ahead] += np.where(inside, gains[ahead:], 0)
    fits = (place >= 0) & (place <= np.maximum(length - WIDE, 0)) & (length > 0)
    return np.where(fits, sums, 0)
