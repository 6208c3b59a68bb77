"""What a set of rules says of a content: a score, reasons with their places, and what follows."""

from collections import Counter
from collections.abc import Sequence
from math import log2
from operator import attrgetter
from typing import NamedTuple

from shared.rules.ruleset import Asked, Rule, RuleSet
from shared.rules.sight import Sight


class Reason(NamedTuple):
    """A rule that spoke, and where: a half-open span of the original text, never a copy of it; empty for no place."""

    rule: str
    weight: float
    evidence: tuple[int, int]


class Judgement(NamedTuple):
    """`score` is the sum of the reasons' weights; reasons in the order of the rules. `review`: staff are to look.

    `open` names the rules that keep silent and could speak once counters have told what they know.
    """

    score: float
    hide: bool
    review: bool
    reasons: tuple[Reason, ...]
    open: tuple[str, ...]
    rules_version: str


_place = attrgetter("place")
_Sign = tuple[Rule, tuple[int, int]]
_SLACK = 1e-9  # sums of weights drift in the last digits as signs come and go


def judge(rules: RuleSet, sight: Sight, asked: Asked | None = None) -> Judgement:
    """The judgement of all rules, or of those that the text decides and those asked, on one content.

    A rule that depends on what is unknown keeps silent.

    Of what rules see in the text, the stretch of `reach` characters that weighs most counts; what they say by facts
    alone counts wherever it is. The text's length is the caller's to limit; linear in it.
    """
    asked = rules.others if asked is None else asked
    found = sight.look(rules.tables)
    by_text = _by_text(rules, sight, found) if sight.text is not None else ()
    left = asked.rules if sight.text is not None else sorted((*rules.by_text.rules, *asked.rules), key=_place)
    spoken, waiting = list(by_text), list[str]()
    for rule in left if found else asked.bare:
        holds = rule.holds(sight)
        if holds:
            spoken.append(rule)
        elif holds is None and (not rule.needs or all(sight.fact(key) is not None for key in rule.needs)):
            waiting.append(rule.name)
    if by_text and len(spoken) > len(by_text):
        spoken.sort(key=_place)
    if not spoken:
        return Judgement(0.0, False, False, (), tuple(waiting), rules.version)
    length = len(sight.text.text) if sight.text is not None else 0
    signs, elsewhere = [], []
    for rule in spoken:
        places = _places(rule, sight, length > rules.reach) if rule.effect == "weigh" else []
        signs += places
        elsewhere += [] if places else [rule]
    together = _heaviest(signs, rules.reach) if length > rules.reach else signs
    shown = {rule.name: span for rule, span in together}
    shown |= {rule.name: next((span for _, span in _places(rule, sight, False)), (0, 0)) for rule in elsewhere}
    reasons = tuple(_reason(rule, rules, sight, shown[rule.name]) for rule in spoken if rule.name in shown)
    score = round(sum(reason.weight for reason in reasons), 3)
    heard = sum(reason.weight > 0 for reason in reasons)
    return Judgement(
        score=score,
        hide=any(r.effect == "hide" for r in elsewhere) or (score >= needed(rules, length) and heard >= rules.least),
        review=any(rule.effect == "review" for rule in elsewhere),
        reasons=reasons,
        open=tuple(waiting),
        rules_version=rules.version,
    )


def _by_text(rules: RuleSet, sight: Sight, found: bool) -> list[Rule]:
    """The rules that speak by the text alone: what else is known of it changes nothing in them."""
    if rules not in sight.said:
        asked, spans = rules.by_text.rules if found else rules.by_text.bare, sight.spans
        # Most are one table, and most tables have found nothing: no call for these.
        sight.said[rules] = [
            rule for rule in asked if (spans[rule.sign] is not None if rule.sign in spans else rule.holds(sight))
        ]
    said: list[Rule] = sight.said[rules]
    return said


def needed(rules: RuleSet, length: int) -> float:
    """The sum of weights from which a text of so many characters is hidden."""
    return rules.threshold * (1 + rules.caution * log2(max(1.0, length / rules.reach)))


def _reason(rule: Rule, rules: RuleSet, sight: Sight, span: tuple[int, int]) -> Reason:
    weight = rules.threshold if rule.effect == "hide" else rule.weight
    place = sight.text.original(*span) if sight.text is not None and span[0] < span[1] else (0, 0)
    return Reason(rule.name, weight, place)


def _places(rule: Rule, sight: Sight, all_: bool) -> list[_Sign]:
    """Where the first of its tables that is there has something; `all_` places, since any may stand beside others."""
    for table in rule.tables:
        first = sight.place(table)
        if first is not None and sight.text is not None:
            if not all_:
                return [(rule, first)]
            return [(rule, match.span()) for match in table.pattern.finditer(sight.text.text)]
    return []


def _heaviest(signs: Sequence[_Sign], reach: int) -> list[_Sign]:
    """The signs of the heaviest stretch of `reach` characters, each rule once, in the order of the table.

    Signs come grouped by rule in that order. Of equal stretches the first one counts.
    """
    order = {rule.name: place for place, (rule, _) in reversed(list(enumerate(signs)))}
    if len(order) == len(signs):
        spread = max((end for _, (_, end) in signs), default=0) - min((start for _, (start, _) in signs), default=0)
        if spread <= reach:
            return list(signs)
    return _best_window(sorted(signs, key=lambda sign: sign[1]), reach, order)


def _best_window(signs: Sequence[_Sign], reach: int, order: dict[str, int]) -> list[_Sign]:
    """Two pointers over signs sorted by place: linear in their number."""
    counts: Counter[str] = Counter()
    left, weight, best, stretch = 0, 0.0, 0.0, (0, 0)
    for right, (rule, (_, end)) in enumerate(signs):
        counts[rule.name] += 1
        weight += rule.weight if counts[rule.name] == 1 else 0
        while left < right and end - signs[left][1][0] > reach:
            gone = signs[left][0]
            counts[gone.name] -= 1
            weight -= gone.weight if not counts[gone.name] else 0
            left += 1
        if weight > best + _SLACK:
            best, stretch = weight, (left, right + 1)
    held: dict[str, _Sign] = {}
    for sign in signs[slice(*stretch)]:
        held.setdefault(sign[0].name, sign)
    return [held[name] for name in sorted(held, key=order.__getitem__)]
