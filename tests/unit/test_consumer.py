"""The guard around a consumer's fetch."""

from typing import Any

from aiokafka import TopicPartition

from shared.consumer import Guarded
from shared.contracts.topics import NOTE

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
