"""Two releases side by side."""

import json
import sys
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from local.fleet import PARTITIONS, Service
from local.processes import Child, together
from shared.contracts.topics import NOTE
from tests.faults.round import DRAINED, ON_REAL_PARTS, Round, Rounds
from tests.faults.system import System, told_by

pytestmark = ON_REAL_PARTS
NEW_TYPE = "lianyi.notes.comment_sung.v1"
NEW_TOPIC = "lianyi.notes.choir.v1"
ADMIN = 120.0


class Rollout:
    """Two processes of each service that is another in the next release; one of each at a time is replaced."""

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._first = [round_.system[name] for name in ("notes", "groups")]
        self._second = [round_.system.another(service.name) for service in self._first]

    async def begin(self) -> None:
        """The second processes, and the topics of the release to come."""
        system = self._round.system
        words = f"-m tests.faults.newer topics --partitions {PARTITIONS} --replicas 1".split()
        await Child(
            "topics", [sys.executable, *words], system.services[0].child.env, system.directory / "topics.log"
        ).finish(ADMIN)
        await together(*(service.start() for service in self._second))
        for service in self._second:
            system.doors.open(service)

    async def roll(self, module: str) -> None:
        """All of them, of each service one after the other; in `make test` one of two, which is beside the other."""
        for some in (self._first, self._second) if self._round.scale else (self._first,):
            await together(*(self._replaced(service, module) for service in some))

    async def _replaced(self, service: Service, module: str) -> None:
        self._round.system.doors.close(service)
        await service.child.stop()
        service.child.argv = [sys.executable, "-m", *module.format(service.name).split(), "run"]
        with self._round.recovery():
            await service.start()
        self._round.system.doors.open(service)
        self._round.faults += 1

    async def heard(self) -> float:
        """How many of the new events groups has folded, in the processes that live."""
        told = await told_by([self._first[1], self._second[1]])
        return sum(value for name, value in told if name.startswith("lianyi_lane_inputs_total") and '"heard"' in name)


async def records(servers: str, topic: str) -> list[Any]:
    """All of a topic, from its beginning."""
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        consumer.assign(places)
        ends, found = await consumer.end_offsets(places), []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for some in (await consumer.getmany(timeout_ms=200)).values():
                found += some
        return found


def sung(round_: Round, found: list[Any]) -> dict[str, set[bytes]]:
    """Of the new events, by comment: the ids under which they were told; the old release cannot read them."""
    told: defaultdict[str, set[bytes]] = defaultdict(set)
    for record in found:
        headers = dict(record.headers)
        if headers.get("ce_type", b"").decode() != NEW_TYPE and record.topic == NOTE.name:
            continue
        round_.system.planted.add((record.topic, record.partition, record.offset))
        told[json.loads(record.value)["comment_id"]].add(headers["ce_id"])
    return told


async def test_two_releases_side_by_side_lose_and_double_nothing(system: System, rounds: Rounds) -> None:
    """One with a type and a topic more is rolled out and back: nothing is lost, what is unknown is passed over."""
    async with rounds(system) as round_:
        rollout = Rollout(round_)
        await rollout.begin()
        heard = 0.0
        for _ in round_.times(1, 8):
            await rollout.roll("tests.faults.newer {}")
            await round_.flows()
            heard += await rollout.heard()
            await rollout.roll("services.{}")
        async with system.crowd.resting():
            await system.drained(DRAINED)
            servers = system.stack.kafka
            told = [sung(round_, await records(servers, topic)) for topic in (NOTE.name, NEW_TOPIC)]
    assert heard
    assert not round_.letters
    for one in told:
        assert {len(ids) for ids in one.values()} == {1}, "told once for each comment"
    assert told[0].keys() == told[1].keys()
