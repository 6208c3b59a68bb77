"""The way in from Kafka and out to it. FastStream consumes, aiokafka publishes; no rule of delivery lives here.

Delivery is the lanes' (``shared.flow``): what is consumed here is only handed over, and the offsets committed to
Kafka are for lag and autoscaling alone; the position in MongoDB rules.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from shared.contracts import TOPICS, dead_topic
from shared.errors import Transient
from shared.flow.ports import Incoming, Record
from shared.flow.process import KeyLanes, Process

log = structlog.get_logger()

COMMIT_EVERY = 5.0
START_WAIT = 1.0


class LaneAssignor(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka ships no types
    """Partition i of every topic of a key goes to one member, spread evenly over the members.

    A topic that the lane's member does not read goes to nobody: in a rollout that adds a topic, old members
    keep whole lanes of what they read, and no lane is without an owner while old and new are mixed.
    """

    name = "lianyi-lanes"
    version = 0

    @classmethod
    def assign(
        cls, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Lanes in order of their number, members in order of their id."""
        given: dict[str, dict[str, list[int]]] = {member: {} for member in members}
        topics = {topic for metadata in members.values() for topic in metadata.subscription}
        numbers = {p for topic in topics for p in cluster.partitions_for_topic(topic) or ()}
        order = sorted(members)
        for number in sorted(numbers):
            member = order[number % len(order)]
            for topic in sorted(members[member].subscription):
                if number in (cluster.partitions_for_topic(topic) or ()):
                    given[member].setdefault(topic, []).append(number)
        return {
            member: ConsumerProtocolMemberAssignment(cls.version, sorted(topics.items()), b"")
            for member, topics in given.items()
        }

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What a member tells of itself: its topics."""
        return ConsumerProtocolMemberMetadata(cls.version, sorted(topics), b"")

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing is kept between assignments."""


class KeyConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """The consumer of one key's topics, and the ``Source`` of its lanes.

    Assigned partitions are paused before anything else, so no record arrives before its lane knows where it is.
    """

    def __init__(self, lanes: KeyLanes, process: Process) -> None:
        self._lanes = lanes
        self._process = process
        self._committed: dict[TopicPartition, int] = {}
        self.subscriber: Any = None

    @property
    def _consumer(self) -> Any:
        return self.subscriber.consumer

    async def deliver(self, records: Sequence[Any]) -> None:
        """Hand a fetched batch over; nothing is awaited, so partitions never wait for each other."""
        self._lanes.deliver(_incoming(r) for r in records)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Start the lanes that are whole."""
        if assigned:
            self._consumer.pause(*assigned)
        held: dict[str, set[int]] = {}
        for place in assigned:
            held.setdefault(place.topic, set()).add(place.partition)
        self._process.assigned(self._lanes.key, held, self)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """End the steps at hand before somebody else takes over."""
        self._committed.clear()
        await self._lanes.revoked()

    # -- Source --------------------------------------------------------------------------------------------

    async def beginning(self, topic: str, partition: int) -> int:
        """Oldest offset still there."""
        place = TopicPartition(topic, partition)
        return int((await _reached(self._consumer.beginning_offsets([place])))[place])

    async def ends(self, topics: Iterable[str], partition: int) -> dict[str, int]:
        """Ends as the broker tells them now."""
        places = [TopicPartition(topic, partition) for topic in topics]
        found = await _reached(self._consumer.end_offsets(places))
        return {place.topic: int(offset) for place, offset in found.items()}

    def high(self, topic: str, partition: int) -> int | None:
        """End as the last fetch told it."""
        with contextlib.suppress(IllegalStateError):
            found = self._consumer.highwater(TopicPartition(topic, partition))
            return None if found is None else int(found)
        return None

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """A partition that was taken away meanwhile has no position to set: its lane is about to be stopped."""
        with contextlib.suppress(IllegalStateError):
            self._consumer.seek(TopicPartition(topic, partition), offset)

    def pause(self, topics: Iterable[str], partition: int) -> None:
        """Stop fetching for a lane."""
        for topic in topics:
            with contextlib.suppress(IllegalStateError):
                self._consumer.pause(TopicPartition(topic, partition))

    def resume(self, topics: Iterable[str], partition: int) -> None:
        """Go on fetching for a lane."""
        for topic in topics:
            with contextlib.suppress(IllegalStateError):
                self._consumer.resume(TopicPartition(topic, partition))

    async def commit(self) -> None:
        """Tell Kafka how far the lanes are, for lag and autoscaling; a failure is no loss."""
        moved = {
            TopicPartition(topic, lane.partition): offset
            for lane in self._lanes.lanes
            for topic, offset in lane.done.items()
            if self._committed.get(TopicPartition(topic, lane.partition)) != offset
        }
        if not moved or self._consumer is None:
            return
        try:
            await self._consumer.commit(moved)
        except (KafkaError, IllegalStateError) as error:
            log.info("offset_commit_failed", error=type(error).__name__)
        else:
            self._committed.update(moved)


class Bus:
    """Kafka for one process of a service: a consumer for every key it reads, and a producer."""

    def __init__(self, servers: str, service: str, instance: str = "") -> None:
        self._servers = servers
        self._service = service
        self._instance = instance
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._consumers: list[KeyConsumer] = []
        self._broker: KafkaBroker | None = None
        self._committer: asyncio.Task[None] | None = None

    async def connect(self, topics: Iterable[str]) -> dict[str, int]:
        """Wait for the broker and for all topics; returns their partition counts."""
        while True:
            try:
                producer = await self._live()
                await producer.client.force_metadata_update()
                counts = {topic: len(await producer.partitions_for(topic)) for topic in topics}
            except (KafkaError, Transient) as error:
                log.warning("waiting_for_kafka", error=type(error).__name__)
            else:
                if all(counts.values()):
                    return counts
                log.warning("waiting_for_topics", missing=[t for t, n in counts.items() if not n])
            await asyncio.sleep(START_WAIT)

    async def consume(self, process: Process) -> None:
        """Join the consumer groups and hand records over to the process's lanes."""
        broker = self._broker = KafkaBroker(
            self._servers, client_id=self._client, logger=log, log_level=logging.DEBUG, apply_types=False
        )
        for key, lanes in process.keys.items():
            consumer = KeyConsumer(lanes, process)
            subscriber = broker.subscriber(
                *lanes.topics,
                batch=True,
                group_id=f"lianyi.{self._service}.{key}",
                group_instance_id=f"{self._instance}.{key}" if self._instance else None,
                auto_offset_reset="earliest",
                ack_policy=AckPolicy.MANUAL,
                partition_assignment_strategy=(LaneAssignor,),
                listener=consumer,
                parser=_parser(consumer),
                decoder=_decoder,
                max_records=500,
                batch_timeout_ms=50,
                session_timeout_ms=10_000,
                heartbeat_interval_ms=1_000,
            )
            consumer.subscriber = subscriber
            subscriber(consumer.deliver)
            self._consumers.append(consumer)
        while True:
            try:
                await broker.start()
                break
            except KafkaError as error:
                log.warning("waiting_for_kafka", error=type(error).__name__)
                await asyncio.sleep(START_WAIT)
        self._committer = asyncio.create_task(self._commit_now_and_then(), name="offsets")

    async def publish(self, records: Sequence[Record]) -> None:
        """Send all and wait until every one is acknowledged; see ``shared.flow.ports.Publisher``."""
        producer = await self._live()
        try:
            sent = [
                await producer.send(
                    r.topic, r.value, key=r.key.encode(), partition=r.partition, headers=r.envelope.headers()
                )
                for r in records
            ]
            await asyncio.gather(*sent)
        except KafkaError as error:
            await self._renew(producer)
            raise Transient(f"kafka: {type(error).__name__}", retry_after=0.2) from error

    async def reachable(self) -> bool:
        """Whether a broker answers now."""
        try:
            producer = await self._live()
            await asyncio.wait_for(producer.client.fetch_all_metadata(), 2.0)
        except (KafkaError, Transient, TimeoutError):
            return False
        return True

    async def stop(self) -> None:
        """Leave the groups, flush, close."""
        if self._committer is not None:
            self._committer.cancel()
            await asyncio.gather(self._committer, return_exceptions=True)
        if self._broker is not None:
            for consumer in self._consumers:
                await consumer.commit()
            await self._broker.stop()
        producer: Any = self._producer
        self._producer = None
        if producer is not None:
            await producer.stop()

    @property
    def _client(self) -> str:
        return f"lianyi-{self._service}{'-' + self._instance if self._instance else ''}"

    async def _live(self) -> AIOKafkaProducer:
        async with self._renewing:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._servers,
                    client_id=self._client,
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=262_144,
                    request_timeout_ms=10_000,
                    retry_backoff_ms=100,
                )
                try:
                    await producer.start()
                except KafkaError as error:
                    with contextlib.suppress(KafkaError):
                        await producer.stop()
                    raise Transient(f"kafka: {type(error).__name__}") from error
                self._producer = producer
            return self._producer

    async def _renew(self, broken: AIOKafkaProducer) -> None:
        """After a failed send the sequence of an idempotent producer is unsure: begin with a new one."""
        async with self._renewing:
            if self._producer is not broken:
                return
            self._producer = None
        with contextlib.suppress(KafkaError, TimeoutError):
            await asyncio.wait_for(broken.stop(), 2.0)

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY)
            for consumer in self._consumers:
                await consumer.commit()


