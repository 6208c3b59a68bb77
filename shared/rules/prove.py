"""A set is taken only if its rules do what their examples say."""

from collections.abc import Mapping

from shared.rules.check import key_of
from shared.rules.errors import BadRules, Fault, Place
from shared.rules.evaluate import Holds
from shared.rules.sight import Sight
from shared.rules.syntax import Constant, Example, Source
from shared.rules.vocabulary import Value
from shared.text import normalise

MOST_EXAMPLES = 20_000
"""Characters of all examples of a set, since all are tried before it is taken."""


def prove(source: Source, holds: Mapping[str, Holds]) -> None:
    """Raises BadRules where an example of a rule comes out otherwise."""
    faults: list[Fault] = []
    if sum(len(example.text) for rule in source.rules for example in rule.examples) > MOST_EXAMPLES:
        raise BadRules([Fault(Place(1, 1), f"more than {MOST_EXAMPLES} characters of examples")])
    for rule in source.rules:
        for example in rule.examples:
            if (holds[rule.name](_seen(example)) is True) != example.catches:
                what = "is not caught" if example.catches else "is caught"
                faults.append(Fault(example.at, f"{rule.name}: the example {what}", _read(example)))
    if faults:
        raise BadRules(faults)


def _seen(example: Example) -> Sight:
    facts: dict[str, Value] = {}
    for name, value in example.given:
        truths = {"true": True, "false": False}
        facts[key_of(name)] = value.value if isinstance(value, Constant) else truths.get(value.name, value.name)
    before = None if example.before is None else normalise(example.before)
    return Sight(example.text, normalise(example.text), facts, before)


def _read(example: Example) -> str:
    return f"it reads {normalise(example.text).text[:80]!r}"
