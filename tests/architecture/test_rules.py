"""The house checks itself: every rule holds for the tree, and each one finds a violation that is planted."""

import ast
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from shared.contracts.topics import GROUP, NOTE, NOTES_DEAD, TOPICS
from tests.architecture.rules import RULES, Rule, budgets, form, imports, purity, words
from tests.architecture.source import handler_modules, modules

ROOT = Path(__file__).parents[2]
EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)

LONG = "\n".join(f"    x = {i}" for i in range(41))
SERVICE = {f"services/{owner}/{name}": "" for owner in {t.owner for t in TOPICS.values()} for name in form.FILES}
SERVICE |= {
    p.replace("app.py", name): ""
    for p in SERVICE
    if p.endswith("app.py")
    for name in ("api.py", "core.py", "handlers.py")
}

CORE = "services/notes/core.py"
HANDLERS = "services/notes/handlers.py"
PLANTED: tuple[tuple[Rule, Mapping[str, str], str], ...] = (
    (
        imports.services_know_no_other_service,
        {"services/notes/api.py": "import services.groups.core"},
        "services.groups",
    ),
    (
        imports.services_know_no_other_service,
        {"services/notes/api.py": "from ..groups import core"},
        "services.groups.core",
    ),
    (
        imports.services_know_no_other_service,
        {"services/notes/api.py": "from services import groups"},
        "services.groups",
    ),
    (
        imports.shared_knows_no_service,
        {"shared/app.py": "def f():\n    from services.notes import app"},
        "services.notes",
    ),
    (imports.products_know_no_tools, {"services/notes/app.py": "import local.stack"}, "local.stack"),
    (imports.products_know_no_tools, {"shared/bus.py": "from tests.fakes import broker"}, "tests.fakes"),
    (imports.products_know_no_tools, {"local/run.py": "from tests import fakes"}, "tests.fakes"),
    (imports.contracts_stand_alone, {"shared/contracts/event.py": "import msgspec"}, "msgspec"),
    (imports.contracts_stand_alone, {"shared/contracts/event.py": "from ..errors import Rejected"}, "shared.errors"),
    (
        imports.contracts_stand_alone,
        {"shared/contracts/event.py": "from shared.contracts import topics"},
        "by its place",
    ),
    (imports.flow_knows_no_driver, {"shared/flow/step.py": "from pymongo.errors import PyMongoError"}, "pymongo"),
    (imports.flow_knows_no_driver, {"shared/flow/step.py": "import aiokafka"}, "aiokafka"),
    (imports.imports_can_be_read, {"shared/app.py": "import importlib\nimportlib.import_module(x)"}, "computed"),
    (purity.core_imports_what_is_pure, {CORE: "import structlog"}, "structlog"),
    (purity.core_imports_what_is_pure, {CORE: "import os"}, "imports os"),
    (purity.core_imports_what_is_pure, {CORE: "from services.notes import store"}, "services.notes.store"),
    (purity.core_imports_what_is_pure, {CORE: "from shared.flow.work import Work"}, "shared.flow.work"),
    (purity.core_imports_what_is_pure, {"services/recommend/core/terms.py": "import time"}, "imports time"),
    (purity.core_imports_what_is_pure, {"services/recommend/placed.py": "import pymongo"}, "pymongo"),
    (purity.core_imports_what_is_pure, {"shared/text/fold.py": "import logging"}, "logging"),
    (purity.handlers_import_what_the_fold_has, {HANDLERS: "from services.notes.store import Store"}, "store"),
    (purity.handlers_import_what_the_fold_has, {HANDLERS: "from shared.mongo import MongoDatabase"}, "shared.mongo"),
    (purity.the_fold_does_not_wait, {CORE: "async def f(): ..."}, "waits"),
    (purity.the_fold_does_not_wait, {HANDLERS: "async def f():\n    await g()"}, ":2: waits"),
    (purity.the_fold_has_no_clock, {CORE: "from datetime import datetime\nx = datetime.now()"}, "now()"),
    (purity.the_fold_has_no_clock, {HANDLERS: "import datetime as d\nx = d.date.today()"}, "today()"),
    (purity.the_fold_has_no_chance, {CORE: "import random"}, "random"),
    (purity.the_fold_has_no_chance, {"services/recommend/core/a.py": "import numpy as np\nnp.random.rand()"}, "random"),
    (purity.the_fold_has_no_chance, {HANDLERS: "from uuid import uuid4"}, "uuid4"),
    (purity.the_fold_does_no_io, {CORE: "def f(path):\n    return open(path).read()"}, "open()"),
    (purity.the_fold_does_no_io, {"services/moderation/core/content.py": "x = hash('a')"}, "hash()"),
    (purity.the_environment_is_read_in_settings, {"services/notes/app.py": "import os\nos.environ['A']"}, "environ"),
    (purity.the_environment_is_read_in_settings, {"shared/app.py": "from os import getenv"}, "getenv"),
    (words.topics_are_named_in_their_table, {"services/notes/app.py": f"TOPIC = {NOTE.name!r}"}, NOTE.name),
    (words.topics_are_named_in_their_table, {"local/run.py": f'"""Reads ``{GROUP.name}``."""'}, GROUP.name),
    (words.topics_are_named_in_their_table, {"tests/test_x.py": 'f"lianyi.{service}.dead.v1"'}, NOTES_DEAD.name),
    (
        words.metrics_are_named_in_telemetry,
        {"shared/bus.py": "NAME = 'lianyi_bus_sent_total'"},
        "lianyi_bus_sent_total",
    ),
    (words.tests_use_no_mocks, {"tests/unit/test_x.py": "from unittest import mock"}, "unittest.mock"),
    (words.tests_use_no_mocks, {"tests/unit/test_x.py": "def test_x(mocker): ..."}, "mocker"),
    (words.products_do_not_print, {"services/notes/app.py": "print('here')"}, "prints"),
    (form.a_service_has_the_files_of_the_design, {**SERVICE, "services/notes/utils.py": ""}, "utils.py: has no place"),
    (form.a_service_has_the_files_of_the_design, {**SERVICE, "services/search/api.py": ""}, "services/search: owns no"),
    (form.a_service_has_the_files_of_the_design, {"services/notes/core.py": ""}, "services/notes/store.py: missing"),
    (
        form.a_service_has_the_files_of_the_design,
        {**SERVICE, "services/notes/core/a.py": ""},
        "services/notes: one core",
    ),
    (
        form.a_service_has_the_files_of_the_design,
        {**SERVICE, "services/notes/api/a.py": ""},
        "services/notes: one HTTP",
    ),
    (
        form.a_service_has_the_files_of_the_design,
        {**SERVICE, "services/notes/handlers/a.py": ""},
        "services/notes: one table of handlers",
    ),
    (form.the_entry_is_three_lines, {"services/notes/__main__.py": "a = 1\nb = 2\nc = 3\nd = 4"}, "4 statements"),
    (form.handlers_end_with_their_table, {HANDLERS: "def router(): ...\ndef late(): ..."}, "without router()"),
    (
        form.handlers_catch_nothing,
        {HANDLERS: "def f():\n    try:\n        g()\n    except KeyError:\n        pass"},
        "catches",
    ),
    (
        form.handlers_end_with_their_table,
        {"services/notes/handlers/__init__.py": "def router(): ...\ndef late(): ..."},
        "without router()",
    ),
    (form.handlers_catch_nothing, {"services/notes/handlers/a.py": "try:\n    f()\nfinally:\n    g()"}, "catches"),
    (
        form.handlers_catch_nothing,
        {HANDLERS: "from contextlib import suppress\nwith suppress(ValueError): f()"},
        "catches",
    ),
    (form.what_is_public_is_documented, {"shared/app.py": "x = 1"}, "the module has no docstring"),
    (form.what_is_public_is_documented, {"shared/app.py": '"""A."""\nclass App: ...'}, "App has no docstring"),
    (
        form.what_is_public_is_documented,
        {"services/notes/api.py": '"""A."""\ndef routes(): ...'},
        "routes has no docstring",
    ),
    (budgets.functions_are_short, {"shared/app.py": f"def f():\n{LONG}"}, "shared/app.py:f: 41 lines"),
    (
        budgets.functions_are_short,
        {"services/notes/api.py": f"class A:\n  def f(self):\n{LONG}"},
        "api.py:A.f: 41 lines",
    ),
    (
        budgets.handlers_are_short,
        {HANDLERS: f"def h(e, w):\n{LONG}\ndef router():\n    t.on(E, lambda e, w: h(e, w), r)"},
        "handlers.py:h: 41 statements",
    ),
    (
        budgets.handlers_are_short,
        {
            "services/notes/handlers/a.py": f"def h(e, w):\n{LONG}",
            "services/notes/handlers/__init__.py": "from a import h\ndef router():\n    t.on(E, h, r)",
        },
        "handlers/a.py:h: 41 statements",
    ),
    (budgets.modules_are_short, {"services/notes/api.py": "x = 1\n" * 401}, "401 lines"),
    (budgets.modules_are_short, {"shared/flow/step.py": "x = 1\n" * 251}, "251 lines"),
    (budgets.parameters_are_few, {"shared/app.py": "def f(a, b, c, *d, e, f, **g): ..."}, "7 parameters"),
    (budgets.raised_budgets_are_of_something, {"shared/telemetry.py": ""}, "Metrics.__init__: is no more"),
)

