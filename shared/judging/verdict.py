"""What rules and model together say of a content."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.judging.grams import Reading, gains
from shared.judging.model import CHUNK, TextModel, chances
from shared.rules import Judgement, Reason, RuleSet, Sight, Value, judge
from shared.text import Normalised, normalise

MODEL = "model"
"""Stands among the reasons where the model has spoken."""
MOST_PLACES = 3
WIDE = 8
"""How many places the model shows, and how many characters of the normalised text one has."""


class Bar(Protocol):
    """From which chance on the model hides alone; `at` is None: it does not."""

    @property
    def at(self) -> float | None: ...

    @property
    def version(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges: the rules, and a text model with its bar."""

    rules: RuleSet
    model: TextModel
    bar: Bar

    @property
    def version(self) -> str:
        """Of the model and its bar."""
        return f"{self.model.version}.{self.bar.version}"


@dataclass(frozen=True, slots=True)
class Case:
    """A text to judge, what is known beside it, and the revision before it, if any."""

    text: str
    facts: Mapping[str, Value] = field(default_factory=dict)
    before: str | None = None


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
    review: bool
    """Staff are to look at it."""
    open: tuple[str, ...]
    """Rules that wait for counters."""
    seen: Normalised
    """The text as it reads."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Texts as a set of rules and a model read them, each with its chance: `verdicts` need not look at these again."""

    rules: RuleSet
    model: TextModel
    known: Mapping[str, tuple[Reading, float]]

    def serves(self, texts: Iterable[str], judges: Judges) -> bool:
        """Whether these judges would read all of these texts so."""
        same = self.rules is judges.rules and self.model is judges.model
        return same and all(text in self.known for text in texts)


def read(text: str, rules: RuleSet) -> Reading:
    """A text as all judges read it; what the rules say of it alone is what the model sees of them."""
    seen = normalise(text)
    sight = Sight(text, seen)
    return Reading(text, seen, sight, judge(rules, sight, rules.of_text))


def ahead(texts: Iterable[str], judges: Judges) -> Ahead:
    """Read texts that are soon to be judged, all at once: by a model that speaks in a fifth of the time."""
    once = list(dict.fromkeys(texts)) if judges.model.speaks else []
    known: dict[str, tuple[Reading, float]] = {}
    for start in range(0, len(once), CHUNK):
        readings = [read(text, judges.rules) for text in once[start : start + CHUNK]]
        given: list[float] = chances(judges.model, readings).round(4).tolist()
        known.update((r.text, (r, chance)) for r, chance in zip(readings, given, strict=True))
    return Ahead(judges.rules, judges.model, known)


def verdicts(cases: Sequence[Case], judges: Judges, before: Ahead | None = None) -> list[Verdict]:
    """A verdict for each case. A text is judged alike alone, among others, and with what was read of it before."""
    if not judges.model.speaks:
        return [_by_rules(case, judges) for case in cases]
    found: list[Verdict] = []
    for start in range(0, len(cases), CHUNK):
        chunk = cases[start : start + CHUNK]
        texts = [case.text for case in chunk]
        read_so = before if before is not None and before.serves(texts, judges) else ahead(texts, judges)
        found += _by_model(chunk, [read_so.known[text] for text in texts], judges)
    return found


def _by_rules(case: Case, judges: Judges) -> Verdict:
    """While the model keeps silent nobody asks what rules say of the text alone."""
    before = None if case.before is None else normalise(case.before)
    known = case.facts or before is not None
    sight = Sight(case.text, normalise(case.text), case.facts, before)
    return _verdict(sight, judge(judges.rules, sight, None if known else judges.rules.of_text), judges)


def _verdict(sight: Sight, said: Judgement, judges: Judges) -> Verdict:
    assert sight.text is not None
    return Verdict(
        chance=round(said.score / (said.score + judges.rules.threshold), 4),
        score=said.score,
        hide=said.hide,
        reasons=said.reasons,
        rules=said.rules_version,
        model=judges.version,
        spared=not said.hide,
        review=said.review,
        open=said.open,
        seen=sight.text,
    )


def _by_model(cases: Sequence[Case], given: Sequence[tuple[Reading, float]], judges: Judges) -> Iterator[Verdict]:
    bar = judges.bar.at
    over = [reading for reading, chance in given if bar is not None and chance > bar]
    by_character = iter(gains(judges.model.weights, [reading.seen.text for reading in over]) if over else ())
    for case, (reading, chance) in zip(cases, given, strict=True):
        before = None if case.before is None else normalise(case.before)
        sight = reading.sight.knowing({**case.facts, "model.score": chance}, before)
        made = _verdict(sight, judge(judges.rules, sight), judges)
        alone, reasons = bar is not None and chance > bar, made.reasons
        if alone:
            reasons = (*reasons, *_evidence(next(by_character), reading, chance))
        score = round(sum(reason.weight for reason in reasons), 3)
        yield replace(made, chance=chance, score=score, hide=made.hide or alone, reasons=reasons)


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
