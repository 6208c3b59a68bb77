"""A compacted topic, from the handler that tells a state to the reader that meets holes: on the fakes."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from shared.admin import config_of
from shared.contracts import EVENTS, TOPICS, Envelope, Event, Topic
from shared.flow import states
from shared.flow.documents import Document, Timer
from shared.flow.rebuild import progress, rebuild
from shared.flow.router import Command, Reply, Router
from shared.flow.states import State, on_repeat, tell_hourly
from shared.flow.work import Work
from tests.fakes.world import FakeWorld
from tests.suites import toy

pytestmark = pytest.mark.jumping

POLICY = Topic("lianyi.notes.policy.v1", "notes", "policy", ("notes",), "The rules.", cleanup="compact")


class Policy(Document, frozen=True, kw_only=True):
    COLLECTION = "policies"
    REBUILT = False
    text: str


class Heard(Document, frozen=True, kw_only=True):
    COLLECTION = "heard"
    REBUILT = True
    text: str = ""
    sequence: int = 0


class SetPolicy(Command, frozen=True, kw_only=True):
    policy_id: str
    text: str


class World(FakeWorld):
    @property
    def lanes(self) -> dict[str, int]:
        return {**super().lanes, "policy": self.partitions}


def router(kind: Any) -> Router:
    def tell(policy: Policy) -> Event:
        event: Event = kind(policy_id=policy.id, text=policy.text)
        return event

    def set_policy(command: SetPolicy, work: Work) -> Reply:
        old = work.get(Policy, command.policy_id)
        policy = work.put(Policy(id=command.policy_id, text=command.text, v=old.v if old else 0))
        tell_hourly(policy, tell(policy), work)
        return Reply(status=200, body={})

    def hear(event: Any, work: Work) -> str | None:
        heard = work.get(Heard, event.policy_id)
        if heard is not None and heard.sequence >= work.cause.sequence:
            return "older"
        work.put(Heard(id=event.policy_id, text=event.text, sequence=work.cause.sequence))
        return None

    table = Router("notes")
    table.on(SetPolicy, set_policy, lambda c: [(Policy, c.policy_id)])
    table.on(kind, hear, lambda e: [(Heard, e.policy_id)])
    on_repeat(table, State(Policy, tell))
    return table


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Event]]:
    monkeypatch.setitem(TOPICS, POLICY.name, POLICY)
    monkeypatch.setitem(toy.READS, "notes", {"policy": [POLICY.name]})

    class PolicySet(Event, topic=POLICY, name="policy_set", order="state"):
        policy_id: str
        text: str

    yield PolicySet
    del EVENTS[PolicySet.TYPE]


@pytest.fixture(params=range(3))
async def world(request: pytest.FixtureRequest, kind: type[Event]) -> AsyncIterator[World]:
    made = World(request.param)
    yield made
    await made.close()


async def told(world: World) -> list[int]:
    return [Envelope.of(record.headers).sequence for record in await world.records(POLICY.name)]


async def test_a_snapshot_is_repeated_every_hour(
    world: World, kind: type[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is told at once, then hourly under its sequence, from one timer however often it changes."""
    assert timedelta(hours=1) == states.HOURLY
    monkeypatch.setattr(states, "HOURLY", timedelta(seconds=20))
    node = await world.start("notes", router=router(kind))
    for text in ("one", "two"):
        await world.submit(node, SetPolicy(person_id="p", policy_id="rules", text=text))
    await world.quiet()
    assert await told(world) == [1, 2]
    assert len(await world.documents("notes", Timer.COLLECTION)) == 1
    await world.until(lambda: _told(world, 4), "two repeats pass")
    assert (await told(world))[:4] == [1, 2, 2, 2]
    assert (await world.documents("notes", "heard"))["rules"]["text"] == "two"


async def test_a_reader_passes_the_holes(world: World, kind: type[Event]) -> None:
    """What compaction took is no gap, neither for a new reader nor in a rebuild whose old position lies in a hole."""
    node = await world.start("notes", router=router(kind))
    for n in range(6):
        await world.submit(node, SetPolicy(person_id="p", policy_id=f"p{n % 2}", text=f"{n}"))
    await world.quiet()
    before = await world.documents("notes", "heard")
    assert {h["text"] for h in before.values()} == {"4", "5"}
    consumers = [c for group in world.groups.values() for _, c in group.members]
    for consumer in consumers:
        consumer.blocked = True
    for n in range(2):
        await world.submit(node, SetPolicy(person_id="p", policy_id=f"p{n}", text="last"))
    world.broker.compact(POLICY.name)
    await rebuild(node.runtime, [Heard, Policy])
    for consumer in consumers:
        consumer.blocked = False
    world.broker.wake()
    await world.until(lambda: _spoken(world), "the rebuild is done")
    await world.quiet()
    assert all(lane.held == "" for lane in node.process.lanes)
    heard = await world.documents("notes", "heard")
    assert {(h["text"], h["sequence"]) for h in heard.values()} == {("last", 4)}


def test_the_broker_keeps_the_last_of_each_key() -> None:
    """A compacted topic has no days, and nothing else for more than an hour; any other has those of the table."""
    assert config_of(POLICY) == {"cleanup.policy": "compact", "max.compaction.lag.ms": "3600000"}
    days = next(topic for topic in TOPICS.values() if topic.cleanup == "delete")
    assert config_of(days) == {"cleanup.policy": "delete", "retention.ms": str(days.retention_days * 86_400_000)}


async def _told(world: World, count: int) -> bool:
    return len(await told(world)) >= count


async def _spoken(world: World) -> bool:
    return not await progress(world.database("notes"))
