"""What a release brings with it, as files beside the code."""

from collections.abc import Iterable
from pathlib import Path

from shared.rules import RuleSet, ruleset

BASE = Path(__file__).parent / "rules" / "base.rules"
"""The rules that are in force until the first change of them."""


def base_rules() -> RuleSet:
    """The rules of the release. Raises BadRules, which a test rules out."""
    return ruleset(BASE.read_text("utf-8"))


def unknown_rules(names: Iterable[str]) -> list[str]:
    """Those of the names that no rule of the release has."""
    return sorted(set(names) - {rule.name for rule in base_rules().rules})
