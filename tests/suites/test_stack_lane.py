"""The lane suite on the real bus and client, over the embedded stack (librdkafka's mock cluster, SecantusDB) or the
servers of `--kafka` and `--mongo`.

A group needs seconds to form on the mock cluster, so its members live as long as the module; each test's
process is put behind them, with empty databases, and starts at the end of what earlier tests left.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from local.stack import pick, running
from shared.admin import DeadLetters, make_topics
from shared.app import now
from shared.brokers import Brokers
from shared.bus import Bus
from shared.consumer import incoming
from shared.contracts import TOPICS
from shared.flow.documents import LANES
from shared.flow.ports import Incoming, Json, Publisher, Source
from shared.flow.process import Process
from shared.migrations import FLOW_COLLECTIONS, FLOW_INDEXES, migrate
from shared.mongo import MongoDatabase
from tests.suites import toy
from tests.suites.alarms import AlarmSuite
from tests.suites.lane import LaneSuite
from tests.suites.parts import PartSuite
from tests.suites.view import ViewSuite
from tests.suites.world import Node, World, own_tasks

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]
PARTITIONS = 4


@dataclass
class Member:
    """A group's member for one key, in the place of a process: it hands over to whichever node is behind it."""

    key: str
    topics: tuple[str, ...]
    node: Node | None = None
    held: Mapping[str, set[int]] = field(default_factory=dict)
    source: Source | None = None
    joined: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def keys(self) -> dict[str, "Member"]:
        return {self.key: self}

    @property
    def lanes(self) -> list[Any]:
        return list(self.node.process.keys[self.key].lanes) if self.node else []

    def lane(self, partition: int) -> Any:
        return self.node.process.keys[self.key].lane(partition) if self.node else None

    def positions(self) -> dict[tuple[str, int], int]:
        return self.node.process.keys[self.key].positions() if self.node else {}

    def assigned(self, key: str, held: Mapping[str, set[int]], source: Source) -> None:
        self.held, self.source = held, source
        self.joined.set()

    async def revoked(self) -> None:
        if self.node is not None:
            await self.node.process.keys[self.key].revoked()

    def deliver(self, records: Iterable[Incoming]) -> None:
        if self.node is not None:
            self.node.process.keys[self.key].deliver(records)

    async def put_behind(self, node: Node) -> None:
        await self.revoked()
        self.node = node
        assert self.source is not None
        for topic, numbers in self.held.items():
            for number in numbers:
                self.source.pause([topic], number)
        node.process.assigned(self.key, self.held, self.source)


@dataclass
class Base:
    """What all tests of the module share."""

    kafka: str
    mongo: str
    buses: dict[str, Bus]
    members: dict[str, Member]
    reader: Any
    asker: Any
    """Another client: on the reader's connection a question waits behind its long polls."""
    databases: dict[str, MongoDatabase]

    async def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        return {(p.topic, p.partition): int(o) for p, o in (await self.asker.end_offsets(places)).items()}


@contextlib.asynccontextmanager
async def servers(config: pytest.Config) -> AsyncIterator[tuple[str, str]]:
    """Addresses of broker and database: those that pytest was told, the broker with its topics, or of a stack."""
    kafka, mongo = config.getoption("kafka"), config.getoption("mongo")
    if kafka and mongo:
        await make_topics(Brokers(kafka), PARTITIONS)
        yield kafka, mongo
        return
    async with running(*pick("embedded")) as stack:
        yield stack.kafka, stack.mongo


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def base(pytestconfig: pytest.Config) -> AsyncIterator[Base]:
    async with servers(pytestconfig) as (kafka, mongo), contextlib.AsyncExitStack() as ends:
        buses = {service: Bus(Brokers(kafka), service) for service in toy.READS}
        members = {service: Member("note", tuple(keys["note"])) for service, keys in toy.READS.items()}
        for bus in buses.values():
            ends.push_async_callback(bus.stop)
            assert set((await bus.connect(TOPICS)).values()) == {PARTITIONS}
        await asyncio.gather(*(buses[s].consume(cast("Process", members[s])) for s in buses))
        reader, asker = (AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False) for _ in range(2))
        for client in (reader, asker):
            await client.start()
            ends.push_async_callback(client.stop)
        databases = {service: MongoDatabase(mongo, service) for service in toy.READS}
        for service, database in databases.items():
            ends.push_async_callback(database.close)
            await migrate(database, FLOW_INDEXES, {*FLOW_COLLECTIONS, *toy.COLLECTIONS[service]})
        async with asyncio.timeout(30):
            for member in members.values():
                await member.joined.wait()
        yield Base(kafka, mongo, buses, members, reader, asker, databases)


