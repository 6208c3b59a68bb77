"""Rules that can never hold, always hold, or say what another one says: found before they are taken.

A condition is taken apart into its ways: what must hold together for it to hold. A way in which two demands exclude
each other is dropped; a condition with no way left contradicts itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from shared.rules.check import key_of
from shared.rules.errors import BadRules, Fault
from shared.rules.syntax import Both, Compare, Constant, Expression, Has, Let, Name, Not, Rule, Source, Sum
from shared.rules.vocabulary import BY_KEY, BY_NAME

MOST_WAYS = 256
"""Of one condition."""
MOST_STEPS = 200_000
"""Of the search over a whole set."""

_CONTRARY = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two, each bound in it or not."""

    low: float
    high: float
    above: bool = False
    below: bool = False

    def within(self, other: "Range") -> "Range":
        """What lies in both."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        above = any(r.above for r in (self, other) if r.low == low)
        below = any(r.below for r in (self, other) if r.high == high)
        return Range(low, high, above, below)

    @property
    def empty(self) -> bool:
        """Whether no number is in it."""
        return self.low > self.high or (self.low == self.high and (self.above or self.below))


Demand = Range | frozenset[str]
"""On a fact: a range, or the words that it may still be; of what is true or not "yes" or "no"."""
Way = Mapping[str, Demand]
_YES, _NO = frozenset({"yes"}), frozenset({"no"})


class TooMany(Exception):
    """More ways than can be looked at."""


def needs(source: Source) -> Mapping[str, frozenset[str]]:
    """For each rule the facts without which it never holds, whatever the others are.

    Raises:
        BadRules: rules that never or always hold, that are the same, or too entangled to tell.
    """
    search, faults = Search(), list[Fault]()
    said: dict[str, str] = {}
    found: dict[str, frozenset[str]] = {}
    for statement in source.order:
        if isinstance(statement, Rule):
            ways = _ways(search, statement, faults)
            found[statement.name] = frozenset.intersection(*(frozenset(way.keys() & BY_KEY.keys()) for way in ways))
            form = f"{statement.effect} {_form(statement.when)}"
            if form in said:
                faults.append(Fault(statement.at, f"{statement.name} says the same as {said[form]}", "take one out"))
            said[form] = statement.name
        search.known[statement.name] = statement
    if faults:
        raise BadRules(faults)
    return found


def _ways(search: "Search", rule: Rule, faults: list[Fault]) -> list[Way]:
    """The ways in which a rule holds, at least one; what is wrong with it goes to the faults."""
    try:
        ways = search.ways(rule.when, True)
        if not ways:
            faults.append(Fault(rule.at, f"{rule.name} can never hold", "two of its conditions contradict each other"))
        elif not search.ways(rule.when, False):
            faults.append(Fault(rule.at, f"{rule.name} always holds", "a rule says something of some texts only"))
    except TooMany:
        ways, hint = [], "write a rule for each of the cases"
        what = f"{rule.name} holds in more ways than {MOST_WAYS}, or the whole set in too many"
        faults.append(Fault(rule.at, what, hint))
    return ways or [{}]


class Search:
    """Takes conditions apart. What it may look at for a whole set is bounded."""

    def __init__(self) -> None:
        self.known: dict[str, Let | Rule] = {}
        self._steps = 0

    def ways(self, expression: Expression, wanted: bool) -> list[Way]:
        """The ways in which it holds, or does not. Raises TooMany."""
        self._step()
        match expression:
            case Not(part=part):
                return self.ways(part, not wanted)
            case Both(operator=operator, parts=parts):
                found = (self.ways(part, wanted) for part in parts)
                if (operator == "and") == wanted:
                    return reduce(self._together, found)
                return self._few([way for ways in found for way in ways])
            case Name():
                return self._name(expression, wanted)
            case Has(text=text, phrases=phrases, disguised=disguised):
                demand: Way = {f"{text} has {phrases}": _YES if wanted else _NO}
                if disguised:
                    demand = {f"{text} disguises {phrases}": _YES if wanted else _NO, **(demand if wanted else {})}
                return [demand]
            case Compare():
                return self._compare(expression, wanted)
            case _:
                raise AssertionError("a condition is true or not")

    def _name(self, name: Name, wanted: bool) -> list[Way]:
        match self.known.get(name.name):
            case Let(value=value):
                return self.ways(value, wanted)
            case Rule(when=when):
                return self.ways(when, wanted)
        return [{key_of(name): _YES if wanted else _NO}]

    def _compare(self, compare: Compare, wanted: bool) -> list[Way]:
        left, right, operator = self._plain(compare.left), self._plain(compare.right), compare.operator
        if isinstance(left, Constant):
            left, right, operator = right, left, _TURNED[operator]
        operator = operator if wanted else _CONTRARY[operator]
        if isinstance(left, Name) and (fact := BY_NAME.get(left.name)):
            if fact.choices and isinstance(right, Name):
                said = frozenset({right.name})
                return [{key_of(left): said if operator == "==" else frozenset(fact.choices) - said}]
            if isinstance(right, Constant):
                return _ranges(key_of(left), Range(fact.low, fact.high), operator, right.value)
        return [{_form(compare): _YES if wanted else _NO}]

    def _plain(self, expression: Expression) -> Expression:
        self._step()
        if isinstance(expression, Name) and isinstance(let := self.known.get(expression.name), Let):
            return self._plain(let.value)
        return expression

    def _together(self, ways: list[Way], others: list[Way]) -> list[Way]:
        met: list[Way] = []
        for way in ways:
            for other in others:
                self._step()
                if (both := _both(way, other)) is not None:
                    met.append(both)
        return self._few(met)

    def _few(self, ways: list[Way]) -> list[Way]:
        if len(ways) > MOST_WAYS:
            raise TooMany
        return ways

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooMany


def _ranges(key: str, whole: Range, operator: str, value: float) -> list[Way]:
    parts = {
        "<": [Range(whole.low, value, below=True)],
        "<=": [Range(whole.low, value)],
        ">": [Range(value, whole.high, above=True)],
        ">=": [Range(value, whole.high)],
        "==": [Range(value, value)],
        "!=": [Range(whole.low, value, below=True), Range(value, whole.high, above=True)],
    }[operator]
    return [{key: part} for part in (whole.within(part) for part in parts) if not part.empty]


def _both(way: Way, other: Way) -> Way | None:
    made = dict(way)
    for key, demand in other.items():
        met = _met(made.get(key, demand), demand)
        if met is None:
            return None
        made[key] = met
    return made


def _met(one: Demand, other: Demand) -> Demand | None:
    if isinstance(one, Range) and isinstance(other, Range):
        met = one.within(other)
        return None if met.empty else met
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return one & other or None
    raise AssertionError("a fact has one type")


def _form(expression: Expression) -> str:
    """An expression without its places: equal for what was written alike."""
    match expression:
        case Constant(value=value):
            return repr(value)
        case Name():
            return expression.name if expression.window is None else f"{expression.name}({expression.window})"
        case Has(text=text, phrases=phrases, disguised=disguised):
            return f"{text} {'disguises' if disguised else 'has'} {phrases}"
        case Not(part=part):
            return f"not {_form(part)}"
        case Both(operator=operator, parts=parts):
            return f"({f' {operator} '.join(sorted(map(_form, parts)))})"
        case Compare(operator=operator, left=left, right=right) | Sum(operator=operator, left=left, right=right):
            return f"({_form(left)} {operator} {_form(right)})"
