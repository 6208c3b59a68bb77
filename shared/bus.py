"""Kafka for one process of a service: FastStream consumes, aiokafka publishes; no rule of delivery lives here."""

import asyncio
import contextlib
import logging
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.schemas import Topic

from shared.assignor import LaneAssignor
from shared.brokers import Brokers
from shared.consumer import SOON, KeyConsumer, decoder, parser
from shared.errors import Transient
from shared.flow.ports import Record
from shared.flow.process import Process

log = structlog.get_logger()
_quiet: Any = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
"""FastStream tells of every batch and callback; only its troubles are of use here."""

LOOK_EVERY = 5.0
START_WAIT = 1.0


def group_of(service: str, key: str) -> str:
    """Name of the consumer group in which a service's processes share the partitions of a key."""
    return f"lianyi.{service}.{key}"


def _member(key: str, topics: Iterable[str]) -> str:
    """A name that goes with the topics: to a member that is back under its name the broker hands what it had, and in a
    rollout that may be a topic which it does not read any more, or not the one that it has come to read."""
    return f"{key}.{zlib.crc32(' '.join(sorted(topics)).encode()):08x}"


class Bus:
    """Kafka for one process of a service: a consumer for every key it reads, and a producer."""

    def __init__(self, brokers: Brokers, service: str, instance: str = "") -> None:
        self._brokers = brokers
        self._service = service
        self._instance = instance
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self._consumers: list[KeyConsumer] = []
        self._broker: KafkaBroker | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def connect(self, topics: Iterable[str]) -> dict[str, int]:
        """Wait for the broker and for all topics; returns their partition counts."""
        names = set(topics)
        while True:
            try:
                client = (await self._live()).client
                await client.set_topics(names)
                await client.force_metadata_update()
                counts = {topic: len(client.cluster.partitions_for_topic(topic) or ()) for topic in names}
            except (KafkaError, Transient) as error:
                log.warning("waiting_for_kafka", error=type(error).__name__)
            else:
                if all(counts.values()):
                    return counts
                log.warning("waiting_for_topics", missing=sorted(t for t, n in counts.items() if not n))
            await asyncio.sleep(START_WAIT)

    async def consume(self, process: Process) -> None:
        """Join the consumer groups and hand records over to the process's lanes."""
        broker = self._broker = KafkaBroker(
            self._brokers.servers.split(","),  # one string would be taken for the name of one server
            security=self._brokers.security,
            client_id=self._client,
            logger=_quiet,
            log_level=logging.DEBUG,
            apply_types=False,
            allow_auto_create_topics=False,
            consumer_only=True,
        )
        for key, lanes in process.keys.items():
            consumer = KeyConsumer(lanes, process)
            subscriber = broker.subscriber(
                *(Topic(topic, declare=False) for topic in lanes.topics),
                batch=True,
                group_id=group_of(self._service, key),
                group_instance_id=f"{self._instance}.{_member(key, lanes.topics)}" if self._instance else None,
                auto_offset_reset="earliest",
                ack_policy=AckPolicy.MANUAL,
                partition_assignment_strategy=(LaneAssignor,),
                listener=consumer,
                parser=parser(consumer),
                decoder=decoder,
                max_records=500,
                fetch_max_wait_ms=100,
                batch_timeout_ms=50,
                session_timeout_ms=10_000,
                heartbeat_interval_ms=1_000,
                # Longer than the grace in which revoked lanes end their steps, or a slow one expels the member.
                rebalance_timeout_ms=30_000,
            )
            consumer.subscriber = subscriber
            subscriber(consumer.deliver)
            self._consumers.append(consumer)
        await broker.connect()
        for consumer in self._consumers:
            await _joined(consumer.subscriber)
        self._keeper = asyncio.create_task(self._look_after(), name="groups")

    async def publish(self, records: Sequence[Record]) -> None:
        """Send all and wait until every one is acknowledged; see ``shared.flow.ports.Publisher``."""
        producer = await self._live()
        sent: list[asyncio.Future[Any]] = []
        try:
            for r in records:
                headers = r.envelope.headers()
                sent.append(
                    await producer.send(r.topic, r.value, key=r.key.encode(), partition=r.partition, headers=headers)
                )
            await asyncio.gather(*sent)
        except KafkaError as error:
            asyncio.gather(*sent, return_exceptions=True)  # what becomes of the others is of no interest, and no news
            await self._renew(producer)
            if isinstance(error, MessageSizeTooLargeError | InvalidTopicError | TopicAuthorizationFailedError):
                raise  # it will not pass by itself: the outbox logs it, keeps it and tries again
            raise Transient(f"kafka: {type(error).__name__}", retry_after=SOON) from error

    async def reachable(self) -> bool:
        """Whether a broker answers now."""
        try:
            async with asyncio.timeout(2.0):
                producer = await self._live()
                await producer.client.fetch_all_metadata()
        except (KafkaError, Transient, TimeoutError):
            return False
        return True

    async def stop(self) -> None:
        """Leave the groups, flush, close."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._broker is not None:
            for consumer in self._consumers:
                await consumer.commit()
            await self._broker.stop()
        producer: Any = self._producer
        self._producer = None
        if producer is not None:
            await producer.stop()
        await asyncio.gather(*self._ending, return_exceptions=True)

    @property
    def _client(self) -> str:
        return f"lianyi-{self._service}{'-' + self._instance if self._instance else ''}"

    async def _live(self) -> AIOKafkaProducer:
        async with self._renewing:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._brokers.client,
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
                    raise Transient(f"kafka: {type(error).__name__}", retry_after=SOON) from error
                self._producer = producer
            return self._producer

    async def _renew(self, broken: AIOKafkaProducer) -> None:
        """After a failed send the sequence of an idempotent producer is unsure: begin with a new one."""
        async with self._renewing:
            if self._producer is not broken:
                return
            self._producer = None
        ending = asyncio.create_task(given_up(broken), name="producer")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _look_after(self) -> None:
        """Tells Kafka now and then how far the lanes are, and joins again where the client has given up a group."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for consumer in self._consumers:
                if consumer.lost:
                    log.error("group_lost", key=consumer.key)
                    await consumer.on_partitions_revoked(set())
                    await consumer.subscriber.stop()
                    await _joined(consumer.subscriber)
                else:
                    await consumer.commit()


async def _joined(subscriber: Any) -> None:
    """Starts one, however long that takes. A try that fails leaves no member of the group behind, and the others are
    let be: the broker's own start would start them all once more."""
    while True:
        try:
            await subscriber.start()
            return
        except KafkaError as error:
            log.warning("waiting_for_kafka", error=type(error).__name__)
            with contextlib.suppress(KafkaError):
                await subscriber.stop()
            await asyncio.sleep(START_WAIT)


async def given_up(producer: AIOKafkaProducer) -> None:
    """Ends a producer with what it has not sent, which stands in the outboxes, or is told again by another run: its own
    `stop` would wait until the broker has taken that, for as long as it is away, and then be late with it. Whoever
    waits for it hears of the end."""
    with contextlib.suppress(KafkaError):
        await producer._sender.close()
    producer._message_accumulator.fail_all(KafkaTimeoutError())
    with contextlib.suppress(KafkaError):
        await producer.stop()