class StackWorld(World):
    """Empty databases, and topics from where they end now, over servers that all worlds of the module share."""

    partitions = PARTITIONS

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.now = now
        self._base = base
        self._clients: list[MongoDatabase] = []
        self._read: dict[str, list[Incoming]] = {}
        self._positions: dict[tuple[str, int], int] = {}
        own_tasks()

    async def open(self) -> None:
        self._positions = await self._base.ends(TOPICS)
        for service, keys in toy.READS.items():
            own = self._base.databases[service]
            for collection in (*FLOW_COLLECTIONS, *toy.COLLECTIONS[service]):
                await own.raw[collection].delete_many({})
            for number in range(PARTITIONS):
                next_ = [[topic, self._positions[topic, number]] for topic in sorted(keys["note"])]
                change: Json = {"$set": {"next": next_, "batch": 0, "outbox": []}}
                await own.modify(LANES, {"_id": f"note:{number}"}, change, upsert=True)

    async def close(self) -> None:
        await super().close()
        for client in self._clients:
            await client.close()

    def database(self, service: str, at: Callable[[str], None] = lambda label: None) -> MongoDatabase:
        client = MongoDatabase(self._base.mongo, service, at)
        self._clients.append(client)
        return client

    def publisher(self, service: str) -> Publisher:
        return self._base.buses[service]

    def dead(self, service: str) -> DeadLetters:
        return DeadLetters(Brokers(self._base.kafka), service)

    async def join(self, node: Node) -> None:
        await self._base.members[node.service].put_behind(node)

    async def leave(self, node: Node) -> None:
        member = self._base.members[node.service]
        if member.node is node:
            await member.revoked()
            member.node = None

    async def expel(self, node: Node) -> None:
        self._base.members[node.service].node = None

    async def records(self, topic: str) -> list[Incoming]:
        reader, found = self._base.reader, self._read.setdefault(topic, [])
        ends = await self._base.ends([topic])
        places = {place for place in ends if self._positions[place] < ends[place]}
        reader.assign([TopicPartition(*place) for place in places])
        for place in places:
            reader.seek(TopicPartition(*place), self._positions[place])
        while any(self._positions[place] < ends[place] for place in places):
            for records in (await reader.getmany(timeout_ms=200)).values():
                found.extend(incoming(record) for record in records)
                last = records[-1]
                self._positions[last.topic, last.partition] = last.offset + 1
        return sorted(found, key=lambda r: (r.partition, r.offset))

    async def documents(self, service: str, collection: str) -> dict[str, Json]:
        return {d["_id"]: d for d in await self._base.databases[service].find(collection, {})}

    async def ends(self, topics: Sequence[str], partition: int) -> dict[str, int]:
        return {topic: end for (topic, number), end in (await self._base.ends(topics)).items() if number == partition}


@pytest_asyncio.fixture(loop_scope="module")
async def world(base: Base) -> AsyncIterator[StackWorld]:
    made = StackWorld(base)
    await made.open()
    yield made
    await made.close()


class TestStackLane(LaneSuite, ViewSuite, AlarmSuite, PartSuite):
    """Lanes keep their promises over the real bus and the real client."""
