"""Cut a broken plan down to what it needs, and write it as Python, so that it can be kept."""

from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from typing import Any, TypeVar

from tests.simulation.plan import WEEK, Plan

T = TypeVar("T")
Broken = Callable[[Plan], bool]


def least(plan: Plan, broken: Broken) -> Plan:
    """The same plan with as few faults and commands as still break something, on round times if these do."""
    plan = fewest(plan, broken)
    plan = replace(plan, asks=_fewest(plan.asks, lambda asks: broken(replace(plan, asks=asks))))
    plain: list[dict[str, Any]] = [
        {"skew": 0.0},
        {"inputs": 200},
        {"outbox": 1_000_000},
        {"deaths": 50},
        {"horizon": WEEK},
    ]
    for simpler in (*plain, *({"nodes": nodes} for nodes in _fewer(plan))):
        tried = replace(plan, **simpler)
        if broken(tried):
            plan = tried
    for digits in (1, 2, 3):
        tried = replace(plan, asks=_rounded(plan.asks, digits), faults=_rounded(plan.faults, digits))
        if broken(tried):
            return tried
    return plan


def fewest(plan: Plan, broken: Broken) -> Plan:
    """The same plan with as few faults as still break something."""
    return replace(plan, faults=_fewest(plan.faults, lambda faults: broken(replace(plan, faults=faults))))


def _fewest(parts: tuple[T, ...], broken: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """Halves are left out first, then quarters, and one by one in the end."""
    size = max(1, len(parts) // 2)
    while parts:
        start = 0
        while start < len(parts):
            fewer = parts[:start] + parts[start + size :]
            if broken(fewer):
                parts = fewer
            else:
                start += size
        if size == 1:
            break
        size //= 2
    return parts


def _fewer(plan: Plan) -> list[dict[str, int]]:
    """One process less of one service."""
    return [{**plan.nodes, service: count - 1} for service, count in plan.nodes.items() if count > 1]


def _rounded(parts: tuple[Any, ...], digits: int) -> tuple[Any, ...]:
    def near(part: Any) -> Any:
        times = {f.name: round(getattr(part, f.name), digits) for f in fields(part) if f.type is float}
        return replace(part, **times)

    return tuple(near(part) for part in parts)


def literal(plan: Plan) -> str:
    """The plan as Python, without what goes without saying; ``ruff format`` puts it into shape."""
    return _literal(plan)


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + "".join(f"{_literal(part)}, " for part in value) + ")"
    if not hasattr(value, "__dataclass_fields__"):
        return repr(value)
    said = [
        f"{f.name}={_literal(getattr(value, f.name))}"
        for f in fields(value)
        if f.default is MISSING or getattr(value, f.name) != f.default
    ]
    return f"{type(value).__name__}({', '.join(said)})"
