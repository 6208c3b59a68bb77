"""What is written in one place only, and what is written nowhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from shared.contracts import TOPICS
from tests.architecture.source import HOLE, Module, called, imports, nodes, strings, under, within

TOPIC_TABLE = "shared/contracts/topics.py"
METRIC_TABLE = "shared/telemetry.py"
_METRIC = re.compile(r"lianyi_[a-z0-9]+_[a-z0-9_]+")
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_MOCKS = ("unittest.mock", "mock", "pytest_mock")
_MOCK_NAMES = {"MagicMock", "AsyncMock", "NonCallableMock", "mocker"}


def topics_are_named_in_their_table(root: Path) -> list[str]:
    """No string outside the table of topics is a topic's name, nor an f-string that makes one.

    Types of events look alike (``lianyi.notes.note_posted.v1``) and may be written out in tests.
    """
    told: list[str] = []
    for module in under(root, "shared", "services", "local", "tests"):
        if module.path != TOPIC_TABLE:
            told += [module.at(node, f"names {name}") for node, text in strings(module) for name in _topics(text)]
    return told


def _topics(text: str) -> Iterator[str]:
    if HOLE not in text:
        yield from (word for word in _WORD.findall(text) if word.strip(".") in TOPICS)
        return
    parts = text.split(".")
    # With a hole for what it is about, it is as likely the type of an event.
    if len(parts) == 4 and HOLE not in parts[2]:
        pattern = re.compile("[a-z0-9_.]+".join(map(re.escape, text.split(HOLE))))
        yield from (name for name in list(TOPICS)[:] if pattern.fullmatch(name))


def metrics_are_named_in_telemetry(root: Path) -> list[str]:
    """No string of a product outside telemetry is a metric's name."""
    return [
        module.at(node, f"names {found[0]}")
        for module in under(root, "shared", "services")
        for node, text in strings(module)
        if module.path != METRIC_TABLE and (found := _METRIC.search(text))
    ]


def tests_use_no_mocks(root: Path) -> list[str]:
    """What stands in for the world is a small real implementation, never a mock whose calls are pinned."""
    told: list[str] = []
    for module in under(root, "tests"):
        told += [module.at(node, f"imports {name}") for node, name in imports(module) if within(name, *_MOCKS)]
        told += [module.at(node, f"uses {name}") for node, name in _used(module) if name in _MOCK_NAMES]
    return told


def products_do_not_print(root: Path) -> list[str]:
    """A service speaks by its log; ``local`` and the tests speak to a person."""
    return [
        module.at(node, "prints")
        for module in under(root, "shared", "services")
        for node in nodes(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and called(node) in ("print", "pprint")
    ]


def _used(module: Module) -> Iterator[tuple[ast.AST, str]]:
    for node in nodes(module):
        if isinstance(node, ast.Name):
            yield node, node.id
        elif isinstance(node, ast.Attribute):
            yield node, node.attr
        elif isinstance(node, ast.arg):
            yield node, node.arg
