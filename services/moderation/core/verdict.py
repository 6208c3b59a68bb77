"""What rules and model together say of a text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.moderation.core.bar import Bar
from services.moderation.core.grams import Reading, gains
from services.moderation.core.model import CHUNK, TextModel, chances
from services.moderation.core.rules import Reason, Rules, weigh
from shared.text import normalise

MODEL = "model"
"""Stands among the reasons where the model has spoken."""
MOST_PLACES = 3
WIDE = 8
"""How many places the model shows, and how many characters of the normalised text one has."""


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges: the rules, and a text model with its bar."""

    rules: Rules
    model: TextModel
    bar: Bar

    @property
    def version(self) -> str:
        """Of the model and its bar."""
        return f"{self.model.version}.{self.bar.version}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`score` is the sum of the reasons' weights, `chance` that of being spam, in 0..1.

    While the model keeps silent the chance is made of the rules' score alone: one half where they hide.
    """

    chance: float
    score: float
    hide: bool
    reasons: tuple[Reason, ...]
    rules: str
    model: str
    spared: bool
    """By the rules."""


def read(text: str, rules: Rules) -> Reading:
    """A text as all judges read it."""
    seen = normalise(text)
    return Reading(text, seen, weigh(seen, rules))


def verdicts(texts: Sequence[str], judges: Judges) -> list[Verdict]:
    """A verdict for each text. A text is judged alike alone and among others."""
    found: list[Verdict] = []
    for start in range(0, len(texts), CHUNK):
        readings = [read(text, judges.rules) for text in texts[start : start + CHUNK]]
        found += _by_model(readings, judges) if judges.model.speaks else [_by_rules(r, judges) for r in readings]
    return found


def _by_rules(reading: Reading, judges: Judges) -> Verdict:
    said = reading.judgement
    chance = round(said.score / (said.score + judges.rules.threshold), 4)
    return Verdict(chance, said.score, said.hide, said.reasons, said.rules_version, judges.version, not said.hide)


def _by_model(readings: Sequence[Reading], judges: Judges) -> Iterator[Verdict]:
    given = chances(judges.model, readings).round(4).tolist()
    bar = judges.bar.at
    over = [reading for reading, chance in zip(readings, given, strict=True) if bar is not None and chance > bar]
    by_character = iter(gains(judges.model.weights, [reading.seen.text for reading in over]))
    for reading, chance in zip(readings, given, strict=True):
        said = reading.judgement
        alone, reasons = bar is not None and chance > bar, said.reasons
        if alone:
            reasons = (*reasons, *_evidence(next(by_character), reading, chance))
        score = round(sum(reason.weight for reason in reasons), 3)
        yield Verdict(chance, score, said.hide or alone, reasons, said.rules_version, judges.version, not said.hide)


def _evidence(by_character: NDArray[np.float64], reading: Reading, chance: float) -> tuple[Reason, ...]:
    """The places of a text that speak most for spam, in the order of the text; their weights add up to the chance.

    A text that has none, as one that is spam for what it lacks, shows the whole.
    """
    places = _heaviest(by_character)
    if not places:
        return (Reason(MODEL, chance, (0, len(reading.text))),)
    total = sum(weight for weight, _, _ in places)
    shown = sorted((reading.seen.original(start, end), weight) for weight, start, end in places)
    return tuple(Reason(MODEL, round(chance * weight / total, 3), place) for place, weight in shown)


def _heaviest(by_character: NDArray[np.float64]) -> list[tuple[float, int, int]]:
    """The stretches that weigh most, apart from each other: weight, start, end."""
    wide = min(WIDE, len(by_character))
    if not wide:
        return []
    sums = np.convolve(by_character, np.ones(wide), "valid")
    places: list[tuple[float, int, int]] = []
    while len(places) < MOST_PLACES:
        start = int(sums.argmax())
        best = float(sums[start])
        if best <= 0:
            break
        places.append((best, start, start + wide))
        sums[max(0, start - wide + 1) : start + wide] = 0
    return places