INNOCENT = {
    CORE: '''
        """Core."""
        import re
        from datetime import datetime, timedelta
        from shared.text import is_question
        from services.notes.settings import Settings
        from shared.flow.documents import Document
        PATTERN = re.compile("now")
        def due(now: datetime) -> datetime:
            """When."""
            return now + timedelta(seconds=1)
    ''',
    HANDLERS: '''
        """Handlers."""
        from services.notes import core
        from shared.contracts.notes import NotePosted
        from shared.flow.router import Router
        def note_posted(event, work):
            """Do it."""
            return work.now
        def router(settings):
            """Table."""
            table = Router("notes")
            table.on(NotePosted, note_posted, lambda e: [])
            return table
    ''',
    "services/notes/api.py": '''
        """HTTP."""
        from pydantic import BaseModel
        class Answer(BaseModel):
            note_id: str
    ''',
    "shared/settings.py": '''
        """Settings."""
        import os
        HOME = os.environ["HOME"]
    ''',
    "shared/contracts/topics.py": f'''
        """Table."""
        from .event import Event
        NOTE = {NOTE.name!r}
    ''',
    "shared/contracts/event.py": '''
        """Events."""
        import re
        from pydantic import BaseModel
        def type_of(topic, name):
            """The type."""
            return f"lianyi.{topic.owner}.{name}.v1"
    ''',
    "shared/flow/step.py": '''
        """Step."""
        from .ports import Database
        DATABASE = f"lianyi_{1}"
    ''',
    "shared/app.py": "",
    "shared/telemetry.py": '''
        """Metrics."""
        class Metrics:
            """Table."""
            def __init__(self):
                self.up = "lianyi_service_up"
    ''',
    "local/run.py": "import services.notes.app\nprint('hello')",
    "tests/test_x.py": "from local import run\nTYPE = 'lianyi.notes.note_posted.v1'",
}
"""Looks like what is forbidden, and is not."""


