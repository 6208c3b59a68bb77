"""Objectives, alert rules, runbooks and dashboard: one source, nothing stale, each alert shown to fire and not to."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import dashboard, slo
from local.processes import ROOT
from services.moderation.core.bar import MOST_HIDDEN
from shared.contracts import TOPICS
from shared.contracts.moderation import ContentLabelled, ContentWatched
from tests.deploy.support import (
    CASES,
    RULES,
    RUNBOOKS,
    alerts,
    every_rule,
    fetched,
    metrics_in,
    needs_prometheus,
    page_of,
    promtool,
)

SERVICES = tuple(dict.fromkeys(topic.owner for topic in TOPICS.values()))
PARTS = ["Meaning", "What users notice", "Look first", "Mend", "It clears"]
ALERTS = list(dict.fromkeys(rule["alert"] for rule in alerts()))
EACH_ALERT = pytest.mark.parametrize("alert", ALERTS)


def cases() -> list[dict[str, Any]]:
    """What promtool is asked about alerts, in all files."""
    files = [yaml.safe_load(path.read_text("utf-8")) for path in CASES.glob("*.yml")]
    return [case for file in files for test in file["tests"] for case in test.get("alert_rule_test", [])]


def test_the_rules_are_those_of_the_objectives() -> None:
    """`python -m deploy.slo` would change nothing."""
    assert slo.RULES.read_text("utf-8") == slo.rules()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_readme_states_its_objectives(service: str) -> None:
    """Availability, latency and freshness, each with its share and its PromQL, as the rules have them."""
    text = (ROOT / "services" / service / "README.md").read_text("utf-8")
    found = re.search(r"^## Objectives\n.*?(?=^## )", text, re.M | re.S)
    assert found
    assert found[0] == slo.section(service)
    assert {o.slo for o in slo.OBJECTIVES if o.service == service} == set(slo.ALERTS)


def test_the_dashboard_is_that_of_its_table() -> None:
    """`python -m deploy.dashboard` would change nothing; ids are unique and no two panels lie on each other."""
    assert dashboard.FILE.read_text("utf-8") == dashboard.text()
    panels = json.loads(dashboard.text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@EACH_ALERT
def test_an_alert_tells_how_bad_and_what_to_do(alert: str) -> None:
    """Severity, a summary with its service, and a page of its own that begins with its name and has all parts."""
    for rule in (rule for rule in alerts() if rule["alert"] == alert):
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].startswith("{{ $labels.service }}")
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{page_of(alert)}"
    lines = (RUNBOOKS / page_of(alert)).read_text("utf-8").splitlines()
    assert lines[0].startswith(f"# {alert}: ")
    assert [line[3:] for line in lines if line.startswith("## ")] == PARTS


def test_the_index_of_runbooks_is_complete() -> None:
    """Every alert with its severities and its page, and every other page."""
    text = (RUNBOOKS / "README.md").read_text("utf-8")
    severities = {a: ", ".join(r["labels"]["severity"] for r in alerts() if r["alert"] == a) for a in ALERTS}
    rows = re.findall(r"^\| (Lianyi\w+) \| ([\w, ]+) \| \[[\w-]+\]\(([\w-]+\.md)\) \|$", text, re.M)
    assert sorted(rows) == sorted((a, severities[a], page_of(a)) for a in ALERTS)
    pages = {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\(([\w-]+\.md)\)", text)) == pages


@EACH_ALERT
def test_an_alert_has_a_case_that_fires_and_one_that_does_not(alert: str) -> None:
    """For each severity; promtool runs them."""
    told = [case["exp_alerts"] for case in cases() if case["alertname"] == alert]
    fired = {labels["exp_labels"]["severity"] for expected in told for labels in expected}
    assert fired == {rule["labels"]["severity"] for rule in alerts() if rule["alert"] == alert}
    assert [] in told


def test_the_alert_on_the_model_is_at_twice_of_what_it_may_hide() -> None:
    """The rule's number follows the bar's, and its type is the event's."""
    (rule,) = [rule for rule in alerts() if rule["alert"] == "LianyiModelHidesMuch"]
    assert f"> {2 * MOST_HIDDEN}\n" in rule["expr"]
    assert set(re.findall(r'type="([^"]+)"', rule["expr"])) == {ContentWatched.TYPE, ContentLabelled.TYPE}


def test_rules_name_every_service() -> None:
    """A service of which no process is known would be missed by any other rule."""
    (down,) = [rule for rule in alerts() if rule["alert"] == "LianyiServiceDown"]
    assert set(re.findall(r'absent\(up\{job="lianyi", service="(\w+)"\}\)', down["expr"])) == set(SERVICES)


def test_what_a_rule_reads_was_recorded_or_is_scraped() -> None:
    """A recorded name that an alert compares is recorded by a rule before it."""
    known: set[str] = set()
    for rule in every_rule():
        names = re.findall(r"service:[a-z0-9_:]+", rule["expr"])
        assert set(names) <= known
        assert names or metrics_in(rule["expr"]) or rule["expr"].startswith("vector(")
        known.add(rule.get("record", ""))


@needs_prometheus
async def test_promtool_is_content(tmp_path: Path) -> None:
    """The rules are rules, and every case of every alert comes out as expected."""
    await fetched(tmp_path / "apt.log")
    files = sorted(RULES.glob("*.yml"))
    promtool("check", "rules", *map(str, files))
    told = promtool("check", "config", str(RULES.parent / "prometheus.yml"))
    assert all(f"Checking {path}" in told for path in files), "docker-compose loads other rules"
    assert promtool("test", "rules", *map(str, CASES.glob("*.yml"))).count("SUCCESS") == len(list(CASES.glob("*.yml")))
