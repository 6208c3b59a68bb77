"""A follower over a real broker: it reads the whole topic, hears of news, and goes on trying where nobody answers."""

import asyncio
from datetime import UTC, datetime

import pytest

from local.places import free_port
from local.processes import wait_for
from local.stack import running
from shared.brokers import Brokers
from shared.bus import Bus
from shared.contracts import Envelope, Event
from shared.contracts.samples import examples
from shared.contracts.topics import POLICY
from shared.flow.ports import Record
from shared.follow import Follower
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.stack
SOON = 30.0


def record(number: int, type_: str, value: bytes = b"") -> Record:
    """A record of the topic, by its number in the test."""
    envelope = Envelope(f"e-{number}", type_, "/a-test", datetime.now(UTC), "s", number, "c", "c")
    key = f"k-{number}"
    return Record(POLICY.name, number % 4, key, value or examples(type_)[0].value, envelope)


class Heard:
    """Takes what is handed over."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.caught_up_at: list[int] = []

    def take(self, event: Event, envelope: Envelope) -> None:
        """Note the sequence."""
        self.sequences.append(envelope.sequence)

    def caught_up(self) -> None:
        """Note how much was there."""
        self.caught_up_at.append(len(self.sequences))


async def test_a_follower_reads_all_and_then_on() -> None:
    """Whole before it says so, news at once, nothing of what cannot be read; after its stop no task is left."""
    changed, heated = "lianyi.moderation.rules_changed.v1", "lianyi.moderation.counter_heated.v1"
    async with running("embedded") as stack:
        bus, heard = Bus(Brokers(stack.kafka), "moderation"), Heard()
        await bus.connect({POLICY.name})
        await bus.publish([record(n, changed if n % 2 else heated) for n in range(20)])
        await bus.publish([record(20, changed, b"{"), record(21, changed + "0", b"{}")])
        follower = Follower(POLICY, heard.take, heard.caught_up)
        follower.start(Brokers(stack.kafka))

        async def whole() -> bool:
            return bool(heard.caught_up_at)

        await wait_for(whole, SOON, "the follower has read the topic")
        assert heard.caught_up_at[0] == 20
        assert sorted(heard.sequences) == list(range(20))
        told = len(heard.caught_up_at)
        await bus.publish([record(30, heated)])

        async def news() -> bool:
            return 30 in heard.sequences and len(heard.caught_up_at) > told

        await wait_for(news, SOON, "news have come")
        await follower.stop()
        await asyncio.wait_for(bus.stop(), SOON)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_follower_waits_for_a_broker(capsys: pytest.CaptureFixture[str]) -> None:
    """A client that finds nobody is no end of it: it tries again, says so, and reads the topic when it can."""
    async with running("embedded") as stack:
        bus, heard, port = Bus(Brokers(stack.kafka), "moderation"), Heard(), free_port()
        await bus.connect({POLICY.name})
        await bus.publish([record(1, "lianyi.moderation.rules_changed.v1")])
        follower = Follower(POLICY, heard.take, heard.caught_up)
        follower.start(Brokers(f"127.0.0.1:{port}"))

        async def interrupted() -> bool:
            return "following_interrupted" in capsys.readouterr().out

        async def whole() -> bool:
            return bool(heard.caught_up_at)

        await wait_for(interrupted, SOON, "it has found nobody")
        assert not heard.caught_up_at
        async with Proxy(int(stack.kafka.rpartition(":")[2]), port):
            await wait_for(whole, SOON, "the follower has read the topic")
        assert heard.sequences == [1]
        await follower.stop()
        await asyncio.wait_for(bus.stop(), SOON)
