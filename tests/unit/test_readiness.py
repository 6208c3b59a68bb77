"""Readiness: the probe and the scrape say the same, from the first moment on."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import generate_latest

from shared import readiness
from shared.errors import Transient
from shared.readiness import Readiness
from shared.telemetry import Metrics


class Started:
    """A process that lacks what it is told to lack."""

    def __init__(self, *lacks: str) -> None:
        self.lacks = list(lacks)

    def ready(self) -> list[str]:
        return list(self.lacks)


async def answers() -> None:
    """A database that is there."""


async def refuses() -> None:
    """A database that is not."""
    raise Transient("away")


async def hangs() -> None:
    """A database that takes the question and never answers."""
    await asyncio.Event().wait()


def broker(there: bool) -> Callable[[], Awaitable[bool]]:
    async def reachable() -> bool:
        return there

    return reachable


def made(
    ping: Callable[[], Awaitable[None]] = answers, there: bool = True, *, process: Started | None = None
) -> tuple[Readiness, Metrics]:
    metrics = Metrics("notes")
    found = Readiness(metrics.ready, ping, broker(there))
    found.process = process
    return found, metrics


async def scraped(found: Readiness, metrics: Metrics) -> str:
    """The sample, as a scrape that nobody has prepared sees it."""
    seen: list[str] = []

    async def scrape(*_: object) -> None:
        seen.append(generate_latest(metrics.registry).decode())

    await found.before(scrape)({}, None, None)
    (line,) = [line for line in seen[0].splitlines() if line.startswith("lianyi_service_ready ")]
    return line.split()[1]


async def test_what_has_not_started_is_not_ready() -> None:
    """The sample is there before the first look, and says 0 as long as a start waits for something."""
    found, metrics = made()
    assert "\nlianyi_service_ready 0.0\n" in generate_latest(metrics.registry).decode()
    found.waiting = "migrations are not done"
    assert await found.missing() == ["migrations are not done"]
    assert await scraped(found, metrics) == "0.0"


async def test_what_lacks_nothing_is_ready() -> None:
    """The scrape looks by itself, and says 0 again as soon as something is missing."""
    process = Started()
    found, metrics = made(process=process)
    assert await scraped(found, metrics) == "1.0"
    process.lacks = ["no api slot"]
    assert (await scraped(found, metrics), await found.missing()) == ("0.0", ["no api slot"])


async def test_database_and_broker_are_looked_at_each_time() -> None:
    """Whether the one refuses or hangs, or the other is away: both are named beside what the process lacks."""
    found, metrics = made(refuses, there=False, process=Started("no api slot"))
    assert await found.missing() == ["no api slot", "the database does not answer", "the broker does not answer"]
    assert await scraped(found, metrics) == "0.0"
    readiness.PATIENCE, patience = 0.01, readiness.PATIENCE
    try:
        assert await made(hangs, process=Started())[0].missing() == ["the database does not answer"]
    finally:
        readiness.PATIENCE = patience
