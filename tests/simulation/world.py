"""The world of a simulation: the fakes with latencies, clocks that are wrong, processes that stand still."""

import asyncio
import contextlib
import contextvars
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import cast

from shared.contracts import TOPICS, Envelope
from shared.errors import Transient
from shared.flow.documents import DEAD, LANES, RESTORED, Document, StoredReply, Timer
from shared.flow.ports import Json, Now, Record, View
from tests.fakes.broker import Broker, Consumer, FakePublisher
from tests.fakes.database import FakeDatabase
from tests.fakes.faults import FaultyPublisher
from tests.fakes.world import FakeWorld
from tests.simulation import kinds, services
from tests.simulation.loop import StoppingLoop
from tests.suites.world import OWNER, Node

DELIVERY = 30.0
"""Seconds after which a producer gives a record up that nobody acknowledges."""
BROKEN, WRONG = b"{not json", b'{"comment_id": 7}'
POISONS = (BROKEN, WRONG)
"""Values that nobody can read: no JSON, and not what the type says."""
UNKNOWN = b'{"unheard": "of"}'
"""The value of a record of a type that nobody knows, and everybody passes over."""
DELAYS = (0.0, 0.0, 0.0, 0.001, 0.002, 0.02)
"""Seconds that a round trip takes."""


class TimedBroker(Broker):
    """Remembers when each record came."""

    def __init__(self, rng: random.Random, partitions: int) -> None:
        super().__init__(rng, partitions)
        self.came: dict[tuple[str, int, int], float] = {}

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes, headers: Iterable[object]) -> int:
        offset = super().append(topic, partition, key, value, headers)
        self.came[topic, partition, offset] = asyncio.get_running_loop().time()
        return offset

    async def travel(self) -> None:
        await asyncio.sleep(self.rng.choice(DELAYS))


class SlowDatabase(FakeDatabase):
    """Every round trip takes its time."""

    rng: random.Random

    async def _travel(self) -> None:
        await asyncio.sleep(self.rng.choice(DELAYS))


