"""An in-memory Kafka: topics, partitions, offsets, retention, groups that rebalance, consumers that fetch ahead."""

import asyncio
import contextvars
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.contracts import TOPICS, Envelope, dead_topic
from shared.errors import Transient
from shared.flow.ports import Incoming, Letter, Record
from shared.flow.process import KeyLanes, Process

FETCH = 50
"""Records of one partition in one delivery, at most."""


@dataclass
class Partition:
    """An append-only log; ``first`` is the oldest offset that retention has left."""

    records: list[Incoming] = field(default_factory=list)
    first: int = 0
    gone: set[int] = field(default_factory=set)
    """Offsets that compaction has taken."""

    @property
    def end(self) -> int:
        return len(self.records)

    def read(self, offset: int, limit: int) -> list[Incoming]:
        left = [r for r in self.records[max(offset, self.first) :] if r.offset not in self.gone]
        return left[:limit]


class Broker:
    """All topics of the table, and the groups. ``away``: nobody gets an answer."""

    def __init__(self, rng: random.Random, partitions: int = 2) -> None:
        self.rng = rng
        self.partitions = partitions
        self.topics = {name: [Partition() for _ in range(partitions)] for name in TOPICS}
        self.away = False
        self.times: dict[tuple[str, int, int], int] = {}
        """Milliseconds, of the records that were sent with a time."""
        self.groups: dict[tuple[str, str], Group] = {}
        self.consumers: list[Consumer] = []

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes, headers: Iterable[object]) -> int:
        """Add one record; returns its offset."""
        log = self.topics[topic][partition]
        log.records.append(Incoming(topic, partition, log.end, key, value, tuple(headers)))  # type: ignore[arg-type]
        self.wake()
        return log.end - 1

    def wake(self) -> None:
        """Let consumers look again: there is more, or the broker is back."""
        for consumer in self.consumers:
            consumer.more.set()

    def expire(self, topic: str, partition: int, first: int) -> None:
        """Retention takes what is older than ``first``."""
        self.topics[topic][partition].first = first

    def records(self, topic: str) -> list[Incoming]:
        """All records ever, partition by partition."""
        return [record for partition in self.topics[topic] for record in partition.records]

    def ids(self, topic: str) -> list[str]:
        """The ``ce_id`` of every record with our headers."""
        return [Envelope.of(r.headers).id for r in self.records(topic) if r.headers]

    def compact(self, topic: str) -> None:
        """Of each key the last record stays."""
        for partition in self.topics[topic]:
            last = {record.key: record.offset for record in partition.records}
            partition.gone |= {record.offset for record in partition.records} - set(last.values())

    async def travel(self) -> None:
        """The time that a round trip takes."""
        await asyncio.sleep(0)

    async def reach(self) -> None:
        """One round trip. Raises Transient while away."""
        await self.travel()
        if self.away:
            await asyncio.sleep(0.01)
            raise Transient("the broker is away", retry_after=0.1)


class FakePublisher:
    """One process's producer; ``dead`` as in the database."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.dead = False

    async def publish(self, records: Sequence[Record]) -> None:
        for record in records:
            await self._reach()
            key = record.key.encode()
            self._broker.append(record.topic, record.partition, key, record.value, record.envelope.headers())
        await self._reach()

    async def _reach(self) -> None:
        if self.dead:
            await asyncio.Event().wait()
        await self._broker.reach()


class FakeDeadTopic:
    """A service's dead topic; see ``shared.flow.ports.DeadTopic``."""

    def __init__(self, broker: Broker, service: str) -> None:
        self._broker = broker
        self._topic = dead_topic(service).name

    async def letters(self, ends: Mapping[int, int] | None = None) -> AsyncIterator[Letter]:
        await self._broker.reach()  # the real one asks for the ends, also where there is nothing to read
        logs = self._broker.topics[self._topic]
        until = {number: log.end for number, log in enumerate(logs)} if ends is None else ends
        for number, end in until.items():
            at = 0
            while page := [r for r in logs[number].read(at, FETCH) if r.offset < end]:
                await self._broker.reach()
                for r in page:
                    sent = self._broker.times.get((r.topic, r.partition, r.offset), 0)
                    yield Letter(r.topic, r.partition, r.offset, r.key, r.value, r.headers, sent)
                at = page[-1].offset + 1

    async def tell(self, letters: Sequence[Letter]) -> None:
        for r in letters:
            await self._broker.reach()
            offset = self._broker.append(self._topic, r.partition, r.key, r.value or b"", r.headers)
            self._broker.times[self._topic, r.partition, offset] = r.timestamp
        await self._broker.reach()

    async def forget(self, ends: Mapping[int, int]) -> None:
        await self._broker.reach()
        for number, end in ends.items():
            self._broker.expire(self._topic, number, max(end, self._broker.topics[self._topic][number].first))


