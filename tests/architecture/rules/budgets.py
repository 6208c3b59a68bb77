"""How long things may be. A budget that would hurt a good design is raised here, with the reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import Function, Module, documented, functions, handler_modules, nodes, under

BODY = 40
"""Lines of code of a function: no docstring, comment or blank line, and nothing of a function inside it."""
HANDLER = 15
"""Statements of a handler: an event whose seven fields are set on a line each is one."""
MODULE = 400
SHARED_MODULE = 250
PARAMETERS = 6

RAISED: dict[str, tuple[int, str]] = {
    "shared/telemetry.py:Metrics.__init__": (60, "the table of metrics: a name and a sentence each, nothing to split"),
    "shared/app.py": (320, "start and stop of a process are one story, whose order matters from end to end"),
}
"""``path`` or ``path:qualified name`` -> its own budget, and why."""


def functions_are_short(root: Path) -> list[str]:
    """No function of the products or of ``local`` has a longer body than the budget."""
    told: list[str] = []
    for module in under(root, "shared", "services", "local"):
        for name, function in functions(module):
            told += _over(f"{module.path}:{name}", len(_body(module, function)), BODY, "lines")
    return told


def handlers_are_short(root: Path) -> list[str]:
    """No function in a router's table, nor one that a lambda there calls, has more statements than the budget."""
    told: list[str] = []
    handlers = handler_modules(root)
    tables = [m for m in handlers if any(name == "router" for name, _ in functions(m))]
    for module in handlers:
        named = {name for table in tables if table.service == module.service for name in _handled(table)}
        for name, function in functions(module):
            if name in named:
                count = sum(isinstance(node, ast.stmt) for part in function.body for node in ast.walk(part))
                told += _over(f"{module.path}:{name}", count - documented(function), HANDLER, "statements")
    return told


def modules_are_short(root: Path) -> list[str]:
    """No module is longer than can be read at one sitting; what four services depend on is shorter still.

    A module of tests is a list of facts, which nobody reads from end to end.
    """
    told: list[str] = []
    for module in under(root, "shared", "services", "local"):
        budget = SHARED_MODULE if module.path.startswith("shared/") else MODULE
        told += _over(module.path, len(module.lines), budget, "lines")
    return told


def parameters_are_few(root: Path) -> list[str]:
    """Nothing takes more parameters than the budget, named ones included; ``self`` and ``cls`` are none."""
    told: list[str] = []
    for module in under(root, "shared", "services", "local"):
        for name, function in functions(module):
            told += _over(f"{module.path}:{name}", _parameters(function), PARAMETERS, "parameters")
    return told


def raised_budgets_are_of_something(root: Path) -> list[str]:
    """A budget that was raised for something goes when the thing is gone."""
    files = list(under(root, "shared", "services", "local"))
    found = {module.path for module in files} | {f"{m.path}:{name}" for m in files for name, _ in functions(m)}
    return [f"{place}: is no more" for place in RAISED if place not in found]


def _over(place: str, found: int, budget: int, what: str) -> Iterator[str]:
    budget = RAISED.get(place, (budget, ""))[0]
    if found > budget:
        yield f"{place}: {found} {what}, {budget} allowed"


def _body(module: Module, function: Function) -> set[int]:
    body = function.body[1:] if documented(function) else function.body
    if not body:
        return set()
    lines = set(range(_first(body[0]), (function.end_lineno or 0) + 1))
    for node in ast.walk(function):
        if node is not function and isinstance(node, Function):
            lines -= set(range(_first(node), (node.end_lineno or 0) + 1))
    text = module.lines
    return {line for line in lines if text[line - 1].strip() and not text[line - 1].lstrip().startswith("#")}


def _first(node: ast.stmt) -> int:
    decorated: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorated)])


def _handled(table: Module) -> Iterator[str]:
    """Names given to ``on`` as the second argument, and names called by a lambda that stands there."""
    for node in nodes(table):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "on":
            for part in ast.walk(node.args[1]):
                if isinstance(part, ast.Name):
                    yield part.id


def _parameters(function: Function) -> int:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    if plain and plain[0].arg in ("self", "cls"):
        plain = plain[1:]
    return len(plain) + len(given.kwonlyargs) + sum(rest is not None for rest in (given.vararg, given.kwarg))
