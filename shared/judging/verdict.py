"""What rules and model together say of a content."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from shared.judging.evidence import evidence
from shared.judging.grams import Reading
from shared.judging.model import CHUNK, TextModel, chances
from shared.rules import Judgement, Reason, RuleSet, Sight, Value, judge
from shared.text import Normalised, normalise

FEW = 10
"""Texts of a batch below which nothing is won by looking at all of them at once."""


SHORT, MOST_KEPT = 1_000, 4_000
"""Characters of texts that are remembered, and how many of these."""


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


class Verdict(NamedTuple):
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


class Kept:
    """What was read lately of short texts, as `ahead` has it: most texts that are judged twice are so at once."""

    def __init__(self) -> None:
        self._made: Ahead | None = None
        """By whom it was read; with no text."""
        self._known: OrderedDict[str, tuple[Reading, float]] = OrderedDict()

    def known(self, texts: Iterable[str], judges: Judges) -> dict[str, tuple[Reading, float]]:
        """Those of the texts that the same rules and the same model have read."""
        if self._made is None or not self._made.serves((), judges):
            self._known.clear()
        return {text: self._known[text] for text in texts if text in self._known}

    def keep(self, made: Ahead) -> None:
        """Remember these, and forget the oldest."""
        self._made = Ahead(made.rules, made.model, {})
        self._known.update((text, found) for text, found in made.known.items() if len(text) <= SHORT)
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)


def read(text: str, rules: RuleSet) -> Reading:
    """A text as all judges read it; what the rules say of it alone is what the model sees of them."""
    seen = normalise(text)
    return _reading(text, seen, Sight(text, seen), rules)


def readings(texts: Sequence[str], rules: RuleSet) -> list[Reading]:
    """The same of many texts, in less time. A few are read one by one: numpy's calls would cost more than they save."""
    if len(texts) < FEW:
        return [read(text, rules) for text in texts]
    seen = list(map(normalise, texts))
    sights = rules.glance.sights(list(zip(texts, seen, strict=True)))
    return [_reading(*one, rules) for one in zip(texts, seen, sights, strict=True)]


def _reading(text: str, seen: Normalised, sight: Sight, rules: RuleSet) -> Reading:
    return Reading(text, seen, sight, judge(rules, sight, rules.of_text))


def ahead(texts: Iterable[str], judges: Judges, kept: Kept | None = None) -> Ahead:
    """Read texts that are soon to be judged, all at once: by a model that speaks in a fifth of the time."""
    once = list(dict.fromkeys(texts)) if judges.model.speaks else []
    known = kept.known(once, judges) if kept is not None else {}
    once = [text for text in once if text not in known]
    for start in range(0, len(once), CHUNK):
        chunk = readings(once[start : start + CHUNK], judges.rules)
        given: list[float] = chances(judges.model, chunk).round(4).tolist()
        known.update((r.text, (r, chance)) for r, chance in zip(chunk, given, strict=True))
    made = Ahead(judges.rules, judges.model, known)
    if kept is not None:
        kept.keep(made)
    return made


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
    said = judge(judges.rules, sight, None if known else judges.rules.of_text)
    return _verdict(sight, said, judges.version, round(said.score / (said.score + judges.rules.threshold), 4))


def _verdict(sight: Sight, said: Judgement, version: str, chance: float, found: tuple[Reason, ...] = ()) -> Verdict:
    """`found` is what makes the model hide alone."""
    assert sight.text is not None
    reasons = (*said.reasons, *found)
    return Verdict(
        chance=chance,
        score=round(sum(reason.weight for reason in reasons), 3) if found else said.score,
        hide=said.hide or bool(found),
        reasons=reasons,
        rules=said.rules_version,
        model=version,
        spared=not said.hide,
        review=said.review,
        open=said.open,
        seen=sight.text,
    )


def _by_model(cases: Sequence[Case], given: Sequence[tuple[Reading, float]], judges: Judges) -> Iterator[Verdict]:
    bar, version = judges.bar.at, judges.version
    over = [one for one in given if bar is not None and one[1] > bar]
    shown = evidence(judges.model, over) if over else iter(())
    for case, (reading, chance) in zip(cases, given, strict=True):
        before = None if case.before is None else normalise(case.before)
        sight = reading.sight.knowing({**case.facts, "model.score": chance}, before)
        found = next(shown) if bar is not None and chance > bar else ()
        yield _verdict(sight, judge(judges.rules, sight), version, chance, found)
