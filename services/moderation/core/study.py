"""How the text model learns a file: all lessons are at hand, so it comes to more than by one look at each.

Two learners: that of the lane, which looks at all lessons again and again; and naive Bayes, which is the better one
while lessons are few (Ng and Jordan 2001). How far each is to be trusted is told by texts that were held out: a
logistic regression over the odds of both, none of them below zero (stacking: Wolpert 1992, Breiman 1996), with the
targets of Platt 1999, by Newton's steps. So the chances are calibrated too. Both learners are linear, and so is what
stands above them: the weights of one model take all of it up, and a lane goes on from there.
"""

from collections.abc import Iterable, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.moderation.core.model import STEPS, Learned, Lesson, Seen, chained, chance, counted, numbers, step
from shared.judging.grams import Floats
from shared.judging.model import LEAST, MOST_ODDS, SIZE, TextModel, blank

Doubles = NDArray[np.float64]

_SMOOTH = 0.01
"""What naive Bayes has seen of everything before it has seen anything: little, since most of what is seen in one label
alone is no accident (of 1, 0.3, 0.1, 0.03 and 0.01 each was better than the one before)."""
_FOLDS, _HELD_OUT = 5, 2_000
"""A fifth is held out at a time, until so many texts were, or all."""
_NEWTON, _RIDGE, _FARTHEST = 50, 1e-6, 5.0


def studied(lessons: Iterable[Lesson], again: int) -> Learned:
    """Learn texts in their order, then all of them `again` so often, each time in another order; none is refused.

    What is said of each of them before it was learned is what both learners said then.
    """
    kept = list(numbers(lessons))
    weights, squares, before = _looked(kept, again)
    ham, model = sum(not seen.spam for seen in kept), blank()
    for seen in kept:
        model = counted(model, seen)
    mix = np.array([1.0, 0.0, 0.0])
    if min(ham, len(kept) - ham) >= LEAST:
        mix = _stacked(*_held_out(kept, again))
        weights = (mix[0] * weights + mix[1] * _bayes(kept)).astype(np.float32)
        weights[-1] += np.float32(mix[2])
    model = TextModel(weights, squares, model.ham, model.spam, chained(model.chain, b"studied %d" % again))
    return Learned(model, [chance(float(odds)) for odds in np.column_stack((before, np.ones(len(kept)))) @ mix])


def _looked(kept: Sequence[Seen], again: int) -> tuple[Floats, Floats, Doubles]:
    """Weights and squares as the lane's way makes them; the odds of both learners before each lesson."""
    new, counts, texts = blank(), np.zeros((2, SIZE), np.float32), np.zeros(2)
    weights, squares = new.weights.copy(), new.squares.copy()
    before = np.zeros((len(kept), 2))
    for place, seen in enumerate(kept):
        bayes = float(_ratios(counts[:, seen.ids[:-1]], texts) @ seen.values[:-1])
        before[place] = step(weights, squares, seen, STEPS), bayes
        counts[int(seen.spam), seen.ids] += 1
        texts[int(seen.spam)] += 1
    for turn in range(again):
        for place in sorted(range(len(kept)), key=lambda place: crc32(b"%d %d" % (turn, place))):
            step(weights, squares, kept[place], 1)
    return weights, squares, before


def _bayes(kept: Sequence[Seen]) -> Doubles:
    """Weights as naive Bayes makes them: how much more often spam has a feature than ham has, as a logarithm."""
    counts, texts = np.zeros((2, SIZE)), np.zeros(2)
    for seen in kept:
        counts[int(seen.spam), seen.ids] += 1
        texts[int(seen.spam)] += 1
    counts[:, -1] = 0
    return _ratios(counts, texts)


def _ratios(counts: NDArray[np.floating], texts: Doubles) -> Doubles:
    """The same of counts of features; one that was never seen says nothing."""
    ham, spam = np.log(counts + _SMOOTH) - np.log(texts + 2 * _SMOOTH)[:, None]
    return np.where(counts.any(axis=0), spam - ham, 0)


def _held_out(kept: Sequence[Seen], again: int) -> tuple[Doubles, Doubles]:
    """The odds that both learners give to texts which they have not learned; and whether these are spam."""
    rows, spam = list[tuple[float, float]](), list[float]()
    for fold in range(_FOLDS):
        if len(rows) >= _HELD_OUT:
            break
        others = [seen for place, seen in enumerate(kept) if place % _FOLDS != fold]
        weights, bayes = _looked(others, again)[0], _bayes(others)
        asked = kept[fold::_FOLDS]
        rows += [(float(weights[s.ids] @ s.values), float(bayes[s.ids] @ s.values)) for s in asked]
        spam += [float(seen.spam) for seen in asked]
    return np.clip(rows, -MOST_ODDS, MOST_ODDS), np.array(spam)


def _stacked(odds: Doubles, spam: Doubles) -> Doubles:
    """A factor for each learner and a shift that make chances of their odds.

    A learner whose factor would be below zero is left out; if both are, the lane's own stays as it is.
    """
    many = spam.sum()
    wanted = np.where(spam == 1, (many + 1) / (many + 2), 1 / (len(spam) - many + 2))
    rows = np.column_stack((odds, np.ones(len(odds))))
    for used in ([0, 1, 2], [0, 2], [1, 2]):
        found = _newton(rows[:, used], wanted)
        if (found[:-1] > 0).all():
            mix = np.zeros(3)
            mix[used] = found
            return mix
    return np.array([1.0, 0.0, 0.0])


def _newton(rows: Doubles, wanted: Doubles) -> Doubles:
    found = np.zeros(rows.shape[1])
    for _ in range(_NEWTON):
        given = 1 / (1 + np.exp(-np.clip(rows @ found, -MOST_ODDS, MOST_ODDS)))
        slope = rows.T @ (given - wanted) + _RIDGE * found
        bend = (rows * (given * (1 - given))[:, None]).T @ rows + _RIDGE * np.eye(len(found))
        move = np.linalg.solve(bend, slope)
        found -= move * min(1.0, _FARTHEST / max(float(np.abs(move).max()), _RIDGE))
        if np.abs(move).max() < _RIDGE:
            break
    return found
