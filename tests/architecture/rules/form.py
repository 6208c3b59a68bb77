"""What a service's files look like, so that a reader of one knows the others."""

import ast
from pathlib import Path

from shared.contracts import TOPICS
from tests.architecture.source import Function, Module, documented, handler_modules, nodes, under

FILES = {"__init__.py", "__main__.py", "app.py", "settings.py", "store.py", "README.md"}
API = {"api.py", "api"}
CORE = {"core.py", "core"}
HANDLERS = {"handlers.py", "handlers"}
ALLOWED = {"commands.py", "state.py"}
BESIDE = {
    "moderation": {"past.py", "report.py", "view.py"},
    "recommend": {"past.py", "placed.py", "view.py", "weights.py"},
}
"""What a service may have beside them: a part of its core that is long, its state, a view, its first rules, what its
commands read and show, weights that a file may change."""


def a_service_has_the_files_of_the_design(root: Path) -> list[str]:
    """Each service of the topics table is a folder with the same files; what stands beside them is listed here."""
    told: list[str] = []
    folder = root / "services"
    wanted = {topic.owner for topic in TOPICS.values()}
    found = {path.name for path in folder.iterdir() if path.name not in ("__init__.py", "__pycache__")}
    told += [f"services/{name}: owns no topic, or is no folder" for name in sorted(found - wanted)]
    told += [f"services/{name}: missing" for name in sorted(wanted - found)]
    for service in sorted(wanted & found):
        there = {path.name for path in (folder / service).iterdir() if path.name != "__pycache__"}
        told += [f"services/{service}/{name}: missing" for name in sorted(FILES - there)]
        beyond = there - FILES - API - CORE - HANDLERS - ALLOWED - BESIDE.get(service, set())
        told += [f"services/{service}/{name}: has no place in the design" for name in sorted(beyond)]
        for what, forms in (("HTTP", API), ("core", CORE), ("table of handlers", HANDLERS)):
            if len(there & forms) != 1:
                told.append(f"services/{service}: one {what}, {' or '.join(sorted(forms))}")
    return told


def the_entry_is_three_lines(root: Path) -> list[str]:
    """``__main__.py`` hands over to ``shared.entry.main`` and has no logic of its own."""
    return [
        f"{module.path}: {len(module.tree.body)} statements"
        for module in under(root, "services")
        if module.path.endswith("/__main__.py") and len(module.tree.body) > 3
    ]


def handlers_end_with_their_table(root: Path) -> list[str]:
    """The last thing in handlers.py (or handlers/__init__.py) is ``def router(...)``, the table of what is handled."""
    return [
        f"{module.path}: ends without router()"
        for module in handler_modules(root)
        if module.path.endswith(("/handlers.py", "/handlers/__init__.py"))
        and [node.name for node in module.tree.body[-1:] if isinstance(node, ast.FunctionDef)] != ["router"]
    ]


def handlers_catch_nothing(root: Path) -> list[str]:
    """The lane decides what an error means for the delivery, so no handler swallows one."""
    return [
        module.at(node, "catches an error")
        for module in handler_modules(root)
        for node in nodes(module)
        if isinstance(node, ast.Try | ast.TryStar)
        or (isinstance(node, ast.Attribute | ast.Name) and _name(node) in ("suppress", "ExitStack"))
    ]


def what_is_public_is_documented(root: Path) -> list[str]:
    """Every public module, class and function of the products says what it is.

    Plain answers of the HTTP API are named and typed by their fields; an empty module and ``__main__`` need no words.
    """
    told: list[str] = []
    for module in under(root, "shared", "services"):
        if module.tree.body and not module.path.endswith("__main__.py") and not documented(module.tree):
            told.append(f"{module.path}: the module has no docstring")
        public = (n for n in module.tree.body if isinstance(n, ast.ClassDef | Function) and not n.name.startswith("_"))
        bare = (node for node in public if not documented(node) and not _is_plain_answer(module, node))
        told += [module.at(node, f"{node.name} has no docstring") for node in bare]
    return told


def _is_plain_answer(module: Module, node: ast.ClassDef | Function) -> bool:
    if not isinstance(node, ast.ClassDef):
        return False
    plain = all(isinstance(part, ast.AnnAssign) for part in node.body)
    answers = module.path.endswith("/api.py") or "/api/" in module.path
    return answers and [_name(base) for base in node.bases] == ["BaseModel"] and plain


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
