"""A real Prometheus scrapes the running services: what rules and dashboard ask for is there, and an alert fires."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from deploy import dashboard, slo
from local.client import Client, Wire, minted
from local.fleet import SERVICES, Fleet, World, fleet
from local.issuer import Issuer
from local.journal import Journal
from local.processes import wait_for
from local.prometheus import Prometheus
from local.stack import running
from local.texts import CIRCLES
from tests.deploy.support import (
    RULES,
    RUNBOOKS,
    every_rule,
    fetched,
    metrics_in,
    needs_prometheus,
    promtool,
    queries_of,
)

pytestmark = [pytest.mark.stack, needs_prometheus]
FASTER = 60
"""A minute of the rules is a second here."""
SOON = 60.0
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
GATES = ("lianyi_gate_looks_total", "lianyi_gate_look_seconds_bucket")
OF_SOME = {
    "lianyi_model_lessons": {"moderation"},
    "lianyi_model_bar": {"moderation"},
    **{name: {"notes", "groups"} for name in GATES},
}


def faster(text: str) -> str:
    """The same rules with every duration, of a window or of ``for``, divided."""

    def scaled(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) * UNITS[found[3]] // FASTER}ms"

    return re.sub(r"(\[|for: )(\d+)([smhd])\b", scaled, text)


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[tuple[Fleet, Prometheus]]:
    """The four services on the embedded stack, and a Prometheus that has scraped them before and after some traffic."""
    rules = directory / "rules"
    rules.mkdir()
    for path in RULES.glob("*.yml"):
        (rules / path.name).write_text(faster(path.read_text("utf-8")))
    async with (
        running("embedded") as stack,
        Issuer() as issuer,
        fleet(World(stack, issuer), lambda _: None) as services,
    ):
        targets = {service.name: f"127.0.0.1:{service.metrics_port}" for service in services.services}
        server = Prometheus(directory / "prometheus", targets, rules / "*.yml")
        await server.start()
        try:
            async with Wire(services.urls, minted(issuer.token), Journal()) as wire:
                await traffic(Client(wire))
                await wait_for(partial(scraped, server), SOON, "all targets are up", server.child)
                await traffic(Client(wire))
            yield services, server
        finally:
            await server.kill()


async def traffic(client: Client) -> None:
    """Something for every service to do, and a request to each that is answered alike every time."""
    group = await client.open_group(CIRCLES[0].owner, CIRCLES[0].body())
    note = await client.note("ann", {"title": "周末攀岩", "text": "新手，想找附近的抱石馆。"})
    await client.comment("ben", note, {"text": "求推荐一家, 有人去过吗？"})
    await client.say(CIRCLES[0].owner, group, {"text": "周六下午见。"})
    for service, path in (("recommend", "suggestions/notes/none"), ("moderation", "verdicts/none")):
        assert await client.read(service, path, "ann") is None


async def test_all_that_is_asked_for_is_scraped_and_a_killed_service_alerts(tmp_path: Path) -> None:
    """Targets are up, queries have their metrics, indicators have values; down fires at a kill and clears after."""
    await fetched(tmp_path / "apt.log")
    async with watched(tmp_path) as (services, server):
        for objective in slo.OBJECTIVES:
            await wait_for(partial(valued, server, objective), SOON, f"{objective} has a value", server.child)
        await names_are_scraped(services)
        for query in every_query():
            await server.evaluate(query)  # raises for what is no PromQL
        down = ("LianyiServiceDown", "recommend")
        await wait_for(lambda: fires(server, down, False), SOON, "silence at first", server.child)
        await services["recommend"].child.kill()
        await wait_for(lambda: fires(server, down, True), SOON, "the alert fires", server.child)
        assert not {alert for alert in await server.alerts() if alert[0] == down[0]} - {down}
        services["recommend"].child.start()
        await wait_for(lambda: fires(server, down, False), SOON, "the alert has cleared", server.child)
        assert {sample["service"] for sample in await server.evaluate("up == 1")} == set(SERVICES)


def every_query() -> list[str]:
    """Of the rules, the dashboard and the runbooks."""
    shown = [panel.query.replace("$service", ".+") for panels in dashboard.ROWS.values() for panel in panels]
    looked = [query for page in RUNBOOKS.glob("*.md") for query in queries_of(page)]
    assert len(looked) > 30
    return [rule["expr"] for rule in every_rule()] + shown + looked


async def names_are_scraped(services: Fleet) -> None:
    """Every metric that is asked for is exposed by every service, or by those that it is of; all are well named."""
    asked = {name for query in every_query() for name in metrics_in(query)} - {"up"}
    async with httpx.AsyncClient(timeout=10.0) as http:
        for service in services.services:
            text = (await http.get(service.metrics)).text
            promtool("check", "metrics", given=text)
            families = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M)
            told = {name for name, _ in families}
            told |= {f"{name}_{part}" for name, kind in families if kind == "histogram" for part in PARTS}
            assert asked - told == {name for name in asked if service.name not in OF_SOME.get(name, SERVICES)}


PARTS = ("bucket", "count", "sum")


async def scraped(server: Prometheus) -> bool:
    """Whether every service is up, and has told of a request and of an input."""
    told = "up == 1 and on (service) lianyi_http_requests_total and on (service) {}"
    told = told.format("lianyi_lane_effect_seconds_count{key!='api'}")
    return {sample["service"] for sample in await server.evaluate(told)} == set(SERVICES)


async def fires(server: Prometheus, alert: tuple[str, str], want: bool) -> bool:
    return (alert in await server.alerts()) is want


async def valued(server: Prometheus, objective: slo.Objective) -> bool:
    return [s["service"] for s in await server.evaluate(f"({objective.errors('1h')}) >= 0")] == [objective.service]
