"""From expressions to functions of a sight. Three-valued after Kleene: what is unknown stays so, unless
the rest decides."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from shared.rules.check import key_of
from shared.rules.phrases import Table
from shared.rules.sight import OF_TEXT, Sight, Truth
from shared.rules.syntax import Both, Compare, Constant, Expression, Has, Name, Not, Sum
from shared.rules.vocabulary import BY_NAME

Read = Callable[[Sight], Any]
Holds = Callable[[Sight], Truth]

_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_SUMMED: Mapping[str, Callable[[Any, Any], float]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


class Builder:
    """Makes functions of checked expressions; those with names are made once, and asked once of a sight."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._named: dict[str, Read] = {}

    def name(self, name: str, expression: Expression, used: bool) -> Read:
        """The function of a named expression; what nothing else uses, or a table answers, is not remembered."""
        read = self.read(expression)
        if not used or isinstance(expression, Has):
            self._named[name] = read
            return read

        def once(sight: Sight) -> Any:
            memo = sight.memo
            if name not in memo:
                memo[name] = read(sight)
            return memo[name]

        self._named[name] = once
        return once

    def read(self, expression: Expression) -> Read:
        """The function of an expression: a truth, a number, a span in seconds, a word, or None where it is unknown."""
        match expression:
            case Constant(value=value):
                return lambda _: value
            case Name():
                return self._name(expression)
            case Has(text=text, phrases=phrases, disguised=disguised):
                return _has(text, self._tables[phrases], disguised)
            case Not(part=part):
                return _not(self.read(part))
            case Both(operator=word, parts=parts):
                return _both(tuple(map(self.read, parts)), deciding=word == "or")
            case Compare(operator=sign, left=left, right=right):
                return self._compare(sign, left, right)
            case Sum(operator=sign, left=left, right=right):
                return _two(_SUMMED[sign], self.read(left), self.read(right))

    def _name(self, name: Name) -> Read:
        if name.name in self._named:
            return self._named[name.name]
        key = key_of(name)
        return (lambda s: s.fact(key)) if key in OF_TEXT else (lambda s: s.facts.get(key))

    def _compare(self, sign: str, left: Expression, right: Expression) -> Read:
        compared, one = _COMPARED[sign], self.read(left)
        if isinstance(right, Name) and isinstance(left, Name) and _is_word(left):
            return _with(compared, one, right.name)
        if isinstance(right, Constant):
            key = "" if not isinstance(left, Name) or left.name in self._named else key_of(left)
            plain = key != "" and key not in OF_TEXT
            return _told(compared, key, right.value) if plain else _with(compared, one, right.value)
        return _two(compared, one, self.read(right))


def _has(text: str, table: Table, disguised: bool) -> Holds:
    if disguised:
        return lambda s: s.disguises(table)
    if text == "before":
        return lambda s: s.had(table)
    return lambda s: s.spans[table] is not None if table in s.spans else s.has(table)


def _is_word(name: Name) -> bool:
    fact = BY_NAME.get(name.name)
    return fact is not None and fact.type == "word"


def _told(compared: Callable[[Any, Any], bool], key: str, value: object) -> Read:
    """The same of a fact that somebody tells: what most rules ask, and most often it is unknown."""

    def holds(sight: Sight) -> Truth:
        found = sight.facts.get(key)
        return None if found is None else compared(found, value)

    return holds


def _with(compared: Callable[[Any, Any], bool], one: Read, value: object) -> Read:
    def holds(sight: Sight) -> Truth:
        found = one(sight)
        return None if found is None else compared(found, value)

    return holds


def _two(made: Callable[[Any, Any], Any], one: Read, other: Read) -> Read:
    def read(sight: Sight) -> Any:
        left = one(sight)
        right = None if left is None else other(sight)
        return None if right is None else made(left, right)

    return read


def _not(part: Holds) -> Holds:
    def holds(sight: Sight) -> Truth:
        found = part(sight)
        return None if found is None else not found

    return holds


def _both(parts: tuple[Holds, ...], deciding: bool) -> Holds:
    """`or` where one true part decides, `and` where one false part does."""

    def holds(sight: Sight) -> Truth:
        unknown = False
        for part in parts:
            found = part(sight)
            if found is deciding:
                return deciding
            unknown = unknown or found is None
        return None if unknown else not deciding

    return holds
