"""The bus over a real broker: what an outage leaves in the process."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from local import kafka
from local.places import free_port
from local.processes import until, wait_for
from local.stack import running
from shared.admin import make_topics
from shared.assignor import LaneAssignor
from shared.brokers import Brokers
from shared.bus import Bus
from shared.contracts import Envelope
from shared.contracts.topics import GROUP, NOTE, NOTE_VERDICT
from shared.errors import Transient
from shared.flow.ports import Record
from shared.flow.process import Process
from tests.faults.proxy import Proxy, Tap

pytestmark = pytest.mark.stack
SOON = 30.0


async def test_an_outage_leaves_no_producer_behind() -> None:
    """A producer that could not send is given up, and with the bus it ends: no task of it is left to send later."""
    envelope = Envelope("e-1", "a-test", "/a-test", datetime.now(UTC), "n", 0, "c", "c")
    record = Record(NOTE.name, 0, "n", b"x" * 200_000, envelope)  # four are more than the client takes at once
    async with running("embedded") as stack:
        bus = Bus(Brokers(stack.kafka), "notes")
        await bus.connect({NOTE.name})
        await bus.publish([record])
        await stack.broker.pause()
        with pytest.raises(Transient):
            await asyncio.wait_for(bus.publish([record] * 4), SOON)
        stack.broker.resume()

        async def sends() -> bool:
            try:
                await bus.publish([record])
            except Transient:
                return False
            return True

        await wait_for(sends, SOON, "the bus sends again")
        await asyncio.wait_for(bus.stop(), SOON)
        assert asyncio.all_tasks() == {asyncio.current_task()}


class Lanes:
    """Of one key in a process that takes note of its partitions, and does nothing with them."""

    def __init__(self, key: str, *topics: str) -> None:
        self.key, self.topics = key, topics
        self.held: dict[str, set[int]] = {}

    async def revoked(self) -> None:
        self.held = {}

    def positions(self) -> dict[tuple[str, int], int]:
        return {}


class Idle:
    """A process that does nothing with what it reads, by key."""

    def __init__(self, *lanes: Lanes) -> None:
        self.keys = {some.key: some for some in lanes}

    def assigned(self, key: str, held: dict[str, set[int]], source: Any) -> None:
        self.keys[key].held = held

    def held(self) -> list[int]:
        """How many partitions it has, key by key."""
        return [sum(map(len, lanes.held.values())) for lanes in self.keys.values()]


@pytest.mark.parametrize("dead", ["before", "after"])
async def test_of_several_servers_one_is_enough(dead: str) -> None:
    """Publishing and consuming begin though the server that is named before or after it does not answer."""
    async with running("embedded") as stack:
        servers = [stack.kafka, f"127.0.0.1:{free_port()}"]
        bus = Bus(Brokers(",".join(servers if dead == "after" else reversed(servers))), "notes")
        idle = Idle(Lanes("note", NOTE.name))
        await asyncio.wait_for(bus.connect({NOTE.name}), SOON)
        await asyncio.wait_for(bus.consume(cast(Process, idle)), SOON)
        assert idle.held() == [4]
        await asyncio.wait_for(bus.stop(), SOON)


class Door:
    """The way in to a broker for so many connections, and for all once it is open; others are cut."""

    def __init__(self, first: int) -> None:
        self._first, self.open = first, False

    def __call__(self) -> Tap:
        self._first -= 1
        return Tap() if self.open or self._first >= 0 else Shut()


class Shut(Tap):
    """Takes nothing."""

    def up(self, piece: bytes) -> bool:
        return False


async def test_a_group_that_cannot_be_joined_leaves_the_others_alone() -> None:
    """The broker is away between two groups: both are joined in the end, once, and left with the bus."""
    door = Door(first=2)
    async with running("embedded") as stack, Proxy(int(stack.kafka.rpartition(":")[2]), tap=door) as proxy:
        bus = Bus(Brokers(f"127.0.0.1:{proxy.port}"), "notes")
        idle = Idle(Lanes("note", NOTE.name), Lanes("group", GROUP.name))
        process = cast(Process, idle)
        await asyncio.wait_for(bus.connect({NOTE.name, GROUP.name}), SOON)
        with capture_logs() as logs:
            consuming = asyncio.create_task(bus.consume(process))
            async with asyncio.timeout(SOON):
                await until(lambda: any(line["event"] == "waiting_for_kafka" for line in logs))
        assert idle.held() == [4, 0]
        door.open = True
        await asyncio.wait_for(consuming, SOON)
        assert idle.held() == [4, 4]
        await asyncio.wait_for(bus.stop(), SOON)
        assert not [task for task in asyncio.all_tasks() if "aiokafka" in repr(task)]


async def test_a_member_whose_client_has_given_up_joins_its_group_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has met an error of its own joins no more: its lanes end, and the bus begins with a new one."""
    stumbles = [False]

    class Stumbling(LaneAssignor):
        @classmethod
        def on_assignment(cls, assignment: Any) -> None:
            if stumbles.pop():
                raise RuntimeError("an error of its own")

    monkeypatch.setattr("shared.bus.LaneAssignor", Stumbling)
    async with running("embedded") as stack:
        bus = Bus(Brokers(stack.kafka), "notes")
        idle = Idle(Lanes("note", NOTE.name))
        await asyncio.wait_for(bus.connect({NOTE.name}), SOON)
        await asyncio.wait_for(bus.consume(cast(Process, idle)), SOON)
        assert idle.held() == [4]
        stumbles += [False, True]
        bus._consumers[0].subscriber.consumer._coordinator.request_rejoin()
        async with asyncio.timeout(SOON):
            await until(lambda: idle.held() == [0])
            await until(lambda: idle.held() == [4])
        assert not stumbles
        await asyncio.wait_for(bus.stop(), SOON)
        assert not [task for task in asyncio.all_tasks() if "aiokafka" in repr(task)]


@pytest.mark.kafka
@pytest.mark.skipif(kafka.missing() is not None, reason=f"no Apache Kafka on this machine: {kafka.missing()}")
async def test_a_restarted_process_that_reads_other_topics_gets_these() -> None:
    """After a rollout that adds a topic, and after one that is taken back, under the name that keeps its partitions."""
    less, more = {NOTE.name}, {NOTE.name, NOTE_VERDICT.name}
    async with running("local") as stack:
        await make_topics(Brokers(stack.kafka), partitions=2)

        async def restarted(service: str, *releases: set[str]) -> None:
            for topics in releases:
                lanes = Lanes("note", *topics)
                bus = Bus(Brokers(stack.kafka), service, "one")
                await asyncio.wait_for(bus.consume(cast(Process, Idle(lanes))), SOON)
                async with asyncio.timeout(SOON):
                    await until(partial(_holds, lanes, {topic: {0, 1} for topic in topics}))
                await bus.stop()

        await asyncio.gather(restarted("notes", less, more), restarted("groups", more, less))


def _holds(lanes: Lanes, held: dict[str, set[int]]) -> bool:
    return lanes.held == held
