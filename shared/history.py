"""What topics hold from some time on up to their ends, in the order in which it was sent: to be looked at again.

A plain consumer without a group: nothing is committed, and no lane hears of it.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.brokers import Brokers
from shared.errors import Transient

AT_ONCE = 1_000
"""Records of a partition in memory."""


async def history(brokers: Brokers, topics: Iterable[str], since: datetime) -> AsyncIterator[Sequence[Any]]:
    """Records sent since a time, in slices: each slice, and one after the other, by the time of sending.

    Ends at what the ends of the partitions were at first. Records of one partition keep their order.

    Raises:
        Transient: the broker is away, or has no such topic, or refuses.
    """
    # Without a group all partitions of its topics are assigned to it at its start.
    consumer = AIOKafkaConsumer(*topics, **brokers.client, group_id=None, enable_auto_commit=False)
    try:
        await consumer.start()
        places = sorted(consumer.assignment())
        ends = await consumer.end_offsets(places)
        starts = await consumer.offsets_for_times(dict.fromkeys(places, int(since.timestamp() * 1000)))
        for place in places:
            found = starts[place]
            consumer.seek(place, ends[place] if found is None else found.offset)
        async for records in merged(consumer, ends):
            yield records
    except KafkaError as error:
        raise Transient(f"kafka: {type(error).__name__}") from error
    finally:
        await consumer.stop()


async def merged(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> AsyncIterator[Sequence[Any]]:
    """From where a consumer stands to these ends; nothing before all that go on have shown something later."""
    held: dict[TopicPartition, deque[Any]] = {place: deque() for place in ends}
    open_ = {place for place, end in ends.items() if await consumer.position(place) < end}
    while open_ or any(held.values()):
        for place in [place for place in open_ if not held[place]]:
            found = await consumer.getmany(place, timeout_ms=1_000, max_records=AT_ONCE)
            held[place].extend(record for record in found.get(place, ()) if record.offset < ends[place])
            if await consumer.position(place) >= ends[place]:
                open_.discard(place)
        if any(not held[place] for place in open_):
            continue
        horizon = min((held[place][-1].timestamp for place in open_), default=None)
        records = [record for queue in held.values() for record in _until(queue, horizon)]
        records.sort(key=lambda record: record.timestamp)
        yield records


def _until(queue: deque[Any], horizon: int | None) -> Iterable[Any]:
    while queue and (horizon is None or queue[0].timestamp <= horizon):
        yield queue.popleft()
