"""The four services on real servers, with a crowd that can be set on them, and a witness."""

import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from motor.motor_asyncio import AsyncIOMotorClient

from local.book import Fact
from local.client import Client, Wire, minted
from local.fleet import AT_ANY_PACE, PARTITIONS, SERVICES, Service, World, as_process, topics
from local.issuer import Issuer
from local.journal import Journal
from local.processes import Child, together, wait_for
from local.stack import Stack
from local.witness import Witness, reading
from shared.contracts import topics_read_by
from shared.flow.documents import LANES
from tests.faults.crowd import NEED_STEPS, Crowd

Place = tuple[str, int, int]
"""Topic, partition, offset."""
NOTHING: Mapping[str, str] = {}
PATIENCE = 180.0
"""Seconds for which a caller goes on asking: longer than what a round breaks is away, on a busy machine too."""


class Doors(Mapping[str, str]):
    """The API of each service: where several of its processes take part in the traffic, they are asked in turn."""

    def __init__(self) -> None:
        self._open: defaultdict[str, list[str]] = defaultdict(list)
        self._asked = 0

    def open(self, service: Service) -> None:
        """From here on it is asked too, whether it lives or not, as a balancer does that has not noticed."""
        self._open[service.name].append(service.url)

    def close(self, service: Service) -> None:
        """It is not asked any more, if it was."""
        if service.url in self._open[service.name]:
            self._open[service.name].remove(service.url)

    def __getitem__(self, name: str) -> str:
        self._asked += 1
        return self._open[name][self._asked % len(self._open[name])]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)


@dataclass
class System:
    """What runs, and what watches it. One process of each service is always there; a round may add others."""

    world: World
    directory: Path
    rng: random.Random
    journal: Journal
    witness: Witness
    client: Client
    crowd: Crowd
    doors: Doors
    services: tuple[Service, ...]
    more: list[Service] = field(default_factory=list)
    """Processes that a round has added, in or out of the traffic."""
    known: set[Fact] = field(default_factory=set)
    """What rounds before have found wrong."""
    planted: set[Place] = field(default_factory=set)
    """Records that tests have written themselves and that nobody can take: their letters are no loss."""
    erased: set[str] = field(default_factory=set)
    """Persons whose texts tests have had erased."""
    plain: list[tuple[Sequence[str], Mapping[str, str]]] = field(init=False)
    """With what each of the services is started, unless a round has it otherwise."""

    def __post_init__(self) -> None:
        self.plain = [(list(service.child.argv), dict(service.child.env)) for service in self.services]

    @property
    def stack(self) -> Stack:
        """Broker and database."""
        return self.world.stack

    @property
    def load(self) -> int:
        """Accepted commands and records so far: what moments are named by."""
        return sum(self.journal.commands.values()) + self.witness.records

    def __getitem__(self, name: str) -> Service:
        return next(service for service in self.services if service.name == name)

    def another(self, name: str) -> Service:
        """One more process of a service, not started and out of the traffic."""
        number = sum(service.name == name for service in self.more) + 2
        made = _process(name, self.world, self.directory, number)
        self.more.append(made)
        return made

    async def whole(self) -> None:
        """As a round finds it, however the one before has ended: one process of each service, as it is started first,
        ready."""
        for service in self.more:
            self.doors.close(service)
        await together(*(service.child.kill() for service in self.more))
        self.more.clear()
        for service, plain in zip(self.services, self.plain, strict=True):
            service.child.resume()
            if (service.child.argv, service.child.env) != plain:
                await service.child.kill()
                service.child.argv, service.child.env = list(plain[0]), dict(plain[1])
            self.doors.close(service)
            self.doors.open(service)
        await together(*(service.start() for service in self.services if not service.child.alive))

    async def operate(self, name: str, *words: str, within: float = 180.0) -> str:
        """An `ops` command of a service, to its end; what it printed. Raises CannotStartError when it fails."""
        service = self[name]
        log = self.directory / f"{name}.ops.log"
        log.unlink(missing_ok=True)
        await Child(f"{name} ops", [*as_process(name, ()), "ops", *words], service.child.env, log).finish(within)
        return log.read_text("utf-8")

    async def drained(self, within: float) -> None:
        """Returns when no lane has anything to read, of what the witness has read, or to send. Raises CannotStartError
        when that takes too long."""
        await wait_for(self._idle, within, "the lanes are drained")
        # What a lane says of itself may be of the moment before the last records: where it stands is stored.
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(self.stack.mongo)
        try:
            for service in self.services:
                lanes = client[f"lianyi_{service.name}"][LANES]
                await wait_for(partial(self._at_the_end, service.name, lanes), within, f"{service.name} has read all")
        finally:
            client.close()
        await wait_for(self._idle, within, "the lanes are drained")

    async def _at_the_end(self, name: str, lanes: Any) -> bool:
        at = {lane["_id"]: dict(lane.get("next", ())) async for lane in lanes.find({}, {"next": True})}
        keys = {topic.name: topic.key for topic in topics_read_by(name)}
        return all(
            at.get(f"{keys[topic]}:{partition}", {}).get(topic, 0) >= end
            for (topic, partition), end in self.witness.offsets.items()
            if topic in keys
        )

    async def _idle(self) -> bool:
        told = await told_by(service for service in (*self.services, *self.more) if service.child.alive)
        waits = [v for name, v in told if name.startswith(("lianyi_lane_lag_records{", "lianyi_lane_outbox_seconds{"))]
        return bool(waits) and not any(waits)


