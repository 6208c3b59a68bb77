"""The way in from Kafka: FastStream's subscriber hands records over, and the lanes steer its consumer.

Nothing of delivery is decided here: the offsets committed to Kafka are for lag and autoscaling alone; the position
in MongoDB rules.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream.kafka.message import KafkaAckableMessage

from shared.errors import Transient
from shared.flow.ports import Incoming
from shared.flow.process import KeyLanes, Process

log = structlog.get_logger()

REFETCHED = 0.3
"""Seconds in which a fetch has come back: it waits for a tenth of a second at most."""
SOON = 0.2
"""Seconds after which a broker that gave no answer is asked again."""


class Guarded:
    """A consumer's ``getmany`` that hands an undecodable record to ``isolate`` and goes on, until there are records: on
    an empty answer FastStream would sleep as long again, and what comes meanwhile would wait."""

    def __init__(self, fetch: Any, isolate: Any) -> None:
        self._fetch = fetch
        self._isolate = isolate

    async def __call__(self, *places: TopicPartition, **limits: Any) -> Any:
        while True:
            try:
                if found := await self._fetch(*places, **limits):
                    return found
            except UnicodeDecodeError:
                await self._isolate(self._fetch)


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
    def key(self) -> str:
        """The key whose topics it reads."""
        return self._lanes.key

    @property
    def _consumer(self) -> Any:
        return self.subscriber.consumer

    @property
    def lost(self) -> bool:
        """Whether the client has given up its group: after an error of its own it does not join again by itself, and
        its lanes would fight for ever with those of whoever has got its partitions."""
        return self._consumer is not None and self._consumer._coordinator._coordination_task.done()

    async def deliver(self, records: Sequence[Any]) -> None:
        """Hand a fetched batch over; nothing is awaited, so partitions never wait for each other."""
        self._lanes.deliver(incoming(r) for r in records)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Start the lanes that are whole."""
        self._guard()
        if assigned:
            self._consumer.pause(*assigned)
        held: dict[str, set[int]] = {}
        for place in assigned:
            held.setdefault(place.topic, set()).add(place.partition)
        self._process.assigned(self._lanes.key, held, self)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """End the steps at hand before somebody else takes over."""
        await self._lanes.revoked()
        await self.commit()
        self._committed.clear()

    def _guard(self) -> None:
        """A header name that is not UTF-8 makes the client's fetch raise for all partitions: only its lane may stop."""
        consumer = self._consumer
        if isinstance(consumer.getmany, Guarded):
            return
        consumer.getmany = Guarded(consumer.getmany, self._isolate)

    async def _isolate(self, fetch: Any) -> None:
        places = self._consumer.assignment() - self._consumer.paused()
        for place in places:
            await self._next(fetch, place)  # of what could not be read the client has nothing left: it must fetch anew
        await asyncio.sleep(REFETCHED)
        for place in places & self._consumer.assignment():
            while await self._next(fetch, place):
                pass

    async def _next(self, fetch: Any, place: TopicPartition) -> bool:
        """Hand over the next record of a partition, or hold its lane if it cannot be read. Whether there was one."""
        try:
            found = await fetch(place, timeout_ms=0, max_records=1)
        except UnicodeDecodeError:
            log.error("record_unreadable", topic=place.topic, partition=place.partition)
            self._consumer.pause(place)
            lane = self._lanes.lane(place.partition)
            if lane is not None:
                lane.unreadable(place.topic)
            return False
        for records in found.values():
            await self.deliver(records)
        return bool(found)

    # -- Source --------------------------------------------------------------------------------------------

    async def beginning(self, topic: str, partition: int) -> int:
        """Oldest offset still there."""
        place = TopicPartition(topic, partition)
        return int((await _reached(self._consumer.beginning_offsets([place])))[place])

    async def ends(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Ends as the broker tells them now."""
        found = await _reached(self._consumer.end_offsets([TopicPartition(*place) for place in places]))
        return {(place.topic, place.partition): int(offset) for place, offset in found.items()}

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
            TopicPartition(topic, partition): offset
            for (topic, partition), offset in self._lanes.positions().items()
            if self._committed.get(TopicPartition(topic, partition)) != offset
        }
        if not moved or self._consumer is None:
            return
        try:
            await self._consumer.commit(moved)
        except (KafkaError, IllegalStateError) as error:
            log.info("offset_commit_failed", error=type(error).__name__)
        else:
            self._committed.update(moved)


def parser(consumer: KeyConsumer) -> Any:
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


async def decoder(message: Any) -> Any:
    """Nothing is decoded here: the lanes read records one by one."""
    return message.raw_message


async def _reached(waiting: Any) -> Any:
    try:
        return await waiting
    except (KafkaError, IllegalStateError) as error:
        raise Transient(f"kafka: {type(error).__name__}", retry_after=SOON) from error


def incoming(record: Any) -> Incoming:
    """A record as the lanes know it. A header may have no value at all."""
    headers = tuple((name, content or b"") for name, content in record.headers)
    return Incoming(record.topic, record.partition, record.offset, record.key, record.value, headers)
