"""What the tests of rules and dashboard share: the rules as data, the names in a query, promtool."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import prometheus
from local.processes import ROOT, CannotStartError

RULES = ROOT / "deploy/prometheus/rules"
CASES = ROOT / "deploy/prometheus/tests"
RUNBOOKS = ROOT / "docs/runbooks"
needs_prometheus = pytest.mark.skipif(prometheus.missing() is not None, reason=str(prometheus.missing()))


async def fetched(log: Path) -> None:
    """promtool and prometheus are there; without an archive to fetch them from the test is skipped, with the reason."""
    try:
        await prometheus.fetch(log)
    except CannotStartError as error:
        pytest.skip(f"Debian's package of prometheus cannot be had: {str(error)[-300:]}")


def promtool(*arguments: str, given: str = "") -> str:
    """What it says, of what it is given on standard input; the test fails when it is not content."""
    command = [str(prometheus.program("promtool")), *arguments]
    told = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def every_rule() -> list[dict[str, Any]]:
    """All rules of all files."""
    files = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(RULES.glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """The rules that alert."""
    return [rule for rule in every_rule() if "alert" in rule]


def page_of(alert: str) -> str:
    """The name of its page: LianyiLaneHeld, lane-held.md."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", alert.removeprefix("Lianyi")).lower() + ".md"


def metrics_in(query: str) -> set[str]:
    """Names of the scraped metrics in PromQL; what rules record has a colon in its name."""
    bare = re.sub(r'"[^"]*"', "", query)
    names = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare)
    return {name for name in names if re.match(r"lianyi_(?!slo)|process_|up$", name)}


def queries_of(page: Path) -> Iterator[str]:
    """The lines of PromQL in a runbook: the block without a language in the part that says where to look first."""
    part = re.search(r"^## Look first\n(.*?)(?=^## )", page.read_text("utf-8"), re.M | re.S)
    for block in re.findall(r"^```\n(.*?)^```", part[1] if part else "", re.M | re.S):
        yield from block.splitlines()
