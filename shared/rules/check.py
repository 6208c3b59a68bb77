"""Types, names and costs: all that can be said of a set before any text is read by it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from shared.rules.errors import BadRules, Fault
from shared.rules.syntax import (
    Both,
    Compare,
    Constant,
    Expression,
    Has,
    Let,
    Name,
    Node,
    Not,
    Phrases,
    Rule,
    Source,
    Sum,
)
from shared.rules.vocabulary import BY_NAME, KNOBS, TEXTS, WINDOW, Fact, Type

MOST_NODES = 1_000
"""Parts of one rule that are looked at for a text, named expressions counted wherever they are used."""
MOST_LEVELS = 64
"""Expressions within each other, named ones counted where they are used."""
MOST_WEIGHT = 1_000


class Measure(NamedTuple):
    """What an expression is, how many parts it has, and on how many levels; `words`: what it may be, of a word."""

    type: Type
    nodes: int
    levels: int
    words: tuple[str, ...] = ()


@dataclass(slots=True)
class Names:
    """What was named so far: the measure of each expression and rule, and which phrases there are."""

    phrases: set[str] = field(default_factory=set)
    measures: dict[str, Measure] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


def check(source: Source) -> Names:
    """What is named, and the measures of all expressions and rules. Raises BadRules with all that is wrong."""
    names, faults = Names(), list[Fault]()
    knobs = {knob.name: knob for knob in KNOBS}
    for setting in source.settings:
        knob = knobs.pop(setting.name, None)
        if knob is None:
            what = "is set twice" if any(k.name == setting.name for k in KNOBS) else "is no number of a set"
            faults.append(Fault(setting.at, f"{setting.name} {what}", f"those are {', '.join(k.name for k in KNOBS)}"))
        elif not knob.low <= setting.value <= knob.high:
            faults.append(Fault(setting.at, f"{setting.name} lies between {knob.low} and {knob.high}"))
    for phrases in source.phrases:
        if phrases.name in names.phrases:
            faults.append(Fault(phrases.at, f"{phrases.name} has this name already"))
        names.phrases.add(phrases.name)
    for statement in source.order:
        try:
            faults += _named(names, statement.name, statement)
            names.measures[statement.name] = _statement(names, statement)
        except BadRules as bad:
            faults += bad.faults
            names.measures.setdefault(statement.name, Measure("truth", 1, 1))
    if faults:
        raise BadRules(faults)
    return names


def unused(source: Source, names: Names) -> None:
    """Raises BadRules for phrases and expressions that nothing uses."""
    named: list[Phrases | Let] = [*source.phrases, *source.lets]
    faults = [Fault(n.at, f"{n.name} is used by nothing", "take it out") for n in named if n.name not in names.used]
    if faults:
        raise BadRules(faults)


def fact_of(name: Name) -> Fact:
    """The fact that a name stands for. Raises BadRules for none, and for a window that is missing or not kept."""
    fact = BY_NAME.get(name.name)
    if fact is None:
        family = name.name.partition(".")[0]
        near = [known for known in BY_NAME if known.startswith(family)] or list(BY_NAME)
        raise BadRules([Fault(name.at, f"{name.name} is not known", f"there are {', '.join(near)}")])
    windows = ", ".join(WINDOW[w] for w in fact.windows)
    if fact.windows and name.window not in fact.windows:
        raise BadRules([Fault(name.at, f"{fact.name} is counted over {windows}", f"as {fact.keys[0]}")])
    if not fact.windows and name.window is not None:
        raise BadRules([Fault(name.at, f"{fact.name} has no window", "leave the brackets out")])
    return fact


def key_of(name: Name) -> str:
    """Under what the fact of a name is told."""
    return name.name if name.window is None else f"{name.name}({WINDOW[name.window]})"


def _named(names: Names, name: str, statement: Node) -> list[Fault]:
    if name in names.measures or name in TEXTS:
        return [Fault(statement.at, f"{name} has this name already")]
    return []


def _statement(names: Names, statement: Let | Rule) -> Measure:
    if isinstance(statement, Let):
        return _bounded(statement, _measure(names, statement.value))
    if statement.effect == "weigh" and not 0 < statement.weight <= MOST_WEIGHT:
        raise BadRules([Fault(statement.at, f"a weight is above 0 and at most {MOST_WEIGHT}")])
    found = _bounded(statement, _wanted(names, statement.when, "truth"))
    for example in statement.examples:
        for name, value in example.given:
            _given(fact_of(name), value)
    return found


def _bounded(statement: Node, found: Measure) -> Measure:
    if found.nodes > MOST_NODES:
        what = f"{found.nodes} parts are looked at for one text, {MOST_NODES} allowed"
        raise BadRules([Fault(statement.at, what, "two smaller rules cost less than one that says it twice")])
    if found.levels > MOST_LEVELS:
        raise BadRules([Fault(statement.at, f"{found.levels} levels within each other, {MOST_LEVELS} allowed")])
    return found


def _measure(names: Names, expression: Expression) -> Measure:
    match expression:
        case Constant(is_span=is_span):
            return Measure("span" if is_span else "number", 1, 1)
        case Name():
            return _name(names, expression)
        case Has():
            return _has(names, expression)
        case Not(part=part):
            return _around("truth", _wanted(names, part, "truth"))
        case Both(parts=parts):
            return _around("truth", *(_wanted(names, part, "truth") for part in parts))
        case Sum(left=left, right=right):
            return _around("number", _wanted(names, left, "number"), _wanted(names, right, "number"))
        case Compare():
            return _compare(names, expression)


def _name(names: Names, name: Name) -> Measure:
    if known := names.measures.get(name.name):
        if name.window is not None:
            raise BadRules([Fault(name.at, f"{name.name} has no window", "leave the brackets out")])
        names.used.add(name.name)
        return known._replace(nodes=known.nodes + 1, levels=known.levels + 1)
    if name.name in names.phrases:
        raise BadRules([Fault(name.at, f"{name.name} are phrases", f"text has {name.name}")])
    if "." not in name.name:
        hint = "what a rule names is written above it"
        raise BadRules([Fault(name.at, f"{name.name} is no fact, expression or rule above", hint)])
    fact = fact_of(name)
    return Measure(fact.type, 1, 1, fact.choices)


def _has(names: Names, has: Has) -> Measure:
    if has.text not in TEXTS:
        raise BadRules([Fault(has.at, f"{has.text} is no text", f"there are {', '.join(TEXTS)}")])
    if has.phrases not in names.phrases:
        known = ", ".join(sorted(names.phrases)) or "none"
        raise BadRules([Fault(has.at, f"no phrases are called {has.phrases}", f"there are {known}")])
    names.used.add(has.phrases)
    return Measure("truth", 1, 1)


def _compare(names: Names, compare: Compare) -> Measure:
    left = _measure(names, compare.left)
    if left.type == "word":
        return _word(compare, left)
    if left.type == "truth":
        raise BadRules([Fault(compare.at, "what is true or not is not compared", "write it alone, or behind not")])
    if isinstance(compare.left, Constant) and isinstance(compare.right, Constant):
        raise BadRules([Fault(compare.at, "two constants are compared", "it says the same of every text")])
    return _around("truth", left, _wanted(names, compare.right, left.type))


def _word(compare: Compare, left: Measure) -> Measure:
    said = compare.right.name if isinstance(compare.right, Name) and compare.right.window is None else ""
    if compare.operator not in ("==", "!=") or said not in left.words:
        what = "a word is compared by == or != with one that it may be"
        raise BadRules([Fault(compare.at, what, f"one of {', '.join(left.words)}")])
    return _around("truth", left)


def _wanted(names: Names, expression: Expression, type_: Type) -> Measure:
    found = _measure(names, expression)
    if found.type != type_:
        hints = {"span": "as 30s, 10m, 1h, 7d", "number": "as 3 or 0.5", "truth": "compare it with something"}
        raise BadRules([Fault(expression.at, f"a {type_} is wanted, this is a {found.type}", hints.get(type_, ""))])
    return found


def _around(type_: Type, *parts: Measure) -> Measure:
    return Measure(type_, 1 + sum(part.nodes for part in parts), 1 + max(part.levels for part in parts))


def _given(fact: Fact, value: Constant | Name) -> None:
    """That a value may be one of a fact. Raises BadRules."""
    if isinstance(value, Constant):
        fits = value.is_span == (fact.type == "span") and fact.type in ("span", "number")
        fits = fits and fact.low <= value.value <= fact.high
        wanted = f"{fact.low:g} to {fact.high:g}" if fact.type in ("number", "span") else "no number"
    else:
        choices = ("true", "false") if fact.type == "truth" else fact.choices
        fits, wanted = value.name in choices and value.window is None, ", ".join(choices) or "a number"
    if not fits:
        raise BadRules([Fault(value.at, f"{fact.name} is never that", f"{wanted}, a {fact.type}")])