class Consumer:
    """A member of a group, and the ``Source`` of its lanes. Like the real one it fetches before it delivers."""

    def __init__(self, broker: Broker, lanes: KeyLanes) -> None:
        self._broker = broker
        self.lanes = lanes
        self.positions: dict[tuple[str, int], int] = {}
        self.paused: set[tuple[str, int]] = set()
        self.more = asyncio.Event()
        self.dead = False
        self.blocked = False
        """While set nothing is delivered: the broker has it, the lane does not."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._broker.consumers.append(self)
        self._task = asyncio.create_task(self._run(), name="consumer")

    async def stop(self) -> None:
        self._broker.consumers = [c for c in self._broker.consumers if c is not self]
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def assign(self, held: Mapping[str, set[int]]) -> None:
        """New partitions start paused; what was fetched of the old ones may still be delivered."""
        places = {(topic, number) for topic, numbers in held.items() for number in numbers}
        self.positions = {place: self.positions.get(place, 0) for place in places}
        self.paused = set(places)

    async def _run(self) -> None:
        while True:
            self.more.clear()
            delivered = False
            for place in sorted(self.positions.keys() - self.paused):
                if not self._broker.away and not self.blocked:
                    delivered |= await self._deliver(place)
            if not delivered:
                await self.more.wait()

    async def _deliver(self, place: tuple[str, int]) -> bool:
        topic, number = place
        limit = self._broker.rng.randint(1, FETCH)
        fetched = self._broker.topics[topic][number].read(self.positions.get(place, 0), limit)
        if not fetched or place in self.paused or place not in self.positions:
            return False
        self.positions[place] = fetched[-1].offset + 1
        for _ in range(self._broker.rng.randint(0, 2)):
            await asyncio.sleep(0)  # on its way: a seek now does not stop it
        if not self.dead:
            self.lanes.deliver(fetched)
        return True

    # -- Source --------------------------------------------------------------------------------------------

    async def beginning(self, topic: str, partition: int) -> int:
        await self._reach()
        return self._broker.topics[topic][partition].first

    async def ends(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        await self._reach()
        return {(topic, number): self._broker.topics[topic][number].end for topic, number in places}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        if (topic, partition) in self.positions:
            self.positions[topic, partition] = offset
            self.more.set()

    def high(self, topic: str, partition: int) -> int | None:
        return self._broker.topics[topic][partition].end

    def pause(self, topics: Iterable[str], partition: int) -> None:
        self.paused |= {(topic, partition) for topic in topics}

    def resume(self, topics: Iterable[str], partition: int) -> None:
        self.paused -= {(topic, partition) for topic in topics}
        self.more.set()

    async def _reach(self) -> None:
        if self.dead:
            await asyncio.Event().wait()
        await self._broker.reach()


class Group:
    """The members of one service for one key. Partition i of all topics goes to one member."""

    def __init__(self, broker: Broker, key: str) -> None:
        self._broker = broker
        self._key = key
        self.members: list[tuple[Process, Consumer]] = []
        self._contexts: dict[Consumer, contextvars.Context] = {}

    async def join(self, process: Process) -> Consumer:
        """Take a member in and give out the partitions anew."""
        consumer = Consumer(self._broker, process.keys[self._key])
        consumer.start()
        self.members.append((process, consumer))
        self._contexts[consumer] = contextvars.copy_context()
        await self.rebalance()
        return consumer

    async def leave(self, process: Process) -> None:
        """Let a member go, living or dead, and give out the partitions anew."""
        gone = [c for p, c in self.members if p is process]
        self.members = [(p, c) for p, c in self.members if p is not process]
        for consumer in gone:
            await consumer.stop()
        await self.rebalance()

    async def expel(self, process: Process) -> None:
        """Give its partitions to others behind its back, as after a long pause: its lanes go on."""
        self.members = [(p, c) for p, c in self.members if p is not process]
        await self.rebalance()

    async def rebalance(self) -> None:
        """The eager protocol: all give back, then all are given."""
        for _, consumer in self.members:
            await consumer.lanes.revoked()
        for index, (process, consumer) in enumerate(self.members):
            numbers = {n for n in range(self._broker.partitions) if n % len(self.members) == index}
            held = {topic: set(numbers) for topic in process.keys[self._key].topics}
            consumer.assign(held)
            # Tasks belong to the process that they are started for, whoever caused the rebalance.
            self._contexts[consumer].run(process.assigned, self._key, held, consumer)
