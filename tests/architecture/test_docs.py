"""What the documents say, held against the code: settings, topics, inputs, routes, targets, metrics, links."""

import argparse
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from shared import ops
from shared.app import App
from shared.contracts import EVENTS, TOPICS
from shared.desk import Desk
from shared.settings import Settings
from shared.telemetry import GateMetrics, LaneGauges, Metrics, ModelGauges, ModelReport

ROOT = Path(__file__).resolve().parents[2]
SERVICES = tuple(dict.fromkeys(topic.owner for topic in TOPICS.values()))
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)
ADRS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
EACH_ADR = pytest.mark.parametrize("adr", ADRS, ids=[path.stem for path in ADRS])
PARTS = ["Context", "Decision", "Consequences", "What would change our mind"]
DOCS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/*/*.md"), ROOT / "shared/contracts/README.md"]
)
EACH_DOC = pytest.mark.parametrize("doc", DOCS, ids=[str(path.relative_to(ROOT)) for path in DOCS])
EXAMPLES: dict[str, Any] = {"kafka": "k:9092", "mongo": "mongodb://m", "jwks": "http://i/jwks.json", "issuer": "i"}

Rows = list[tuple[str, ...]]


def section(text: str, title: str) -> str:
    """What stands between a heading and the next one."""
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", text, re.M | re.S)
    assert found, f"no section {title!r}"
    return found[1]


def rows(text: str) -> Rows:
    """The cells of the first table in a text, without its head; code marks are taken off."""
    lines = re.search(r"(?:^\|.*\|\n)+", text, re.M)
    assert lines, "no table"
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line.strip())[1:-1]] for line in lines[0].splitlines()[2:]]
    return [tuple(_plain(cell) for cell in line) for line in cells]


def _plain(cell: str) -> str:
    code = re.fullmatch(r"`([^`]*)`", cell)
    return (code[1] if code else cell).replace("\\|", "|")


def of_service(service: str) -> tuple[str, App]:
    """A service's README and what its composition root declares."""
    text = (ROOT / "services" / service / "README.md").read_text("utf-8")
    return text, import_module(f"services.{service}.app").APP


def shown(field: FieldInfo) -> str:
    """A default as the tables show it: as it would stand in the environment."""
    if field.is_required():
        return "required"
    adapter: TypeAdapter[Any] = TypeAdapter(cast("Any", field.annotation))
    value = adapter.dump_python(field.default, mode="json", exclude_defaults=True)
    return (value or "empty") if isinstance(value, str) else json.dumps(value)


def settings(kind: type[Settings]) -> Rows:
    """Variable, default and meaning of every setting."""
    fields = kind.model_fields.items()
    return [(f"LIANYI_{name.upper()}", shown(field), field.description or "") for name, field in fields]


def built(app: App) -> Any:
    """A service's router and routes, with nothing behind them."""
    return app.build(app.settings(**EXAMPLES), cast("Any", None), Desk(1.0))


@EACH_SERVICE
def test_a_service_readme_lists_the_settings(service: str) -> None:
    """Every setting that the service reads, with its default and its sentence, and no other."""
    text, app = of_service(service)
    assert rows(section(text, "Settings")) == settings(app.settings)


@EACH_SERVICE
def test_a_service_readme_lists_the_topics(service: str) -> None:
    """Topics in and out as the table of topics has them."""
    text, _ = of_service(service)
    told = {(way, name, key) for way, name, key, *_ in rows(section(text, "Topics"))}
    read = {("in", t.name, t.key) for t in TOPICS.values() if service in t.readers}
    read |= {("whole", t.name, t.key) for t in TOPICS.values() if service in t.followers}
    assert told == read | {("out", t.name, t.key) for t in TOPICS.values() if t.owner == service}


@EACH_SERVICE
def test_a_service_readme_lists_the_inputs(service: str) -> None:
    """Every command, event and timer of the service's table, and every event that it tells."""
    text, app = of_service(service)
    told = rows(section(text, "What it does"))
    assert [row[0] for row in told] == list(dict.fromkeys(kind.__name__ for kind, _ in built(app).router.table()))
    known = {model.__name__: model for model in EVENTS.values() if "." not in model.__qualname__}
    names = {name for row in told for name in re.findall(r"\w+", row[-1])}
    ours = {name for name, model in known.items() if model.TOPIC.owner == service and model.TOPIC.key != "letter"}
    assert names == {name for name in ours if known[name].__module__.startswith("shared.contracts.")}


@EACH_SERVICE
def test_a_service_readme_lists_the_routes(service: str) -> None:
    """Every operation of the API."""
    text, app = of_service(service)
    api = FastAPI()
    api.include_router(built(app).routes)
    paths = api.openapi()["paths"].items()
    assert {row[0] for row in rows(section(text, "HTTP"))} == {f"{m.upper()} {p}" for p, ms in paths for m in ms}


@EACH_SERVICE
def test_a_service_readme_lists_the_collections(service: str) -> None:
    """Every collection that the service owns, beside those of the lanes."""
    text, app = of_service(service)
    assert {row[0] for row in rows(section(text, "What it owns"))} == set(app.collections)


def test_the_readme_lists_the_metrics() -> None:
    """Name, labels and meaning of every metric, as they are scraped."""
    told = rows(section((ROOT / "README.md").read_text("utf-8"), "Metrics"))
    expected = []
    for made in (*vars(Metrics("notes")).values(), *vars(GateMetrics()).values()):
        if hasattr(made, "_labelnames"):
            (family,) = made.collect()
            total = "_total" if family.type == "counter" else ""
            expected.append((f"{family.name}{total}", ", ".join(made._labelnames), family.documentation))
    gauges = [*LaneGauges(lambda: (), {}).collect(), *ModelGauges(lambda: ModelReport(0, None)).collect()]
    assert told == expected + [(gauge.name, ", ".join(gauge._labelnames), gauge.documentation) for gauge in gauges]


def test_the_readme_names_what_operators_can_do() -> None:
    """The acts of ``ops`` that the README explains are those that there are."""
    verbs = argparse.ArgumentParser().add_subparsers()
    ops.add_parser(verbs)
    (acts,) = [a for a in verbs.choices["ops"]._actions if isinstance(a, argparse._SubParsersAction)]
    told = re.findall(r"^\S* -m services\.\w+ ops (\w+)", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert told == list(acts.choices)


@EACH_DOC
def test_targets_that_are_named_exist(doc: Path) -> None:
    """Every ``make`` target in a document is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    code = re.findall(r"```.*?```|`[^`\n]+`", doc.read_text("utf-8"), re.S)
    assert {name for part in code for name in re.findall(r"\bmake ([a-z-]+)", part)} <= targets


@EACH_DOC
def test_variables_that_are_named_exist(doc: Path) -> None:
    """Every variable of the environment in a document is a setting."""
    kinds = [of_service(service)[1].settings for service in SERVICES]
    known = {row[0] for kind in kinds for row in settings(kind)}
    assert set(re.findall(r"\bLIANYI_[A-Z_]+\b", doc.read_text("utf-8"))) <= known


@EACH_DOC
def test_paths_that_are_named_exist(doc: Path) -> None:
    """Links and paths of the repository lead somewhere; no document knows a path of one machine."""
    text = doc.read_text("utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    assert [link for link in links if link and "://" not in link and not (doc.parent / link).exists()] == []
    named = re.findall(r"`((?:shared|services|local|tests|docs)/[\w/.*-]*)`", text)
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/")))] == []
    assert re.findall(r"(?<![\w.~-])/(?:home|root|work|tmp|usr|var|opt)/\S*", text) == []


@EACH_ADR
def test_a_decision_fits_on_a_page(adr: Path) -> None:
    """A number and a title, four parts in their order, 25 to 45 lines that fit on a screen."""
    lines = adr.read_text("utf-8").splitlines()
    assert lines[0].startswith(f"# {adr.name[:4]} ")
    assert [line[3:] for line in lines if line.startswith("## ")] == PARTS
    assert 25 <= len(lines) <= 45
    assert max(map(len, lines)) <= 120


def test_the_index_of_decisions_is_complete() -> None:
    """Numbers run without a hole, and the index has each page once, in order, under its own title."""
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))
    titles = [(path.read_text("utf-8").splitlines()[0][2:], path.name) for path in ADRS]
    assert re.findall(r"^- \[(.+?)\]\(([^)]+)\)", (ROOT / "docs/adr/README.md").read_text("utf-8"), re.M) == titles


@EACH_DOC
def test_code_in_documents_is_python(doc: Path) -> None:
    """Every Python block compiles."""
    for block in re.findall(r"```python\n(.*?)```", doc.read_text("utf-8"), re.S):
        compile(block, doc.name, "exec")