def plant(root: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), "utf-8")
    return root


@EACH_RULE
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    """The services, what they share and the tests keep every rule of the house."""
    assert rule(ROOT) == []


@pytest.mark.parametrize(
    ("rule", "files", "told"), PLANTED, ids=[f"{r.__name__}-{i}" for i, (r, _, _) in enumerate(PLANTED)]
)
def test_a_planted_violation_is_found(rule: Rule, files: Mapping[str, str], told: str, tmp_path: Path) -> None:
    """A rule that is broken in a small tree is reported, with the place and what is wrong there."""
    found = rule(plant(tmp_path, files))
    assert [line for line in found if told in line], found


@EACH_RULE
def test_a_look_alike_is_no_violation(rule: Rule, tmp_path: Path) -> None:
    """What only looks like a violation is left alone by every rule."""
    files = {**SERVICE, **INNOCENT} if rule is form.a_service_has_the_files_of_the_design else INNOCENT
    assert rule(plant(tmp_path, files)) == []


def test_every_rule_has_a_planted_violation() -> None:
    """No rule is believed that was never seen to fail."""
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


def test_every_rule_stands_in_the_table() -> None:
    """A public function of a module of rules is in RULES, so none is written and forgotten."""
    written = {
        node.name
        for module in (budgets, form, imports, purity, words)
        for node in ast.parse(Path(str(module.__file__)).read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assert written == {rule.__name__ for rule in RULES}


def test_the_rules_see_the_whole_tree() -> None:
    """Every service, the shared packages, local and the tests are among the files that the rules read."""
    seen = {module.path for module in modules(ROOT)}
    assert {module.service for module in handler_modules(ROOT)} == {topic.owner for topic in TOPICS.values()}
    wanted = {f"services/{topic.owner}/app.py" for topic in TOPICS.values()}
    wanted |= {"shared/flow/step.py", "shared/contracts/topics.py", "shared/text/fold.py", "local/stack.py"}
    assert wanted <= seen
    assert len(seen) > 100