class SimulatedPublisher(FaultyPublisher):
    """What is late comes even if its sender is dead by then: it was on the wire."""

    def __init__(self, inner: FakePublisher, broker: Broker, wire: set["asyncio.Task[None]"]) -> None:
        super().__init__(inner)
        self._broker = broker
        self.late = wire

    async def publish(self, records: Sequence[Record]) -> None:
        try:
            async with asyncio.timeout(DELIVERY):
                await super().publish(records)
        except TimeoutError:
            raise Transient("no acknowledgement") from None

    def delay(self) -> float:
        return self._broker.rng.choice([0.3, 3.0, 5.0])

    async def _send_late(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(self.delay())
        for record in records:
            key = record.key.encode()
            self._broker.append(record.topic, record.partition, key, record.value, record.envelope.headers())


class SimulatedWorld(FakeWorld):
    """All processes of three services in one loop."""

    reads = services.READS
    routers = services.ROUTERS

    def __init__(self, seed: int, skew: float) -> None:
        super().__init__(seed)
        self.toy = services.Turns()
        self.skew = skew
        self.poll = 0.25
        self.membership = asyncio.Lock()
        """Held while the groups change, and while somebody stands still for whom a group would wait."""
        self.numbers: dict[Node, int] = {}
        self.copied: set[tuple[str, int, int]] = set()
        self.wire: set[asyncio.Task[None]] = set()
        """Sends of all processes, living or dead, that are still to come."""

    def make_broker(self) -> Broker:
        return TimedBroker(random.Random(self.rng.getrandbits(64)), self.partitions)

    @property
    def came(self) -> dict[tuple[str, int, int], float]:
        """When each record came, in seconds."""
        return cast("TimedBroker", self.broker).came

    def clock(self) -> Now:
        wrong = timedelta(milliseconds=round(self.rng.uniform(-self.skew, self.skew) * 1000))
        now = self.now
        return lambda: now() + wrong

    def database(self, service: str, at: Callable[[str], None] = lambda label: None) -> FakeDatabase:
        made = SlowDatabase(self.servers[service], at)
        made.rng = random.Random(self.rng.getrandbits(64))
        return made

    async def stored(self, service: str) -> dict[str, dict[str, Json]]:
        """All that a service keeps, by collection and id."""
        every: tuple[type[Document], ...] = (*kinds.KINDS[service], StoredReply, Timer)
        collections = [*(kind.COLLECTION for kind in every), LANES, DEAD, RESTORED]
        return {name: await self.documents(service, name) for name in collections}

    def views(self, service: str) -> tuple[View, ...]:
        """The views of a process of a service."""
        return services.views(service, self.database(service))

    def make_faulty(self, service: str) -> FaultyPublisher:
        return SimulatedPublisher(self.publisher(service), self.broker, self.wire)

    async def join(self, node: Node) -> None:
        self.numbers.setdefault(node, len(self.numbers))
        async with self.membership:
            await super().join(node)

    async def leave(self, node: Node) -> None:
        async with self.membership:
            await super().leave(node)

    async def kill(self, node: Node) -> None:
        node.crashed.set()
        node.die()
        self.loop.continue_node(node)
        await super().kill(node)

    async def freeze(self, node: Node, seconds: float) -> None:
        """It stands still for less than its session."""
        async with self.membership:
            self.loop.stop_node(node)
            await asyncio.sleep(seconds)
            self.loop.continue_node(node)

    async def zombie(self, node: Node, seconds: float) -> None:
        """It stands still, the groups give its partitions away, it wakes, goes on as if nothing was, and joins anew."""
        self.loop.stop_node(node)
        wakes = self.loop.time() + seconds
        with contextlib.suppress(TimeoutError):  # the groups may be waiting for this very node
            async with asyncio.timeout(seconds), self.membership:
                await self.expel(node)
        await asyncio.sleep(wakes - self.loop.time())
        self.loop.continue_node(node)
        await asyncio.sleep(self.rng.uniform(0.0, 2.0))
        await self.rejoin(node)

    async def rejoin(self, node: Node) -> None:
        """A member that hears that it is none gives back and joins again."""
        groups = [group for (service, _), group in self.groups.items() if service == node.service]
        member = all(any(process is node.process for process, _ in group.members) for group in groups)
        if member or node.crashed.is_set() or node not in self.nodes:
            return
        for keys in node.process.keys.values():
            await keys.revoked()
            for consumer in [c for c in self.broker.consumers if c.lanes is keys]:
                await consumer.stop()
        for group in groups:  # of which it may still be in some: an expulsion can have ended half way
            group.members = [(process, c) for process, c in group.members if process is not node.process]
        context = contextvars.copy_context()
        context.run(OWNER.set, node)
        await asyncio.gather(asyncio.create_task(self.join(node), context=context), return_exceptions=True)
        if node.crashed.is_set():
            await self.leave(node)  # it died on the way

    def consumers(self, node: Node) -> list[Consumer]:
        """The consumers of a node."""
        members = [m for (service, _), g in self.groups.items() if service == node.service for m in g.members]
        return [consumer for process, consumer in members if process is node.process]

    @property
    def loop(self) -> StoppingLoop:
        return cast("StoppingLoop", asyncio.get_running_loop())

    def rewind(self, service: str, topic: str) -> int:
        """The groups of a service get a whole topic once more; returns how many records that are."""
        again = 0
        for (owner, _), group in self.groups.items():
            for _, consumer in group.members if owner == service else ():
                for place in consumer.positions:
                    if place[0] == topic:
                        again += consumer.positions[place]
                        consumer.positions[place] = 0
                consumer.more.set()
        return again

    def resend(self, topic: str, which: int) -> int:
        """Copies of some records come to the end of their partitions; returns how many."""
        chooser, sent = random.Random(which), 0
        for partition in self.broker.topics[topic]:
            for record in list(partition.records):
                if record.headers and chooser.random() < 0.3:
                    value, headers = record.value or b"", record.headers
                    offset = self.broker.append(topic, record.partition, record.key, value, headers)
                    self.copied.add((topic, record.partition, offset))
                    sent += 1
        return sent

    def last_again(self, topic: str) -> set[int]:
        """The last record of each partition that all its readers fold comes once more; returns which have one."""
        found = set()
        for number, log in enumerate(self.broker.topics[topic]):
            folded = [r for r in log.records if ("ce_type", services.TYPES[topic].encode()) in r.headers]
            for last in [record for record in folded if record.value not in POISONS][-1:]:
                offset = self.broker.append(topic, number, last.key, last.value or b"", last.headers)
                self.copied.add((topic, number, offset))
                found.add(number)
        return found

    async def spoil(self, topic: str, which: int) -> None:
        """A record that nobody of ours would make: no envelope, no body or that of another, or an unknown type."""
        self._put += 1
        owner, kind = TOPICS[topic].owner, which // 2
        type_ = services.TYPES[topic] if kind < 3 else f"lianyi.{owner}.unheard_of.v1"
        about = Envelope(f"poison-{self._put}", type_, f"/lianyi/{owner}", self.now(), "n", 0, "test", "test")
        await self.raw(topic, which % 2, (BROKEN, BROKEN, WRONG, UNKNOWN)[kind], about.headers() if kind else [])