async def make_topics(servers: str, partitions: int | None = None) -> list[str]:
    """Create the topics of the table that are missing; returns their names. ``partitions`` overrides the table's.

    Raises:
        Transient: the broker is away or refuses.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    try:
        await admin.start()
        missing = [t for t in TOPICS.values() if t.name not in await admin.list_topics()]
        wanted = [
            NewTopic(
                name=t.name,
                num_partitions=partitions or t.partitions,
                replication_factor=-1,
                topic_configs={
                    "cleanup.policy": t.cleanup,
                    "retention.ms": str(t.retention_days * 86_400_000),
                },
            )
            for t in missing
        ]
        if wanted:
            await admin.create_topics(wanted)
        return [t.name for t in missing]
    except KafkaError as error:
        raise Transient(f"kafka: {type(error).__name__}") from error
    finally:
        await admin.close()


async def dead_letters(servers: str, service: str) -> AsyncIterator[Incoming]:
    """The service's dead topic, from its beginning to its end as of now.

    Raises:
        Transient: the broker is away.
    """
    topic = dead_topic(service).name
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await _reached(consumer.start())
        await _reached(consumer._client.force_metadata_update())
        places = [TopicPartition(topic, number) for number in sorted(await _partitions(consumer, topic))]
        consumer.assign(places)
        await _reached(consumer.seek_to_beginning(*places))
        ends = await _reached(consumer.end_offsets(places))
        for place in places:
            while await _reached(consumer.position(place)) < ends[place]:
                for record in (await _reached(consumer.getmany(place, timeout_ms=500))).get(place, ()):
                    if record.offset < ends[place]:
                        yield _incoming(record)
    finally:
        with contextlib.suppress(KafkaError):
            await consumer.stop()


async def _partitions(consumer: Any, topic: str) -> set[int]:
    found: set[int] = set(await _reached(consumer._client._wait_on_metadata(topic)))
    return found


def _incoming(record: Any) -> Incoming:
    headers = tuple((name, content or b"") for name, content in record.headers)
    return Incoming(record.topic, record.partition, record.offset, record.key, record.value, headers)


def _parser(consumer: KeyConsumer) -> Any:
    """A parser of one argument replaces FastStream's own, which would drop a whole batch for one bad header."""

    async def parse(records: Sequence[Any]) -> KafkaAckableMessage:
        return KafkaAckableMessage(
            body=[r.value or b"" for r in records],
            raw_message=tuple(records),
            headers={},
            batch_headers=[],
            content_type=None,
            reply_to="",
            message_id="",
            correlation_id="",
            path={},
            consumer=consumer.subscriber.consumer,
        )

    return parse


async def _decoder(message: Any) -> Any:
    return message.raw_message


async def _reached(waiting: Any) -> Any:
    try:
        return await waiting
    except (KafkaError, IllegalStateError) as error:
        raise Transient(f"kafka: {type(error).__name__}") from error
