"""The guard around a consumer's fetch."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from local.processes import until
from shared.consumer import Guarded, KeyConsumer
from shared.contracts.topics import NOTE
from shared.flow.ports import Incoming

GOOD, BAD = TopicPartition(NOTE.name, 0), TopicPartition(NOTE.name, 1)


class Client:
    """A fetch that meets an undecodable header name whenever partition 1 is asked for. At first there is nothing, so
    many times."""

    def __init__(self, empty: int = 0) -> None:
        self.asked: list[tuple[TopicPartition, ...]] = []
        self.paused: set[TopicPartition] = set()
        self._empty = empty

    async def getmany(self, *places: TopicPartition, **limits: Any) -> dict[TopicPartition, list[str]]:
        self.asked.append(places)
        if BAD in {*(places or (GOOD, BAD))} - self.paused:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return {GOOD: ["record"]} if len(self.asked) > self._empty else {}


async def test_a_fetch_that_cannot_be_decoded_is_taken_apart() -> None:
    """The loop sees no error, but what comes next; whoever isolates gets the fetch itself, to try each partition."""
    client, isolated = Client(), []

    async def isolate(fetch: Any) -> None:
        for place in (GOOD, BAD):
            try:
                isolated.append((place, await fetch(place)))
            except UnicodeDecodeError:
                isolated.append((place, None))
                client.paused.add(place)

    assert await Guarded(client.getmany, isolate)() == {GOOD: ["record"]}
    assert isolated == [(GOOD, {GOOD: ["record"]}), (BAD, None)]


async def test_a_good_fetch_passes_as_it_is() -> None:
    """Nothing is taken apart while all can be read."""
    client = Client()

    async def isolate(fetch: Any) -> None:
        raise AssertionError("nothing to isolate")

    assert await Guarded(client.getmany, isolate)(GOOD, timeout_ms=5) == {GOOD: ["record"]}
    assert client.asked == [(GOOD,)]


async def test_an_empty_fetch_is_asked_again_at_once() -> None:
    """The loop sees none: it would sleep."""
    client = Client(empty=2)

    async def isolate(fetch: Any) -> None:
        raise AssertionError("nothing to isolate")

    assert await Guarded(client.getmany, isolate)(GOOD) == {GOOD: ["record"]}
    assert len(client.asked) == 3


class Lane:
    """What is held for a topic."""

    def __init__(self) -> None:
        self.held: list[str] = []

    def unreadable(self, topic: str) -> None:
        self.held.append(topic)


class Lanes:
    """Of one key in a process, and what they are given."""

    key = "note"

    def __init__(self) -> None:
        self.lanes = {GOOD.partition: Lane(), BAD.partition: Lane()}
        self.given: list[int] = []

    def lane(self, number: int) -> Lane:
        return self.lanes[number]

    def deliver(self, records: Iterable[Incoming]) -> None:
        self.given += [record.offset for record in records]


class Buffered:
    """As the client does it: what follows in a buffer on what cannot be read is gone, and is fetched anew later."""

    FETCH = 0.1

    def __init__(self) -> None:
        self._paused: set[TopicPartition] = set()
        self._buffers: dict[TopicPartition, list[int | None]] = {GOOD: [0, 1], BAD: [0, None, 2]}

    def assignment(self) -> set[TopicPartition]:
        return {GOOD, BAD}

    def paused(self) -> set[TopicPartition]:
        return self._paused

    def pause(self, *places: TopicPartition) -> None:
        self._paused |= {*places}

    async def getmany(self, *places: TopicPartition, timeout_ms: int = 50, max_records: int = 500) -> Any:
        found = dict[TopicPartition, list[Any]]()
        for place in [place for place in places or (BAD, GOOD) if place not in self._paused]:
            for offset in self._buffers[place][:max_records]:
                if offset is None:
                    self._buffers[place] = []
                    asyncio.get_running_loop().call_later(self.FETCH, self._buffers.update, {place: [None, 2]})
                    raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
                found.setdefault(place, []).append(raw(place, offset))
            self._buffers[place] = self._buffers[place][max_records:]
        if not found:
            await asyncio.sleep(timeout_ms / 1000)
        return found


def raw(place: TopicPartition, offset: int) -> Any:
    """A record as the client hands it out."""
    return SimpleNamespace(
        topic=place.topic, partition=place.partition, offset=offset, key=None, value=b"", headers=(), timestamp=0
    )


@pytest.mark.jumping
async def test_the_lane_of_what_cannot_be_read_is_held_and_the_others_go_on() -> None:
    """Though the client has nothing left to show of it when it is asked again at once."""
    client, lanes = Buffered(), Lanes()
    consumer = KeyConsumer(lanes, None)  # type: ignore[arg-type]  # of the process nothing is asked here
    consumer.subscriber = SimpleNamespace(consumer=client)
    fetch = asyncio.create_task(Guarded(client.getmany, consumer._isolate)())
    async with asyncio.timeout(60):
        await until(lambda: bool(client.paused()))
    fetch.cancel()
    assert client.paused() == {BAD}
    assert [lane.held for lane in lanes.lanes.values()] == [[], [NOTE.name]]
    assert 1 in lanes.given
