"""A set of rules that may be used: made of a source as a whole, or not at all."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from hashlib import sha256
from typing import NamedTuple

from shared.rules.check import check, key_of, unused
from shared.rules.errors import BadRules, Fault, Place
from shared.rules.evaluate import Builder, Holds
from shared.rules.glance import Glance
from shared.rules.parser import parse
from shared.rules.phrases import Room, Table, table_of
from shared.rules.prove import prove
from shared.rules.sense import needs
from shared.rules.sight import OF_TEXT, Sight
from shared.rules.syntax import Both, Compare, Constant, Effect, Expression, Has, Let, Name, Not, Source, Sum
from shared.rules.syntax import Rule as Statement
from shared.rules.vocabulary import COUNTED, KNOBS, Value
from shared.text import VERSION as TEXT_VERSION

LANGUAGE = 1
"""Part of every version: another meaning of the same source is another set."""
MOST_STEPS = 100_000
"""Characters compared at one place of a text, at most, by a whole set."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that may be asked.

    place       which one of the set it is
    tables      those it wants a text to have
    sign        the table, where the text's having one of its phrases is the whole condition
    facts       the keys that it may ask for
    needs       those of them, what counters tell apart, without which it never holds
    """

    name: str
    place: int
    why: str
    effect: Effect
    weight: float
    holds: Holds
    tables: tuple[Table, ...]
    sign: Table | None
    facts: frozenset[str]
    needs: frozenset[str]


class Asked(NamedTuple):
    """Rules to ask about a text, and those of them that can hold, now or once more is known, in one where no table has
    found anything: most texts are such, and most rules want something of a table.
    """

    rules: tuple[Rule, ...]
    bare: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """Rules, and the numbers of the set.

    version     twelve hex digits that change with the source, the normalisation and the language
    by_text     the rules that only the text decides
    others      all but these
    of_text     those of `others` that can hold before counters have told anything
    tables      what its rules look for in a text
    glance      tells for many texts at once which of these find nothing
    steps       characters compared at one place of a text, at most
    parts       parts of expressions that are looked at for one text, at most
    """

    version: str
    source: str
    by_text: Asked
    others: Asked
    of_text: Asked
    by_name: Mapping[str, Rule]
    tables: tuple[Table, ...]
    glance: Glance
    threshold: float
    least: int
    reach: int
    caution: float
    steps: int
    parts: int

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All of them."""
        return tuple(self.by_name.values())

    @property
    def why(self) -> Mapping[str, str]:
        """What each rule means to the author of a text."""
        return {rule.name: rule.why for rule in self.rules}

    def asking(self, waiting: Collection[str], family: str) -> tuple[str, ...]:
        """Those of the rules named that ask for a fact whose key begins so."""
        named = (self.by_name.get(name) for name in waiting)
        return tuple(rule.name for rule in named if rule and any(key.startswith(family) for key in rule.facts))

    def asks(self, family: str) -> bool:
        """Whether any of them asks for a fact whose key begins so."""
        return any(key.startswith(family) for rule in self.rules for key in rule.facts)

    def may_speak(self, waiting: Collection[str], facts: Mapping[str, Value]) -> bool:
        """Whether one of the rules named that ask for these facts could hold, whatever the text and the rest are."""
        sight = Sight(None, None, facts)
        for name in waiting:
            rule = self.by_name.get(name)
            if rule is not None and not rule.facts.isdisjoint(facts) and rule.holds(sight) is not False:
                return True
        return False


