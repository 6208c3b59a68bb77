"""Kill -9 of the services, on Apache Kafka and an on-disk database."""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from local import kafka
from local.client import Client, Wire, minted
from local.fleet import PARTITIONS, SERVICES, Service, World
from local.issuer import Issuer
from local.journal import Journal
from local.processes import together, until, wait_for
from local.stack import running
from local.witness import Witness, reading
from shared.admin import make_topics
from shared.brokers import Brokers
from tests.faults.crowd import HARMLESS, NEED_STEPS, Crowd
from tests.faults.recount import Recount

pytestmark = [
    pytest.mark.stack,
    pytest.mark.kafka,
    pytest.mark.skipif(kafka.missing() is not None, reason=f"no Apache Kafka on this machine: {kafka.missing()}"),
]
ROUNDS = 5
TASKS = 10
MOST_BETWEEN = 600
"""Accepted commands and records, at most, from the beginning of a round to a kill in it."""
AGAIN = 0.25
"""How often a service is killed once more while it starts."""
STALLED = 60.0
DRAINED = 40.0


class Fault:
    """Kills services at moments that the progress of the load decides, and starts them again at once."""

    def __init__(self, services: list[Service], load: Callable[[], int], rng: random.Random) -> None:
        self._services, self._load, self._rng = services, load, rng
        self.kills = 0
        self.seconds: list[float] = []
        """From each kill until the service was ready again."""

    async def round(self) -> None:
        """Each service once, in any order and possibly at the same time; returns when all are ready."""
        begun = self._load()
        async with asyncio.TaskGroup() as group:
            for service in self._services:
                group.create_task(self._kill(service, begun + self._rng.randint(1, MOST_BETWEEN)))

    async def _kill(self, service: Service, moment: int) -> None:
        async with asyncio.timeout(STALLED):
            await until(lambda: self._load() >= moment, every=0.003)
        clock = asyncio.get_running_loop().time
        began = clock()
        await service.child.kill()
        while self._rng.random() < AGAIN:
            service.child.start()
            await self._somewhere_in_its_start()
            await service.child.kill()
            self.kills += 1
        await service.start()
        self.kills += 1
        self.seconds.append(clock() - began)

    async def _somewhere_in_its_start(self) -> None:
        clock = asyncio.get_running_loop().time
        moment = clock() + self._rng.uniform(0.5, 2.0)  # from its imports to its first claims
        await until(lambda: clock() >= moment, every=0.003)


async def drained(services: list[Service]) -> bool:
    """Whether no lane has anything to read or to send, by the services' own metrics."""
    async with httpx.AsyncClient(timeout=5.0) as http:
        told = [line for s in services for line in (await http.get(s.metrics)).text.splitlines()]
    waits = [line for line in told if line.startswith(("lianyi_lane_lag_records{", "lianyi_lane_outbox_seconds{"))]
    return bool(waits) and all(float(line.rpartition(" ")[2]) == 0 for line in waits)


async def test_kill_9_of_every_service_five_times_loses_and_doubles_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Whatever dies under load: each accepted command has its effects, each effect once, and no input dies."""
    seed = int.from_bytes(os.urandom(4))
    rng = random.Random(seed)
    journal = Journal()
    witness = Witness(journal, PARTITIONS)
    recount = Recount(witness)
    journal.listeners.append(recount)
    async with running("local") as stack, Issuer() as issuer:
        world = World(stack, issuer, NEED_STEPS)
        services = [Service(name, world, tmp_path) for name in SERVICES]
        for service in services:  # a name that is kept over restarts keeps the partitions too
            service.child.env["LIANYI_INSTANCE"] = service.name
        urls = {service.name: service.url for service in services}
        try:
            await together(_topics(stack.kafka), *(service.migrate() for service in services))
            await together(*(service.start() for service in services))
            async with Wire(urls, minted(issuer.token), journal) as wire, reading(stack.kafka, witness):
                client = Client(wire)
                crowd = Crowd(client, witness, rng)
                await crowd.settle_in()
                fault = Fault(services, lambda: sum(journal.commands.values()) + witness.records, rng)
                clock = asyncio.get_running_loop().time
                began = clock()
                async with crowd.living(TASKS):
                    for _ in range(ROUNDS):
                        await fault.round()
                loaded = clock()
                verdict = await witness.settle(DRAINED)
                await wait_for(lambda: drained(services), DRAINED, "the lanes are drained")
                settled = clock()
                differs = await recount.faults(client)
        finally:
            await together(*(service.child.kill() for service in services))
    line = (
        f"seed {seed}: {sum(journal.commands.values())} commands, {witness.records} records,"
        f" {fault.kills} kills in {loaded - began:.0f} s, {journal.waits} retries;"
        f" lost {len(verdict.lost)}, doubled {len(verdict.doubled)}, other counts {len(differs)},"
        f" the same record twice on the wire {witness.ledger.book.repeats};"
        f" ready after a kill {sorted(fault.seconds)[len(fault.seconds) // 2]:.1f} s"
        f" (most {max(fault.seconds):.1f} s), drained after {settled - loaded:.1f} s"
    )
    record_property("figures", line)
    print(line, journal.commands, witness.ledger.kinds, f"logs: {tmp_path}", sep="\n")
    assert not verdict.lost
    assert not verdict.doubled
    assert not differs
    assert not witness.others
    assert {refused.reason for refused in journal.refused} <= HARMLESS
    kinds = witness.ledger.kinds
    rare = ("NeedWithdrawn", "NeedEscalated", "TierChanged", "MemberLeft", "CommentVisibilityChanged")
    assert all(kinds[kind] for kind in rare), "the load does not reach what it must"


async def _topics(servers: str) -> None:
    await make_topics(Brokers(servers), partitions=PARTITIONS)
