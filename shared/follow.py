"""A topic that every process reads whole for itself: from its beginning, and then on and on.

A plain consumer without a group: nothing is committed, no lane hears of it, and nobody waits for it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from pydantic import ValidationError

from shared.brokers import Brokers
from shared.contracts import Envelope, Event, event_type
from shared.contracts.envelope import BadEnvelope
from shared.contracts.topics import Topic
from shared.errors import Transient

log = structlog.get_logger()

LOOK = 1.0
"""Seconds between two looks at how far the topic reaches; news come at once."""
AGAIN = 2.0
"""Seconds after which it begins anew when the broker went away."""


class Follower:
    """Hands over every readable event of a topic, and says whenever all that was there has been handed over.

    Of one key older news may come after newer, and all of it comes again after trouble with the broker: whoever takes
    it keeps the highest sequence. What cannot be read, or is of a type that this release lacks, is passed over.
    """

    def __init__(self, topic: Topic, take: Callable[[Event, Envelope], None], caught_up: Callable[[], None]) -> None:
        self._topic, self._take, self._caught_up = topic, take, caught_up
        self._task: asyncio.Task[None] | None = None

    def start(self, brokers: Brokers) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run(brokers), name=f"follow {self._topic.name}")

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, brokers: Brokers) -> None:
        while True:
            try:
                await self._follow(brokers)
            except Exception as error:  # whatever the client meets: nobody waits here, and the next try begins anew
                log.warning("following_interrupted", topic=self._topic.name, error=type(error).__name__)
            await asyncio.sleep(AGAIN)

    async def _follow(self, brokers: Brokers) -> None:
        consumer = AIOKafkaConsumer(
            self._topic.name, **brokers.client, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            # Without a group all partitions of its topic are assigned to it at its start.
            places = consumer.assignment()
            if not places:
                raise Transient("no such topic")
            while True:
                ends = await consumer.end_offsets(places)
                while [place for place in places if await consumer.position(place) < ends[place]]:
                    self._hand_over(await consumer.getmany(timeout_ms=500))
                self._caught_up()
                self._hand_over(await consumer.getmany(timeout_ms=int(LOOK * 1000)))
        finally:
            await consumer.stop()

    def _hand_over(self, found: dict[Any, Iterable[Any]]) -> None:
        for records in found.values():
            for record in records:
                try:
                    envelope = Envelope.of(record.headers)
                    event = event_type(envelope.type).model_validate_json(record.value or b"")
                except (BadEnvelope, KeyError, ValidationError) as error:
                    log.warning("not_followed", topic=record.topic, offset=record.offset, error=type(error).__name__)
                    continue
                self._take(event, envelope)
