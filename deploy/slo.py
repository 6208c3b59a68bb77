"""What each service promises its users, and what follows: `python -m deploy.slo` writes rules and READMEs.

One table. From it come the recording rules and burn-rate alerts in `deploy/prometheus/rules/slo.yml` and the section
"Objectives" in each service's README; tests say when either is stale.

The alerts are those of Beyer et al., The Site Reliability Workbook (Google, 2018), chapter 5, "6: Multiwindow,
Multi-Burn-Rate Alerts": a burn rate of 1 spends the errors of 30 days in 30 days. Somebody is woken when 2 % of them
went in an hour or 5 % in six, and finds a ticket when 10 % went in three days. The short window ends an alert soon
after its cause.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "deploy/prometheus/rules/slo.yml"
BURNS = {"page": (("1h", "5m", 14.4), ("6h", "30m", 6.0)), "ticket": (("3d", "6h", 1.0),)}
"""Severity -> long window, short window, burn rate that both must pass: table 5-8 of the source."""
WINDOWS = ("5m", "30m", "1h", "6h", "3d")
ERRORS, BUDGET = "service:lianyi_slo_errors:ratio_rate", "service:lianyi_slo_budget:ratio"


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of good events over 30 days. `seconds` is the limit of those that are about time, a bucket's bound."""

    service: str
    slo: str
    share: float
    seconds: float = 0.0

    @property
    def good(self) -> str:
        """What counts as good, in words."""
        return {
            "availability": "requests under `/v1` not answered with 5xx",
            "latency": f"requests under `/v1` answered within {self.seconds:g} s",
            "freshness": f"events and timers whose effect is stored {self.seconds:g} s after the act that caused them",
        }[self.slo]

    def errors(self, window: str) -> str:
        """PromQL of its indicator: the share of what was not good within the window, by service."""
        if self.slo == "availability":
            every = f'lianyi_http_requests_total{{service="{self.service}", route=~"/v1/.+"}}'
            bad = f'{every[:-1]}, status="5xx"}}'
            total = f"sum by (service) (rate({every}[{window}]))"
            return f"(sum by (service) (rate({bad}[{window}])) or 0 * {total}) / {total}"
        metric, where = {
            "latency": ("lianyi_http_request_seconds", 'route=~"/v1/.+"'),
            "freshness": ("lianyi_lane_effect_seconds", 'key!="api"'),
        }[self.slo]
        chosen = f'service="{self.service}", {where}'
        fast = f'sum by (service) (rate({metric}_bucket{{{chosen}, le="{self.seconds}"}}[{window}]))'
        return f"1 - {fast} / sum by (service) (rate({metric}_count{{{chosen}}}[{window}]))"


OBJECTIVES = (
    Objective("notes", "availability", 0.999),
    Objective("notes", "latency", 0.99, 0.5),
    Objective("notes", "freshness", 0.99, 5.0),
    Objective("groups", "availability", 0.999),
    Objective("groups", "latency", 0.99, 0.5),
    Objective("groups", "freshness", 0.99, 5.0),
    Objective("recommend", "availability", 0.995),
    Objective("recommend", "latency", 0.99, 0.25),
    Objective("recommend", "freshness", 0.99, 10.0),
    Objective("moderation", "availability", 0.999),
    Objective("moderation", "latency", 0.99, 0.5),
    Objective("moderation", "freshness", 0.99, 2.5),
)
ALERTS = {
    "availability": ("LianyiApiErrors", "of requests are answered with 5xx", "api-errors"),
    "latency": ("LianyiApiSlow", "of requests take too long", "api-slow"),
    "freshness": ("LianyiEffectsLate", "of effects come too late", "effects-late"),
}
"""By kind of objective: the alert, what it says behind a share, its page in docs/runbooks."""


def section(service: str) -> str:
    """The section of the service's README, from its heading to the next one."""
    ours = [objective for objective in OBJECTIVES if objective.service == service]
    lines = ["## Objectives", "", "| objective | over 30 days | of |", "| --- | --- | --- |"]
    lines += [f"| {o.slo} | {o.share * 100:g} % | {o.good} |" for o in ours]
    lines += ["", "The indicators, as shares of what is not good; `5m` stands for any window:", "", "```"]
    for objective in ours:
        lines += [f"# {objective.slo}", objective.errors("5m").replace(" or ", "\n  or ").replace(" / ", "\n  / ")]
    lines += [
        "```",
        "",
        "They say nothing while nothing comes to an end: for that there are alerts on processes and lanes.",
        "A first start on old topics counts as late; a rebuild does not. Each alert has a page in the",
        "[runbooks](../../docs/runbooks/README.md).",
        "",
        "",
    ]
    return "\n".join(lines)


def rules() -> str:
    """The rule file: shares by window, allowed shares, and the alerts on how fast these are spent."""
    return "\n".join(
        ["# Written by `python -m deploy.slo`; objectives and sources stand there.", "groups:", *_lines(), ""]
    )


def _lines() -> Iterator[str]:
    # One group: its rules are evaluated in their order, so an alert compares what was recorded just before.
    yield from ("  - name: lianyi-slo", "    rules:")
    for objective in OBJECTIVES:
        yield from _recorded(BUDGET, f"vector({round(1 - objective.share, 6)})", objective)
        for window in WINDOWS:
            yield from _recorded(f"{ERRORS}{window}", objective.errors(window), objective)
    for slo in ALERTS:
        for severity in BURNS:
            yield from _alert(slo, severity)


def _recorded(name: str, expression: str, objective: Objective) -> Iterator[str]:
    yield f"      - record: {name}"
    yield f"        expr: {expression}"
    yield f"        labels: {{service: {objective.service}, slo: {objective.slo}}}"


def _alert(slo: str, severity: str) -> Iterator[str]:
    name, says, page = ALERTS[slo]
    which = f'{{slo="{slo}"}}'
    yield f"      - alert: {name}"
    yield "        expr: |"
    for number, (long, short, burn) in enumerate(BURNS[severity]):
        limit = f"{burn:g} * {BUDGET}{which}"
        yield f"          {'or ' if number else ''}({ERRORS}{long}{which} > {limit}"
        yield f"          and {ERRORS}{short}{which} > {limit})"
    yield f"        labels: {{severity: {severity}}}"
    yield "        annotations:"
    yield f'          summary: "{{{{ $labels.service }}}}: {{{{ $value | humanizePercentage }}}} {says}"'
    yield f"          runbook_url: docs/runbooks/{page}.md"


def main() -> int:
    """Write the rules and the sections."""
    RULES.write_text(rules(), "utf-8")
    for service in dict.fromkeys(objective.service for objective in OBJECTIVES):
        readme = ROOT / "services" / service / "README.md"
        text = readme.read_text("utf-8")
        readme.write_text(re.sub(r"^## Objectives\n.*?(?=^## )", section(service), text, flags=re.M | re.S), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
