"""The text model that judges: logistic regression over hashed grams."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.judging.grams import BITS, Floats, Reading, features

SIZE = (1 << BITS) + 1
"""Weights: one a feature, and the bias."""
LEAST = 20
"""Texts of each label that must be learned before the model says anything."""
ENOUGH = 200
"""Texts of both labels together that must be learned before that."""
CHUNK = 512
"""Texts read at once."""
MOST_ODDS = 40.0
"""Beyond this nothing becomes surer."""


class BadModel(ValueError):
    """What holds no model that this release can use; says why."""


@dataclass(frozen=True, eq=False, slots=True)
class TextModel:
    """Weights by feature, and how many texts of each label made them.

    `squares` is how far each has moved, for whoever goes on learning. `chain` is a hash over all lessons in their
    order. The arrays are never written to.
    """

    weights: Floats
    squares: Floats
    ham: int = 0
    spam: int = 0
    chain: str = ""

    @property
    def speaks(self) -> bool:
        """Whether it has learned enough of both labels; until then it keeps silent."""
        return min(self.ham, self.spam) >= LEAST and self.ham + self.spam >= ENOUGH

    @property
    def version(self) -> str:
        """Changes with every text that was learned: how many there were, and a hash over them."""
        return f"t4.{self.ham + self.spam}.{self.chain or 'blank'}"


def blank() -> TextModel:
    """A model that has learned nothing."""
    # So that the first step of a weight is not the longest one.
    return TextModel(np.zeros(SIZE, np.float32), np.full(SIZE, 0.00001, np.float32))


def chances(model: TextModel, readings: Sequence[Reading]) -> NDArray[np.float64]:
    """The chance of being spam, in 0..1, for each text. What a blank model says is one half."""
    found = features(readings)
    odds = np.bincount(found.owner, model.weights[found.ids] * found.values, found.size) + float(model.weights[-1])
    chance: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -MOST_ODDS, MOST_ODDS)))
    return chance
