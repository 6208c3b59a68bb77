"""What a rule of the domain may touch: its arguments, and nothing else of the world."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.architecture.source import Module, called, handler_modules, imports, nodes, under, within

BESIDE_CORE = ("services/recommend/placed.py",)
"""Rules and state that stand beside a core for its length; they are held to the same."""
CORES = (
    "services/*/core.py",
    "services/*/core/*.py",
    "shared/text/*.py",
    "shared/rules/*.py",
    "shared/place.py",
    "shared/judging/*.py",
    *BESIDE_CORE,
)

PURE_LIBRARIES = (
    *("abc", "base64", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions"),
    *("functools", "hashlib", "heapq", "html", "itertools", "json", "math", "operator", "re", "statistics", "string"),
    *("array", "types", "typing", "unicodedata", "zlib", "msgspec", "numpy", "h3"),
)
PURE_SHARED = (
    "shared.contracts",
    "shared.errors",
    "shared.flow.documents",
    "shared.judging",
    "shared.place",
    "shared.rules",
    "shared.text",
)
FOLD = ("shared.flow.known", "shared.flow.parts", "shared.flow.router", "shared.flow.work", "shared.gate")
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter", "time_ns"}
WORLD = {"open", "print", "input", "exec", "eval", "compile", "breakpoint", "hash", "id"}
"""Builtins that reach out, or that differ from one process to the next."""
ENVIRONMENT = {"environ", "environb", "getenv", "putenv"}
SETTINGS = "shared/settings.py"


def core_imports_what_is_pure(root: Path) -> list[str]:
    """A core imports its own service's core and settings, the pure part of ``shared``, and pure libraries."""
    told: list[str] = []
    for module in _cores(root):
        beside = [f"services.{module.service}.{Path(p).stem}" for p in BESIDE_CORE if f"/{module.service}/" in p]
        own = [f"services.{module.service}.{name}" for name in ("core", "settings")] if module.service else []
        told += _beyond(module, *PURE_LIBRARIES, *PURE_SHARED, *own, *beside)
    return told


def handlers_import_what_the_fold_has(root: Path) -> list[str]:
    """Handlers see core, settings, state and views of their service, the language, and the working set."""
    told: list[str] = []
    for module in handler_modules(root):
        files = ("core", "handlers", "settings", "placed", "state", "view")
        own = [f"services.{module.service}.{name}" for name in files]
        told += _beyond(module, *PURE_LIBRARIES, *PURE_SHARED, *FOLD, *own)
    return told


def the_fold_does_not_wait(root: Path) -> list[str]:
    """Neither core nor handlers have ``async def`` or ``await``: what they need is there when they begin."""
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return [m.at(node, "waits") for m in _folded(root) for node in nodes(m) if isinstance(node, waits)]


def the_fold_has_no_clock(root: Path) -> list[str]:
    """The time of a decision is the input's; nobody in the fold looks at a clock."""
    return [
        module.at(node, f"asks a clock by {called(node)}()")
        for module in _folded(root)
        for node in nodes(module)
        if called(node) in CLOCKS
    ]


def the_fold_has_no_chance(root: Path) -> list[str]:
    """A replay decides alike: no ``random``, no ``uuid4``, no ``secrets``, not even numpy's."""
    chance = {"random", "secrets", "uuid1", "uuid4", "urandom", "default_rng"}
    return [m.at(node, f"uses {name}") for m in _folded(root) for node, name in _names(m) if name in chance]


def the_fold_does_no_io(root: Path) -> list[str]:
    """Nothing in the fold opens, prints, or asks a builtin whose answer differs between processes."""
    return [
        module.at(node, f"calls {called(node)}()")
        for module in _folded(root)
        for node in nodes(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLD
    ]


def the_environment_is_read_in_settings(root: Path) -> list[str]:
    """``shared/settings.py`` alone reads the environment; everybody else is given what was read."""
    return [
        module.at(node, f"reads {name}")
        for module in under(root, "shared", "services")
        for node, name in _names(module)
        if name in ENVIRONMENT and module.path != SETTINGS
    ]


def _cores(root: Path) -> Iterator[Module]:
    yield from _matching(root, *CORES)


def _matching(root: Path, *patterns: str) -> Iterator[Module]:
    for module in under(root, "services", "shared"):
        if any(fnmatch(module.path, pattern) for pattern in patterns):
            yield module


def _folded(root: Path) -> Iterator[Module]:
    yield from _cores(root)
    yield from handler_modules(root)


def _beyond(module: Module, *allowed: str) -> Iterator[str]:
    for node, name in imports(module):
        if not within(name, *allowed):
            yield module.at(node, f"imports {name}")


def _names(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Every name that is used or imported."""
    for node in nodes(module):
        if isinstance(node, ast.Name):
            yield node, node.id
        elif isinstance(node, ast.Attribute):
            yield node, node.attr
        elif isinstance(node, ast.alias):
            yield from ((node, part) for part in node.name.split("."))