@lru_cache(maxsize=8)
def ruleset(source: str, off: tuple[str, ...] = ()) -> RuleSet:
    """The set of a source; without the rules named in `off`, which say nothing then.

    Raises:
        BadRules: it does not parse, its types do not fit, it costs too much, it contradicts itself, or an example of a
            rule comes out otherwise.
    """
    statements = parse(source)
    names = check(statements)
    needed = needs(statements)
    tables = _tables(statements)
    asked = _asked(statements)
    places = {place for rule in statements.rules for place in asked[rule.name].places}
    steps = sum(tables[name].steps for _, name in places)
    if steps > MOST_STEPS:
        raise BadRules([Fault(Place(1, 1), f"{steps} steps at one place at worst, {MOST_STEPS} allowed")])
    made = _rules(statements, tables, asked, needed, names.used)
    unused(statements, names)
    prove(statements, {name: rule.holds for name, rule in made.items()})
    looked_for = tuple(tables[name] for name in sorted({name for text, name in places if text == "text"}))
    bare = Sight(None, None)
    bare.spans.update(dict.fromkeys(looked_for))
    on = [rule for name, rule in made.items() if name not in off]
    plain = {name for name, w in asked.items() if w.facts <= OF_TEXT.keys() and {t for t, _ in w.places} <= {"text"}}
    others = [rule for rule in on if rule.name not in plain]
    numbers = {knob.name: knob.default for knob in KNOBS} | {s.name: s.value for s in statements.settings}
    told = repr((LANGUAGE, TEXT_VERSION, source, sorted(set(off) & made.keys())))
    return RuleSet(
        version=sha256(told.encode()).hexdigest()[:12],
        source=source,
        by_text=_askable([rule for rule in on if rule.name in plain], bare),
        others=_askable(others, bare),
        of_text=_askable([rule for rule in others if not needed[rule.name] & COUNTED], bare),
        by_name={rule.name: rule for rule in on},
        tables=looked_for,
        glance=Glance(looked_for),
        threshold=numbers["threshold"],
        least=int(numbers["least"]),
        reach=int(numbers["reach"]),
        caution=numbers["caution"],
        steps=steps,
        parts=sum(names.measures[rule.name].nodes for rule in statements.rules),
    )


def _askable(rules: Sequence[Rule], bare: Sight) -> Asked:
    return Asked(tuple(rules), tuple(rule for rule in rules if rule.holds(bare) is not False))


class _Wanted(NamedTuple):
    """What a condition may ask for: places (text, table), the tables that it wants in the text itself, facts."""

    places: frozenset[tuple[str, str]] = frozenset()
    wanted: tuple[str, ...] = ()
    facts: frozenset[str] = frozenset()

    def __or__(self, other: "_Wanted") -> "_Wanted":
        wanted = tuple(dict.fromkeys((*self.wanted, *other.wanted)))
        return _Wanted(self.places | other.places, wanted, self.facts | other.facts)


def _tables(source: Source) -> Mapping[str, Table]:
    made: dict[str, Table] = {}
    faults: list[Fault] = []
    room = Room()
    for phrases in source.phrases:
        try:
            made[phrases.name] = table_of(phrases, room)
        except BadRules as bad:
            faults += bad.faults
    if faults:
        raise BadRules(faults)
    return made


def _asked(source: Source) -> Mapping[str, _Wanted]:
    """What each named expression and rule asks for, with what stands behind the names in it."""
    found: dict[str, _Wanted] = {}
    for statement in source.order:
        condition = statement.value if isinstance(statement, Let) else statement.when
        found[statement.name] = _asks(condition, found)
    return found


def _asks(expression: Expression, named: Mapping[str, _Wanted]) -> _Wanted:
    match expression:
        case Constant():
            return _Wanted()
        case Name(name=name):
            return named.get(name) or _Wanted(facts=frozenset({key_of(expression)}))
        case Has(text=text, phrases=phrases):
            return _Wanted(frozenset({(text, phrases)}), (phrases,) if text == "text" else ())
        case Not(part=part):
            return _asks(part, named)._replace(wanted=())
        case Both(parts=parts):
            return reduce(_Wanted.__or__, (_asks(part, named) for part in parts))
        case Compare(left=left, right=right) | Sum(left=left, right=right):
            return _asks(left, named) | _asks(right, named)


def _rules(
    source: Source,
    tables: Mapping[str, Table],
    asked: Mapping[str, _Wanted],
    needed: Mapping[str, frozenset[str]],
    used: Collection[str],
) -> Mapping[str, Rule]:
    builder, made = Builder(tables), dict[str, Rule]()
    for statement in source.order:
        condition = statement.value if isinstance(statement, Let) else statement.when
        holds = builder.name(statement.name, condition, statement.name in used)
        if isinstance(statement, Statement):
            made[statement.name] = Rule(
                name=statement.name,
                place=len(made),
                why=statement.why,
                effect=statement.effect,
                weight=statement.weight,
                holds=holds,
                tables=tuple(tables[name] for name in asked[statement.name].wanted),
                sign=_sign(condition, tables),
                facts=asked[statement.name].facts,
                needs=needed[statement.name] - COUNTED,
            )
    return made


def _sign(condition: Expression, tables: Mapping[str, Table]) -> Table | None:
    plain = isinstance(condition, Has) and condition.text == "text" and not condition.disguised
    return tables[condition.phrases] if isinstance(condition, Has) and plain else None
