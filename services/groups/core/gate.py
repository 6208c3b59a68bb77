"""What a group asks at its door: questions, and a rule over the answers, over help given here and the owner's word.

A rule is data: a tree of all, any and not over plain conditions. It is three-valued: a condition that only the owner
can decide is neither true nor false, and what then hangs on it waits for the owner.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

MOST_RULES = 30
DEEPEST = 6
"""Nodes and levels of a rule. They bound the search for contradictions, too: a few thousand steps."""


class Question(msgspec.Struct, frozen=True):
    """What a group asks. With options the answer is one of them, without any it is a text."""

    id: str
    text: str
    options: tuple[str, ...] = ()


class All(msgspec.Struct, frozen=True, tag_field="kind", tag="all"):
    """Every one of these rules holds."""

    rules: tuple["Rule", ...]


class Any(msgspec.Struct, frozen=True, tag_field="kind", tag="any"):
    """One of these rules holds, or more."""

    rules: tuple["Rule", ...]


class Not(msgspec.Struct, frozen=True, tag_field="kind", tag="not"):
    """This rule does not hold. An answer that is not given meets no rule about it, and no contrary of one."""

    rule: "Rule"


class Answer(msgspec.Struct, frozen=True, tag_field="kind", tag="answer"):
    """The answer to a question is one of these; width, case and outer space do not matter."""

    question: str
    accepted: tuple[str, ...]


class Length(msgspec.Struct, frozen=True, tag_field="kind", tag="length"):
    """The text given to a question has so many characters or more."""

    question: str
    at_least: int


class Helped(msgspec.Struct, frozen=True, tag_field="kind", tag="helped"):
    """The applicant has helped so often in notes that the group took over, within the window of the tiers."""

    at_least: int


class Earned(msgspec.Struct, frozen=True, tag_field="kind", tag="tier"):
    """Help has earned the applicant this tier here, or a higher one: a guest, or a former member."""

    tier: str


class Approval(msgspec.Struct, frozen=True, tag_field="kind", tag="approval"):
    """The owner says yes."""


Rule = All | Any | Not | Answer | Length | Helped | Earned | Approval


class Gate(msgspec.Struct, frozen=True):
    """Questions and the rule over them; without a rule everybody may enter."""

    questions: tuple[Question, ...] = ()
    rule: Rule | None = None


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a rule does not hold, as the applicant may know it: never what would have been accepted."""

    kind: str
    question: str = ""
    text: str = ""
    at_least: int = 0
    tier: str = ""


@dataclass(frozen=True, slots=True)
class Applicant:
    """What rules look at: answers by question, help given, and the tiers that it has earned."""

    answers: Mapping[str, str]
    helped: int
    tiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a rule holds: None if that is the owner's to say. If it does not, why."""

    holds: bool | None
    reasons: tuple[Reason, ...] = ()


def judge(gate: Gate, applicant: Applicant) -> Judgement:
    """What the gate says of an applicant."""
    if gate.rule is None:
        return Judgement(True)
    return _judge(gate.rule, True, applicant, {question.id: question for question in gate.questions})


def _judge(rule: Rule, wanted: bool, applicant: Applicant, asked: Mapping[str, Question]) -> Judgement:
    """Whether a rule is as wanted; under a ``not`` the contrary is."""
    match rule:
        case Approval():
            return Judgement(None)
        case Not(inner):
            return _judge(inner, not wanted, applicant, asked)
        case All(rules) | Any(rules):
            parts = [_judge(part, wanted, applicant, asked) for part in rules]
            found = [part.holds for part in parts]
            decides = isinstance(rule, Any) == wanted
            if decides in found:
                reasons = () if decides else (r for part in parts if part.holds is False for r in part.reasons)
                return Judgement(decides, tuple(dict.fromkeys(reasons)))
            if None in found:
                return Judgement(None)
            reasons = () if not decides else (r for part in parts for r in part.reasons)
            return Judgement(not decides, tuple(dict.fromkeys(reasons)))
        case _:
            holds = _holds(rule, wanted, applicant)
            return Judgement(holds, () if holds else (_reason(rule, asked),))


def _holds(rule: Answer | Length | Helped | Earned, wanted: bool, applicant: Applicant) -> bool:
    match rule:
        case Helped(least):
            return (applicant.helped >= least) == wanted
        case Earned(tier):
            return (tier in applicant.tiers) == wanted
        case Answer(question, accepted):
            given = applicant.answers.get(question)
            return given is not None and (folded(given) in set(map(folded, accepted))) == wanted
        case Length(question, least):
            given = applicant.answers.get(question)
            return given is not None and (len(folded(given)) >= least) == wanted


def _reason(rule: Answer | Length | Helped | Earned, asked: Mapping[str, Question]) -> Reason:
    match rule:
        case Answer(question):
            return Reason("answer", question=question, text=asked[question].text)
        case Length(question, least):
            return Reason("length", question=question, text=asked[question].text, at_least=least)
        case Helped(least):
            return Reason("helped", at_least=least)
        case Earned(tier):
            return Reason("tier", tier=tier)


