"""What is asked of Kafka beside the daily traffic: topics made from the table, dead letters read to their end,
told again and forgotten.

``python -m shared.admin topics`` makes the topics that are missing, for a broker that nothing else makes them on.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

from shared.brokers import Brokers
from shared.bus import given_up
from shared.consumer import incoming
from shared.contracts import TOPICS, Topic, dead_topic
from shared.errors import Transient
from shared.flow.ports import Letter
from shared.settings import KafkaSettings, load
from shared.telemetry import configure_logging

log = structlog.get_logger()
WAIT = 1.0
_COMPACTED_WITHIN = 3_600_000
"""Milliseconds."""
_EXISTS = TopicAlreadyExistsError.errno


async def make_topics(brokers: Brokers, partitions: int | None = None, replicas: int = 1) -> list[str]:
    """Create the topics of the table that are missing; returns their names. ``partitions`` overrides the table's.

    Raises:
        Transient: the broker is away or refuses.
    """
    admin = AIOKafkaAdminClient(**brokers.client)
    try:
        await admin.start()
        missing = [t for t in TOPICS.values() if t.name not in await admin.list_topics()]
        wanted = [
            NewTopic(
                name=t.name,
                num_partitions=partitions or t.partitions,
                replication_factor=replicas,
                topic_configs=config_of(t),
            )
            for t in missing
        ]
        if wanted:
            answer = await admin.create_topics(wanted)
            refused = [(topic, code) for topic, code, *_ in answer.topic_errors if code not in (0, _EXISTS)]
            if refused:
                raise Transient(f"kafka refuses topics: {refused}")
        return [t.name for t in missing]
    except KafkaError as error:
        raise Transient(f"kafka: {type(error).__name__}") from error
    finally:
        await admin.close()


def config_of(topic: Topic) -> dict[str, str]:
    """How the broker keeps a topic: so many days, or the last record of each key for good.

    What is compacted may be read whole by every process at its start. Left to itself a broker looks at a segment when
    it is full or a week old, and a text model that is told each minute comes to gigabytes by then.
    """
    if topic.cleanup == "compact":
        return {"cleanup.policy": "compact", "max.compaction.lag.ms": str(_COMPACTED_WITHIN)}
    return {"cleanup.policy": "delete", "retention.ms": str(topic.retention_days * 86_400_000)}


async def beginnings(brokers: Brokers, partitions: Mapping[str, int]) -> dict[tuple[str, int], int]:
    """Offset of the oldest record that is still there, by topic and partition.

    Raises:
        Transient: the broker is away.
    """
    consumer = AIOKafkaConsumer(**brokers.client, enable_auto_commit=False)
    try:
        await consumer.start()
        places = [TopicPartition(topic, p) for topic, count in partitions.items() for p in range(count)]
        return {(p.topic, p.partition): first for p, first in (await consumer.beginning_offsets(places)).items()}
    except KafkaError as error:
        raise Transient(f"kafka: {type(error).__name__}") from error
    finally:
        await consumer.stop()


class DeadLetters:
    """The dead topic of a service on the broker; see ``shared.flow.ports.DeadTopic``.

    Its clients would look for ever for a broker that is lost half way: after ``patience`` seconds in which nothing
    came, or a page was not acknowledged, it is Transient.
    """

    def __init__(self, brokers: Brokers, service: str, patience: float = 30.0) -> None:
        self._brokers = brokers
        self._topic = dead_topic(service).name
        self._patience = patience

    async def letters(self, ends: Mapping[int, int] | None = None) -> AsyncIterator[Letter]:
        """From the first that is kept, also where the broker forgets some on the way."""
        consumer = AIOKafkaConsumer(
            self._topic, **self._brokers.client, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            places = [place for place in consumer.assignment() if ends is None or place.partition in ends]
            until = await consumer.end_offsets(places)
            until = {p: end if ends is None else min(end, ends[p.partition]) for p, end in until.items()}
            left = {p for p, begin in (await consumer.beginning_offsets(places)).items() if begin < until[p]}
            while left:
                found: dict[TopicPartition, list[Any]] = {}
                async with asyncio.timeout(self._patience):
                    while left and not found:
                        found = await consumer.getmany(*left, timeout_ms=1_000)
                        left = {p for p in left if await consumer.position(p) < until[p]}
                for place, records in found.items():
                    for r in records:
                        if r.offset < until[place]:
                            k = incoming(r)
                            yield Letter(k.topic, k.partition, k.offset, k.key, k.value, k.headers, r.timestamp)
        except (KafkaError, TimeoutError) as error:
            raise self._away(error) from error
        finally:
            await consumer.stop()

    async def tell(self, letters: Sequence[Letter]) -> None:
        """With a producer of its own: that of the lanes does not let a time be chosen."""
        producer = AIOKafkaProducer(
            **self._brokers.client, acks="all", enable_idempotence=True, request_timeout_ms=10_000
        )
        sent: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._patience):
                await producer.start()
                for letter in letters:
                    place = {"partition": letter.partition, "timestamp_ms": letter.timestamp}
                    headers = list(letter.headers)
                    sent.append(await producer.send(self._topic, letter.value, letter.key, headers=headers, **place))
                await asyncio.gather(*sent)
        except (KafkaError, TimeoutError) as error:
            raise self._away(error) from error
        finally:
            await given_up(producer)

    async def forget(self, ends: Mapping[int, int]) -> None:
        """The broker moves the beginning of each partition; it needs the right to delete on the topic."""
        admin = AIOKafkaAdminClient(**self._brokers.client)
        try:
            await admin.start()
            places = {TopicPartition(self._topic, p): RecordsToDelete(end) for p, end in ends.items()}
            await admin.delete_records(places)
        except KafkaError as error:
            raise self._away(error) from error
        finally:
            await admin.close()

    @staticmethod
    def _away(error: KafkaError | TimeoutError) -> Transient:
        kind = KafkaTimeoutError if isinstance(error, TimeoutError) else type(error)
        return Transient(f"the dead letters: kafka: {kind.__name__}")


def main(argv: Sequence[str] | None = None) -> int:
    """``topics``: wait for the broker, then make what is missing of the table; a JSON line tells what was made."""
    parser = argparse.ArgumentParser(prog="python -m shared.admin", description="What is done to Kafka once.")
    topics = parser.add_subparsers(dest="act", required=True).add_parser("topics", help="make the topics of the table")
    topics.add_argument("--partitions", type=int, help="of each topic; the table's are made without it")
    topics.add_argument("--replicas", type=int, default=3, help="of each topic (3)")
    chosen = parser.parse_args(argv)
    configure_logging("topics", "INFO")
    made = asyncio.run(_made(load(KafkaSettings).brokers, chosen.partitions, chosen.replicas))
    sys.stdout.write(json.dumps({"made": made}) + "\n")
    return 0


async def _made(brokers: Brokers, partitions: int | None, replicas: int) -> list[str]:
    while True:
        try:
            return await make_topics(brokers, partitions, replicas)
        except Transient as error:
            log.warning("waiting_for_kafka", reason=error.reason)
            await asyncio.sleep(WAIT)


if __name__ == "__main__":
    raise SystemExit(main())
