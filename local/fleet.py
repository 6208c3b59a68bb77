"""The four services as processes of their own, started, migrated and watched by this one."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local.issuer import Issuer
from local.places import free_port
from local.processes import CannotStartError, Child, together, wait_for
from local.stack import Stack
from shared.admin import make_topics
from shared.brokers import Brokers
from shared.contracts import TOPICS
from shared.errors import Transient

SERVICES = tuple(dict.fromkeys(topic.owner for topic in TOPICS.values() if not topic.foreign))
PARTITIONS = 4
"""Of every topic: as many as the mock cluster makes, so that both stacks behave alike."""
MIGRATING = 60.0
READY = 90.0
GRACE = 5.0

Tell = Callable[[str], None]
Launch = Callable[[str, Iterable[str]], list[str]]
"""The command, but for its verb, of a service whose environment has these variables."""


def as_process(service: str, variables: Iterable[str]) -> list[str]:
    """From the sources, in this Python."""
    return [sys.executable, "-m", f"services.{service}"]


AT_ANY_PACE: Mapping[str, str] = {
    "LIANYI_RULES_OFF": json.dumps(
        [
            *("flood", "repeated", "crowd_copies", "host_campaign", "raid"),
            *("newcomer_disguise", "newcomer_short_link", "newcomer_offer", "newcomer_rush"),
        ]
    )
}
"""Without the rules about how fast and how new: where months are played in minutes everybody is both."""


@dataclass(frozen=True, slots=True)
class World:
    """Where the services find what they need, and how fast a need escalates."""

    stack: Stack
    issuer: Issuer
    need_steps: Sequence[int] | None = None
    """Seconds until each escalation; None leaves the service's own."""
    log_level: str = "WARNING"
    launch: Launch = as_process
    more: Mapping[str, str] = field(default_factory=dict)
    """Settings of the services that come last, and so hold."""

    def environment(self) -> dict[str, str]:
        """What is common to the four."""
        common = {
            "LIANYI_KAFKA": self.stack.kafka,
            "LIANYI_MONGO": self.stack.mongo,
            "LIANYI_JWKS": self.issuer.jwks_url,
            "LIANYI_ISSUER": self.issuer.issuer,
            "LIANYI_AUDIENCE": self.issuer.audience,
            "LIANYI_LOG_LEVEL": self.log_level,
        }
        if self.need_steps is not None:
            common["LIANYI_NEED_STEPS"] = json.dumps(list(self.need_steps))
        return {**common, **self.more}


class Service:
    """One service: its process, its two ports, its log. The ports are kept over a restart of the process."""

    def __init__(self, name: str, world: World, directory: Path) -> None:
        self.name = name
        self.port, self.metrics_port = free_port(), free_port()
        env = {
            **world.environment(),
            "LIANYI_PORT": str(self.port),
            "LIANYI_METRICS_PORT": str(self.metrics_port),
        }
        command = world.launch(name, env)
        self.child = Child(name, [*command, "run"], env, directory / f"{name}.log")
        self._migration = Child(f"{name} migrate", [*command, "migrate"], env, directory / f"{name}.migrate.log")

    @property
    def url(self) -> str:
        """Base URL of the API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def metrics(self) -> str:
        """URL of the metrics."""
        return f"http://127.0.0.1:{self.metrics_port}/metrics"

    async def migrate(self) -> None:
        """Collections and indexes as the service declares them. Raises CannotStartError, with the log."""
        await self._migration.finish(MIGRATING)

    async def start(self, within: float = READY) -> None:
        """Returns when it says that it is ready. Raises CannotStartError, with the end of its log."""
        self.child.start()
        try:
            await wait_for(self.ready, within, f"{self.name} is ready", self.child)
        except CannotStartError as error:
            raise CannotStartError(f"{error}\nreadyz: {await self._why()}") from None

    async def ready(self) -> bool:
        """Whether /readyz answers 200."""
        async with httpx.AsyncClient(timeout=3.0) as client:
            try:
                return (await client.get(f"{self.url}/readyz")).status_code == 200
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
                return False

    async def _why(self) -> str:
        async with httpx.AsyncClient(timeout=3.0) as client:
            try:
                return (await client.get(f"{self.url}/readyz")).text[:500]
            except httpx.HTTPError as error:
                return f"no answer ({type(error).__name__})"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The services that run."""

    services: tuple[Service, ...]

    def __getitem__(self, name: str) -> Service:
        return next(service for service in self.services if service.name == name)

    @property
    def urls(self) -> dict[str, str]:
        """Base URL of each service's API."""
        return {service.name: service.url for service in self.services}

    @property
    def children(self) -> tuple[Child, ...]:
        """Their processes."""
        return tuple(service.child for service in self.services)


async def topics(stack: Stack) -> None:
    """All topics of the table, where the broker does not make them by itself. Raises CannotStartError."""
    if stack.kind == "local":  # the mock cluster makes a topic at its first use, and knows no other way
        try:
            await make_topics(Brokers(stack.kafka), partitions=PARTITIONS, replicas=len(stack.brokers))
        except Transient as error:
            raise CannotStartError(f"topics could not be made: {error}") from None


@asynccontextmanager
async def fleet(world: World, tell: Tell) -> AsyncIterator[Fleet]:
    """Databases migrated, four services ready; at exit none of them is left.

    `tell` hears of every step. Raises CannotStartError when something does not come up.
    """
    directory = world.stack.directory / "services"
    made = Fleet(tuple(Service(name, world, directory) for name in SERVICES))
    try:
        await together(*(service.migrate() for service in made.services))
        tell(f"{len(SERVICES)} databases migrated")
        await together(*(_started(service, tell) for service in made.services))
        yield made
    finally:
        await together(*(service.child.stop(GRACE) for service in made.services))


async def _started(service: Service, tell: Tell) -> None:
    await service.start()
    tell(f"{service.name} ready, pid {service.child.pid}")
