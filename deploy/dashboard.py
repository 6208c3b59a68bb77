"""The one dashboard for those who watch the services: `python -m deploy.dashboard` writes it from the table below.

A row for each question, from what was promised to what a process needs; the JSON is what Grafana imports (schema 39,
Grafana 10 and newer). A test says when the file is stale, another that every query has its metrics on a live scrape.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploy.slo import BUDGET, ERRORS, ROOT

FILE = ROOT / "deploy/grafana/lianyi.json"
_LANE, _KEY = "{{service}} {{lane}}", "{{service}} {{key}}"
WIDTH, HEIGHT = 8, 8
"""Of a panel; Grafana's grid is 24 wide."""
CHOSEN = 'service=~"$service"'


@dataclass(frozen=True, slots=True)
class Panel:
    """A time series: what it shows, PromQL, the legend of each line, Grafana's name of the unit."""

    title: str
    query: str
    legend: str
    unit: str = "short"


def _quantile(share: float, metric: str, by: str) -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{CHOSEN}}}[5m])))"


_WATCHED = 'sum(increase(lianyi_lane_inputs_total{type="lianyi.moderation.content_watched.v1", outcome=~"%s"}[1d]))'
ROWS: dict[str, tuple[Panel, ...]] = {
    "Are the promises kept? (1 spends the errors of 30 days in 30 days)": (
        Panel("Burn rate, 1 hour", f"{ERRORS}1h{{{CHOSEN}}} / {BUDGET}{{{CHOSEN}}}", "{{service}} {{slo}}"),
        Panel("Burn rate, 3 days", f"{ERRORS}3d{{{CHOSEN}}} / {BUDGET}{{{CHOSEN}}}", "{{service}} {{slo}}"),
        Panel(
            "Alerts",
            'count by (alertname, severity) (ALERTS{alertname=~"Lianyi.+", alertstate="firing"})',
            "{{alertname}} {{severity}}",
        ),
    ),
    "What do callers see?": (
        Panel(
            "Requests",
            f'sum by (service, status) (rate(lianyi_http_requests_total{{{CHOSEN}, route=~"/v1/.+"}}[5m]))',
            "{{service}} {{status}}",
            "reqps",
        ),
        Panel("Answers, 99 %", _quantile(0.99, "lianyi_http_request_seconds", "service"), "{{service}}", "s"),
        Panel(
            "5xx by route",
            f'sum by (service, route) (rate(lianyi_http_requests_total{{{CHOSEN}, status="5xx"}}[5m]))',
            "{{service}} {{route}}",
            "reqps",
        ),
    ),
    "How soon do effects come?": (
        Panel("From act to effect, 99 %", _quantile(0.99, "lianyi_lane_effect_seconds", "service, key"), _KEY, "s"),
        Panel("From act to effect, median", _quantile(0.5, "lianyi_lane_effect_seconds", "service, key"), _KEY, "s"),
        Panel("Inputs", f"sum by (service) (rate(lianyi_lane_inputs_total{{{CHOSEN}}}[5m]))", "{{service}}", "ops"),
    ),
    "Which lane is behind?": (
        Panel("Lag", f"max by (service, lane) (lianyi_lane_lag_seconds{{{CHOSEN}}})", _LANE, "s"),
        Panel("Waiting records", f"sum by (service, lane) (lianyi_lane_lag_records{{{CHOSEN}}})", _LANE),
        Panel("Oldest unsent batch", f"max by (service, lane) (lianyi_lane_outbox_seconds{{{CHOSEN}}})", _LANE, "s"),
        Panel("Time without a move", f"max by (service, lane) (lianyi_lane_idle_seconds{{{CHOSEN}}})", _LANE, "s"),
        Panel("Held lanes", f"sum by (service) (max by (service, lane) (lianyi_lane_held{{{CHOSEN}}}))", "{{service}}"),
        Panel(
            "Lanes in part",
            f"sum by (service) (max by (service, lane) (lianyi_lane_partial{{{CHOSEN}}}))",
            "{{service}}",
        ),
        Panel("Left of a rebuild", f"sum by (service) (lianyi_lane_rebuild_records{{{CHOSEN}}})", "{{service}}"),
    ),
    "What costs the lanes their time?": (
        Panel("Commit, 99 %", _quantile(0.99, "lianyi_lane_commit_seconds", "service, key"), _KEY, "s"),
        Panel("Publish, 99 %", _quantile(0.99, "lianyi_lane_publish_seconds", "service, key"), _KEY, "s"),
        Panel("Inputs in a batch, 99 %", _quantile(0.99, "lianyi_lane_batch_inputs", "service, key"), _KEY),
        Panel(
            "Trouble",
            f"sum by (service, kind) (rate(lianyi_lane_trouble_total{{{CHOSEN}}}[5m]))",
            "{{service}} {{kind}}",
            "ops",
        ),
        Panel(
            "Dead letters, 1 hour",
            f"sum by (service, reason) (increase(lianyi_lane_dead_letters_total{{{CHOSEN}}}[1h]))",
            "{{service}} {{reason}}",
        ),
    ),
    "How are the processes?": (
        Panel("Processes that answer", f"sum by (service) (up{{{CHOSEN}}})", "{{service}}"),
        Panel("Processes that are ready", f"sum by (service) (lianyi_service_ready{{{CHOSEN}}})", "{{service}}"),
        Panel("Memory", f"process_resident_memory_bytes{{{CHOSEN}}}", "{{service}} {{instance}}", "bytes"),
        Panel("CPU", f"rate(process_cpu_seconds_total{{{CHOSEN}}}[5m])", "{{service}} {{instance}}", "percentunit"),
        Panel("Starts, 1 hour", f"changes(process_start_time_seconds{{{CHOSEN}}}[1h])", "{{service}} {{instance}}"),
        Panel("Open files", f"process_open_fds{{{CHOSEN}}}", "{{service}} {{instance}}"),
    ),
    "What does the gate before publishing do?": (
        Panel(
            "Looks by outcome",
            f"sum by (service, outcome) (rate(lianyi_gate_looks_total{{{CHOSEN}}}[5m]))",
            "{{service}} {{outcome}}",
            "ops",
        ),
        Panel("A look, 99 %", _quantile(0.99, "lianyi_gate_look_seconds", "service"), "{{service}}", "s"),
    ),
    "What does the text model of moderation do?": (
        Panel("Lessons", "max(lianyi_model_lessons)", "texts"),
        Panel("Bar", "max(lianyi_model_bar)", "chance"),
        Panel(
            "Watched texts above the bar, 1 day",
            f"{_WATCHED % 'above'} / {_WATCHED % 'done|above'}",
            "share",
            "percentunit",
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """The JSON model."""
    return {
        "uid": "lianyi",
        "title": "Lianyi",
        "tags": ["lianyi"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_source(), _service()]},
        "panels": list(_panels()),
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _service() -> dict[str, Any]:
    return {
        "name": "service",
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": "label_values(lianyi_service_up, service)", "refId": "services"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


_DATASOURCE = {"type": "prometheus", "uid": "${source}"}


def _panels() -> Iterator[dict[str, Any]]:
    number = top = 0
    for question, panels in ROWS.items():
        number += 1
        yield {"id": number, "type": "row", "title": question, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}}
        top += 1
        for place, panel in enumerate(panels):
            number += 1
            row, column = divmod(place, 24 // WIDTH)
            position = {"x": column * WIDTH, "y": top + row * HEIGHT, "w": WIDTH, "h": HEIGHT}
            yield {"id": number, "gridPos": position, **_shown(panel)}
        top += -(-len(panels) // (24 // WIDTH)) * HEIGHT


def _shown(panel: Panel) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [{"refId": "A", "expr": panel.query, "legendFormat": panel.legend}],
    }


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
