"""The language of rules: parsed, checked, costed and proved before anything is judged by it; pure.

`ruleset` makes a set of a source as a whole or raises BadRules with line, column and a hint for each fault. `judge`
asks it about a `Sight`. The reference page, docs/rules.md, is made of this package (`python -m deploy.language`).
"""

from shared.rules.errors import BadRules, Fault, Place
from shared.rules.hosts import hosts
from shared.rules.judge import Judgement, Reason, judge, needed
from shared.rules.lexer import MOST_SOURCE
from shared.rules.page import EXAMPLE
from shared.rules.ruleset import Rule, RuleSet, ruleset
from shared.rules.sight import Sight, Truth
from shared.rules.vocabulary import MOST_COUNTED, Value

__all__ = [
    "EXAMPLE",
    "MOST_COUNTED",
    "MOST_SOURCE",
    "BadRules",
    "Fault",
    "Judgement",
    "Place",
    "Reason",
    "Rule",
    "RuleSet",
    "Sight",
    "Truth",
    "Value",
    "hosts",
    "judge",
    "needed",
    "ruleset",
]
