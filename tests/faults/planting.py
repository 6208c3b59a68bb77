"""Records that a test writes into topics itself, past the services."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from local.fleet import PARTITIONS
from shared.contracts import Topic, partition_of
from tests.faults.round import Round
from tests.faults.system import Place

Headers = Sequence[tuple[str, bytes]]


class Planter:
    """Writes records that nobody can take, and tells the round of each: its letters are no loss, all others are."""

    def __init__(self, producer: Any, round_: Round) -> None:
        self._producer, self._round = producer, round_

    async def plant(self, topic: Topic, key: str, value: bytes, headers: Headers = ()) -> Place:
        """Into the partition of its key."""
        written = await self._producer.send_and_wait(
            topic.name, value, key=key.encode(), partition=partition_of(key, PARTITIONS), headers=list(headers)
        )
        place = (topic.name, int(written.partition), int(written.offset))
        self._round.system.planted.add(place)
        return place


@asynccontextmanager
async def planting(round_: Round) -> AsyncIterator[Planter]:
    """For the length of the block."""
    async with AIOKafkaProducer(bootstrap_servers=round_.system.stack.kafka, max_request_size=2**20) as producer:
        yield Planter(producer, round_)