async def told_by(services: Iterable[Service]) -> list[tuple[str, float]]:
    """The metrics of these processes, name with labels and value, as Prometheus reads them."""
    async with httpx.AsyncClient(timeout=5.0) as http:
        told = [line for s in services for line in (await http.get(s.metrics)).text.splitlines() if line[0] != "#"]
    return [(name, float(value)) for name, _, value in (line.rpartition(" ") for line in told)]


def _process(name: str, world: World, directory: Path, number: int = 1) -> Service:
    label = name if number == 1 else f"{name}-{number}"
    made = Service(name, world, directory / label)
    made.child.env["LIANYI_INSTANCE"] = label  # a name that is kept over restarts keeps the partitions too
    return made


AFTERWARDS = {"LIANYI_GATE_SECONDS": "0"}
"""The gates look at nothing: what was published is hidden then, and its need withdrawn, which takes the lanes more.
`test_gates.py` has them look."""


@asynccontextmanager
async def inhabited(
    stack: Stack, directory: Path, env: Mapping[str, str] = NOTHING, patience: float = PATIENCE
) -> AsyncIterator[System]:
    """The services on a stack that runs, ready, with groups and notes in them; none of them is left at exit.

    `env` holds settings of the services that come last, and so hold. `patience` is how many seconds a caller goes on
    asking before a command is given up, and so lost.
    """
    journal = Journal()
    witness, seed = Witness(journal, PARTITIONS), int.from_bytes(os.urandom(4))
    rng = random.Random(seed)
    print(f"seed {seed}, logs in {directory}")
    async with Issuer() as issuer:
        world = World(stack, issuer, NEED_STEPS, more={**AT_ANY_PACE, **AFTERWARDS, **env})
        services = tuple(_process(name, world, directory) for name in SERVICES)
        doors = Doors()
        for service in services:
            doors.open(service)
        system: System | None = None
        try:
            await together(topics(stack), *(service.migrate() for service in services))
            await together(*(service.start() for service in services))
            async with Wire(doors, minted(issuer.token), journal, patience) as wire, reading(stack.kafka, witness):
                client = Client(wire)
                crowd = Crowd(client, witness, rng)
                await crowd.settle_in()
                system = System(world, directory, rng, journal, witness, client, crowd, doors, services)
                yield system
        finally:
            left = (*services, *(system.more if system else ()))
            await together(*(service.child.kill() for service in left))