def folded(text: str) -> str:
    """A text as answers are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


# -- a gate that cannot be ----------------------------------------------------------------------------------


def faults(gate: Gate, tiers: Sequence[str]) -> Iterator[str]:
    """What is wrong with a gate, in words; nothing for one that somebody can pass. ``tiers`` are from low to high."""
    asked = {question.id: question for question in gate.questions}
    if len(asked) < len(gate.questions):
        yield "two questions have the same id"
    for question in gate.questions:
        if question.options and len(set(map(folded, question.options))) < len(question.options):
            yield f"question {question.id!r} offers an option twice"
    if gate.rule is None:
        if gate.questions:
            yield "questions are asked, and no rule says what for"
        return
    nodes = list(_nodes(gate.rule))
    if len(nodes) > MOST_RULES or max(depth for depth, _, _ in nodes) > DEEPEST:
        yield f"a rule has at most {MOST_RULES} parts on {DEEPEST} levels"
        return
    wrong = [fault for _, negated, rule in nodes if (fault := _fault(rule, negated, asked, tiers))]
    yield from dict.fromkeys(wrong)
    if not wrong and not _possible(((gate.rule, True),), _Bounds(gate.questions, tiers)):
        yield "the rule contradicts itself: nobody could ever pass"


def _nodes(rule: Rule, depth: int = 1, negated: bool = False) -> Iterator[tuple[int, bool, Rule]]:
    yield depth, negated, rule
    match rule:
        case All(rules) | Any(rules):
            for part in rules:
                yield from _nodes(part, depth + 1, negated)
        case Not(inner):
            yield from _nodes(inner, depth + 1, not negated)


def _fault(rule: Rule, negated: bool, asked: Mapping[str, Question], tiers: Sequence[str]) -> str:
    match rule:
        case All(rules) | Any(rules) if not rules:
            return "an all or any without rules"
        case Approval() if negated:
            return "an approval under a not: the owner would have to refuse those who are to enter"
        case Answer(question) | Length(question) if question not in asked:
            return f"a rule about {question!r}, which is not asked"
        case Length(question) if asked[question].options:
            return f"a length of {question!r}, which is a choice"
        case Answer(question, accepted) if not accepted:
            return f"no answer to {question!r} is accepted"
        case Answer(question, accepted) if (options := asked[question].options) and not (
            set(map(folded, accepted)) <= set(map(folded, options))
        ):
            return f"an answer to {question!r} that is none of its options"
        case Earned(tier) if tier not in tiers:
            return f"a tier {tier!r} that there is not"
        case _:
            return ""


@dataclass(frozen=True, slots=True)
class _Given:
    """What an answer must be: one of ``among`` (None: any text), none of ``but``, and of such a length."""

    among: frozenset[str] | None = None
    but: frozenset[str] = frozenset()
    least: int = 1
    most: int = 1_000_000

    def possible(self) -> bool:
        if self.among is None:
            return self.least <= self.most  # there are more texts of any length than ``but`` could name
        return any(self.least <= len(text) <= self.most for text in self.among - self.but)


class _Bounds:
    """What the conditions taken together leave open. ``with_`` makes another, or None if nothing is left."""

    def __init__(self, questions: Sequence[Question], tiers: Sequence[str]) -> None:
        self._tiers = tuple(tiers)
        self._given = {q.id: _Given(frozenset(map(folded, q.options)) if q.options else None) for q in questions}
        self._ranges = {"helped": (0, 1_000_000), "tier": (0, len(tiers) - 1)}

    def with_(self, rule: Answer | Length | Helped | Earned, wanted: bool) -> "_Bounds | None":
        made = _Bounds((), self._tiers)
        made._given, made._ranges = dict(self._given), dict(self._ranges)
        match rule:
            case Helped(least):
                return made._within("helped", least, wanted)
            case Earned(tier):
                return made._within("tier", self._tiers.index(tier), wanted)
            case Answer(question, accepted):
                old, these = self._given[question], frozenset(map(folded, accepted))
                among = (these if old.among is None else old.among & these) if wanted else old.among
                but = old.but if wanted else old.but | these
                new = _Given(among, but, old.least, old.most)
            case Length(question, least):
                old = self._given[question]
                low, high = (max(old.least, least), old.most) if wanted else (old.least, min(old.most, least - 1))
                new = _Given(old.among, old.but, low, high)
        made._given[question] = new
        return made if new.possible() else None

    def _within(self, what: str, least: int, wanted: bool) -> "_Bounds | None":
        low, high = self._ranges[what]
        low, high = (max(low, least), high) if wanted else (low, min(high, least - 1))
        self._ranges[what] = low, high
        return self if low <= high else None


def _possible(goals: tuple[tuple[Rule, bool], ...], bounds: _Bounds) -> bool:
    """Whether somebody could meet all goals: tries one way after another, and drops those that already contradict."""
    if not goals:
        return True
    (rule, wanted), rest = goals[0], goals[1:]
    match rule:
        case Approval():
            return _possible(rest, bounds)
        case Not(inner):
            return _possible(((inner, not wanted), *rest), bounds)
        case All(rules) | Any(rules):
            parts = tuple((part, wanted) for part in rules)
            if isinstance(rule, All) == wanted:
                return _possible((*parts, *rest), bounds)
            return any(_possible((part, *rest), bounds) for part in parts)
        case _:
            narrowed = bounds.with_(rule, wanted)
            return narrowed is not None and _possible(rest, narrowed)
