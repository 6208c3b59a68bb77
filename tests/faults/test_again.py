"""Everything once more: records doubled on the wire, consumer groups set back, projections folded again."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from bson import encode
from motor.motor_asyncio import AsyncIOMotorClient

from local.fleet import PARTITIONS, SERVICES
from local.processes import together, wait_for
from local.witness import assigned
from shared.app import documents_of
from shared.bus import group_of
from shared.contracts import TOPICS, topics_read_by
from shared.flow.documents import INBOX, LANES, Document
from tests.faults.round import ON_REAL_PARTS, Round, Rounds
from tests.faults.system import System

pytestmark = ON_REAL_PARTS
MOST_COPIES = 4
LATE = 200
"""Copies that wait at most: one comes so many records after its original, or less."""
LOAD, LITTLE = 600, 200
REWOUND = 120.0
"""Seconds until the broker has forgotten the members of a group, and lets it be set back."""


class Echo:
    """Sends every record again, so many times at least and four at most, sooner or later, as it was."""

    def __init__(self, round_: Round, consumer: Any, producer: Any, least: int) -> None:
        self._round, self._consumer, self._producer, self._least = round_, consumer, producer, least
        self._rng = random.Random(round_.system.rng.random())
        self._known: set[bytes] = set()
        self._waiting: deque[Any] = deque()

    async def follow(self) -> None:
        """For ever."""
        while True:
            await self._turn()

    async def catch_up(self) -> None:
        """With what is there now."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        while any([await self._consumer.position(place) < end for place, end in ends.items()]):
            await self._turn()

    async def _turn(self) -> None:
        for records in (await self._consumer.getmany(timeout_ms=100, max_records=500)).values():
            for record in records:
                self._take(record)
        await self.send(down_to=LATE if self._waiting else 0)

    def _take(self, record: Any) -> None:
        id_ = dict(record.headers).get("ce_id", b"")
        planted = (record.topic, record.partition, record.offset) in self._round.system.planted
        if not planted and id_ not in self._known:  # else it is an echo
            self._known.add(id_)
            for _ in range(self._rng.randint(self._least, MOST_COPIES)):
                self._waiting.insert(self._rng.randint(0, len(self._waiting)), record)

    async def send(self, down_to: int = 0) -> None:
        """The copies that wait, but for so many."""
        sent = []
        while len(self._waiting) > down_to:
            record = self._waiting.popleft()
            headers = list(record.headers)
            sent.append(
                await self._producer.send(record.topic, record.value, record.key, record.partition, headers=headers)
            )
        await asyncio.gather(*sent)
        self._round.faults += len(sent)


@asynccontextmanager
async def echo(round_: Round, since: str, least: int = 0) -> AsyncIterator[Echo]:
    """Of all topics, since "earliest" or "latest"; at its end all copies are sent."""
    servers = round_.system.stack.kafka
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=servers, group_id=None, auto_offset_reset=since)
    async with consumer, AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await assigned(consumer)
        made = Echo(round_, consumer, producer, least)
        yield made
        await made.send()


async def test_every_record_up_to_five_times_counts_once(system: System, rounds: Rounds) -> None:
    """Doubles on the wire, near their originals or far behind them, change nothing and are told by nobody."""
    async with rounds(system) as round_, echo(round_, "latest") as made:
        following = asyncio.create_task(made.follow(), name="echo")
        for _ in round_.times(1, 50):
            await round_.loaded(LOAD if round_.scale else LITTLE)
        assert not following.done(), following
        following.cancel()
        await asyncio.wait([following])


async def contents(mongo: str, but: Collection[str] = ()) -> dict[str, str]:
    """A hash of every collection of each service, byte by byte, but for the control documents of the lanes, and what is
    named besides."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongo)
    try:
        return {
            f"{name}.{collection}": await _hash(client[f"lianyi_{name}"][collection])
            for name in SERVICES
            for collection in await client[f"lianyi_{name}"].list_collection_names()
            if collection not in {LANES, *but}
        }
    finally:
        client.close()


async def projections(mongo: str) -> dict[str, str]:
    """A hash of what a rebuild makes again, as it does, to the byte."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongo)
    try:
        return {
            f"{name}.{kind.COLLECTION}": await _hash(client[f"lianyi_{name}"][kind.COLLECTION], *_kept(kind))
            for name in SERVICES
            for kind in documents_of(name)
            if kind.REBUILT
        }
    finally:
        client.close()


def _kept(kind: type[Document]) -> tuple[set[str], set[str]]:
    """The fields to compare, none for all, and those not to.

    The version of what is kept in part counts on; which lane and batch wrote it last is not of the document.
    """
    return ({*kind.REBUILT, "_id"} if isinstance(kind.REBUILT, tuple) else set()), {"_lane", "_batch"}


async def _hash(collection: Any, only: Collection[str] = (), but: Collection[str] = ()) -> str:
    told, number = sha256(), 0
    async for document in collection.find({}).sort("_id", 1):
        told.update(encode({k: v for k, v in sorted(document.items()) if k not in but and (not only or k in only)}))
        number += 1
    return f"{number} documents, {told.hexdigest()[:16]}"


async def set_back(servers: str, service: str, key: str) -> None:
    """The offsets of a group without members are those of the beginning."""
    topics = [topic.name for topic in topics_read_by(service) if topic.key == key]
    places = [TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=group_of(service, key), enable_auto_commit=False)
    async with consumer:
        consumer.assign(places)

        async def committed() -> bool:
            try:
                await consumer.commit(dict.fromkeys(places, 0))
            except KafkaError:  # its members are not forgotten yet
                return False
            return True

        await wait_for(committed, REWOUND, f"{service}'s group of {key} is set back")
        assert [await consumer.committed(place) for place in places] == [0] * len(places)


async def test_all_again_from_the_beginning_ends_in_the_same_bytes(system: System, rounds: Rounds) -> None:
    """Records sent up to four times more, then groups set back to 0, then projections folded again: the same hashes."""
    async with rounds(system) as round_:
        for _ in round_.times(1, 5):
            await round_.loaded(LOAD if round_.scale else LITTLE)
            async with round_.still():
                mongo = system.stack.mongo
                documents, made = await contents(mongo, {INBOX}), await projections(mongo)
                await _again(round_, least=1)
                # A double of what a lane has told itself is noted in the inbox, once (ADR 0072).
                assert await contents(mongo, {INBOX}) == documents
                before = await contents(mongo)
                await _again(round_)
                assert await contents(mongo) == before
                with round_.recovery():
                    await _rewound(round_)
                assert await contents(mongo) == before
                with round_.recovery():
                    await together(*(_rebuilt(round_, name) for name in SERVICES))
                    await system.drained(REWOUND)
                assert await projections(mongo) == made


async def _again(round_: Round, least: int = 0) -> None:
    """Every record so many times more, at least, and all lanes have read them."""
    async with echo(round_, "earliest", least) as again:
        await again.catch_up()
    await round_.system.drained(REWOUND)


async def _rewound(round_: Round) -> None:
    """The services are stopped and go on, their groups at 0."""
    system = round_.system
    await together(*(service.child.stop() for service in system.services))
    groups = sorted({(name, topic.key) for name in SERVICES for topic in topics_read_by(name)})
    await together(*(set_back(system.stack.kafka, *group) for group in groups))
    await together(*(service.start() for service in system.services))
    await system.drained(REWOUND)
    round_.faults += len(groups)


async def _rebuilt(round_: Round, name: str) -> None:
    await round_.system.operate(name, "rebuild", "--wait", within=300.0)
    round_.faults += 1
