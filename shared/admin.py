"""What is asked of Kafka beside the daily traffic: topics made from the table, dead letters read to their end.

``python -m shared.admin topics`` makes the topics that are missing, for a broker that nothing else makes them on.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from shared.brokers import Brokers
from shared.consumer import incoming
from shared.contracts import TOPICS, Topic, dead_topic
from shared.errors import Transient
from shared.flow.ports import Incoming
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


async def dead_letters(brokers: Brokers, service: str, partitions: int) -> AsyncIterator[Incoming]:
    """A service's dead letters from the first that is kept to the last that is there now, for a replay.

    Raises:
        Transient: the broker is away.
    """
    topic = dead_topic(service).name
    consumer = AIOKafkaConsumer(**brokers.client, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        places = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        left = {p for p, begin in (await consumer.beginning_offsets(places)).items() if begin < ends[p]}
        while left:
            for place, records in (await consumer.getmany(*left, timeout_ms=1_000)).items():
                for r in records:
                    if r.offset < ends[place]:
                        yield incoming(r)
            left = {p for p in left if await consumer.position(p) < ends[p]}
    except KafkaError as error:
        raise Transient(f"kafka: {type(error).__name__}") from error
    finally:
        await consumer.stop()


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
