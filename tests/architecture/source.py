"""The tree as the rules see it: Python files, parsed once, with their imports as absolute names."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
HOLE = "\0"
"""Stands for a placeholder in the text of an f-string."""


@dataclass(frozen=True, slots=True)
class Module:
    """One file; ``path`` is relative to the root, with slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> list[str]:
        """The package that relative imports start from."""
        return self.path.split("/")[:-1]

    @property
    def service(self) -> str:
        """The service that the file is of, or nothing."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "services" and len(parts) > 2 else ""

    @property
    def lines(self) -> list[str]:
        """The file, line by line."""
        return self.text.splitlines()

    def at(self, node: ast.AST, what: str) -> str:
        """A violation, in words."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"


@cache
def modules(root: Path) -> tuple[Module, ...]:
    """Every Python file under ``root`` but those of hidden folders, in the order of their paths."""
    found = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if not any(part.startswith(".") or part == "build" for part in relative.parts):
            text = path.read_text("utf-8")
            found.append(Module(relative.as_posix(), text, ast.parse(text)))
    return tuple(found)


def under(root: Path, *folders: str) -> Iterator[Module]:
    """The files in these folders, or these files themselves."""
    for module in modules(root):
        if any(module.path == folder or module.path.startswith(f"{folder}/") for folder in folders):
            yield module


def handler_modules(root: Path) -> list[Module]:
    """The handlers of each service: one file, or a package with the table in its ``__init__``."""
    return [m for m in under(root, "services") if m.path.split("/")[2:3] in (["handlers.py"], ["handlers"])]


def nodes(module: Module) -> Iterator[ast.AST]:
    """Everything in the file."""
    yield from ast.walk(module.tree)


def imports(module: Module) -> Iterator[tuple[ast.stmt, str]]:
    """Every name that is imported, wherever it stands, as ``package.module.name``."""
    for node in nodes(module):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.package[: len(module.package) - node.level + 1] if node.level else []
            stem = ".".join([*package, *([node.module] if node.module else [])])
            yield from ((node, f"{stem}.{alias.name}") for alias in node.names)


def within(name: str, *packages: str) -> bool:
    """Whether an imported name is one of these packages or in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def strings(module: Module) -> Iterator[tuple[ast.expr, str]]:
    """Every string of the file, docstrings too; an f-string once, with holes."""
    inner = {id(part) for node in nodes(module) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes(module):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else HOLE for p in node.values)
            yield node, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node, node.value


def functions(module: Module) -> Iterator[tuple[str, Function]]:
    """Every function of the file with its qualified name, methods and nested ones too."""
    yield from _functions(module.tree, "")


def _functions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(parent):
        named = isinstance(node, Function | ast.ClassDef)
        name = f"{prefix}{node.name}" if isinstance(node, Function | ast.ClassDef) else ""
        if isinstance(node, Function):
            yield name, node
        yield from _functions(node, f"{name}." if named else prefix)


def called(node: ast.AST) -> str:
    """The last part of the name that is called, or nothing for what is no call: ``now`` of ``datetime.now()``."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def documented(node: ast.Module | ast.ClassDef | Function) -> bool:
    """Whether it has a docstring."""
    return ast.get_docstring(node) is not None
