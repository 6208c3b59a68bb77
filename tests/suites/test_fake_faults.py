"""What lanes promise when processes die, sleep or change places, and when time passes: on the fakes alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import partition_of
from shared.contracts.topics import NOTE, NOTES_DEAD
from shared.errors import Transient
from shared.flow import control
from shared.flow.breathing import FEWEST
from shared.flow.documents import LANES, Timer, to_mongo
from shared.flow.fold import Limits
from shared.flow.ports import Incoming, Json, Upsert
from shared.flow.process import MOST_TIMERS
from shared.flow.replay import replay
from shared.flow.router import Reply
from shared.flow.slots import Slots
from shared.flow.step import Steps
from tests.fakes.world import FakeWorld
from tests.suites.lane import comments, letters, replayed
from tests.suites.toy import Accept, EditNote, PostComment, comment
from tests.suites.world import Node

pytestmark = pytest.mark.jumping
NOTES = ("n0", "n4")
"""Two notes whose lanes differ."""


@pytest.fixture(params=range(3))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[FakeWorld]:
    made = FakeWorld(request.param)
    yield made
    await made.close()


def post(n: int, note_id: str = "n0") -> PostComment:
    return PostComment(person_id="p", comment_id=f"c{n}", note_id=note_id, text="t")


async def slot_of(world: FakeWorld, node: Node) -> str:
    await world.until(lambda: node.process.slots.ready, "a slot")
    return node.process.slots.lanes[0].name


class TestSilence:
    """What nobody hands over, and what nobody sends any more, is seen all the same."""

    async def test_a_consumer_that_receives_nothing_lags(self, world: FakeWorld) -> None:
        """The broker has a record and the lane does not: it counts from when that was seen until it is folded."""
        node = await world.start("notes")
        await world.quiet()
        world.consumer(node).blocked = True
        await asyncio.sleep(60)
        assert lag(node) == 0
        await world.put(comment("n0", "c0"))
        await world.until(lambda: lag(node) > 100, "it lags")
        assert node.lane(0).report().lag_records == 1
        assert node.lane(1).report().lag_seconds == 0
        world.consumer(node).blocked = False
        world.broker.wake()
        await world.quiet()
        assert lag(node) == 0

    async def test_a_broker_that_does_not_tell_is_no_empty_topic(self, world: FakeWorld) -> None:
        """Away, or with the right to read withdrawn: lanes lag until it tells again that nothing waits."""
        node = await world.start("notes")
        await world.quiet()
        world.broker.away = True
        await world.until(lambda: min(lane.report().lag_seconds for lane in node.process.keys["note"].lanes) > 100)
        world.broker.away = False
        await world.until(lambda: lag(node) == 0, "it was told")

    async def test_what_a_killed_replay_left_is_told(self, world: FakeWorld) -> None:
        """Every process reports its age, as of an unsent outbox; the next replay sends it, also without its letters."""
        node = await world.start("notes")
        await world.put(comment("n0", "c0", "bug"))
        await world.quiet()
        ops = world.make("notes", router=None, limits=None, slots=0, views=())
        ops.publisher.away = True
        await asyncio.wait({killed := asyncio.create_task(replayed(world, ops))}, timeout=1)
        killed.cancel()
        assert len(await letters(world)) == 1
        await world.until(lambda: [age > 100 for age in left(node).values()] == [True], "it is told")
        assert await replay(node.runtime, no_letters()) == {}
        await world.until(lambda: left(node) == {}, "it is sent")
        assert len(await letters(world)) == 2  # what failed again

    async def test_a_replay_that_is_held_is_told(self, world: FakeWorld) -> None:
        """A lane of its own alarm that no process works in: the reason stands in the report until the release."""
        node = await world.start("notes")
        await world.quiet()
        await control.make(node.runtime.database, "replay:1")
        await control.hold(node.runtime.database, "replay:1", "horizon: old")
        await world.until(lambda: [r.held for r in node.process.reports() if r.phase == "left"] == ["horizon: old"])
        await control.release(node.runtime.database, "replay:1")
        await world.until(lambda: left(node) == {}, "released")


def lag(node: Node) -> float:
    return max(report.lag_seconds for report in node.process.reports())


def left(node: Node) -> dict[str, float]:
    """Age of what commands have left unsent, by lane."""
    return {report.name: report.outbox_seconds for report in node.process.reports() if report.phase == "left"}


async def no_letters() -> AsyncIterator[Incoming]:
    """A dead topic of which all is older than what the broker keeps."""
    none: tuple[Incoming, ...] = ()
    for letter in none:
        yield letter


class TestGaps:
    """The position in the database rules, and what the broker no longer has is never passed in silence."""

    async def test_what_is_read_again_is_dropped(self, world: FakeWorld) -> None:
        """Records below the position leave no trace, however often they come."""
        node = await world.start("notes")
        for n in range(3):
            await world.put(comment("n0", f"c{n}"))
        await world.quiet()
        for _ in range(3):
            node.lane(0).offer(world.broker.topics[NOTE.name][0].records)
        await world.put(comment("n0", "c3"))
        await world.quiet()
        assert node.lane(0).held == ""
        assert await comments(world, "n0") == 4
        assert node.outcomes == {"done": 8}

    async def test_a_delivery_from_before_a_seek_is_not_a_gap(self, world: FakeWorld) -> None:
        """Several records too far ahead, once: the lane seeks back and loses nothing."""
        node = await world.start("notes")
        await world.quiet()
        consumer = world.consumer(node)
        consumer.blocked = True
        for n in range(6):
            await world.put(comment("n0", f"c{n}"))
        node.lane(0).offer(world.broker.topics[NOTE.name][0].records[3:])
        consumer.blocked = False
        world.broker.wake()
        await world.quiet()
        assert await comments(world, "n0") == 6
        assert node.lane(0).held == ""

    async def test_a_gap_met_on_the_way_holds_the_lane(self, world: FakeWorld) -> None:
        """Retention overtook the lane: it takes what comes before the gap, holds, and a release goes on behind it."""
        node = await world.start("notes")
        await world.put(comment("n0", "before"))
        await world.quiet()
        consumer = world.consumer(node)
        consumer.blocked = True
        for n in range(5):
            await world.put(comment("n0", f"c{n}"))
        world.broker.expire(NOTE.name, 0, 4)
        consumer.blocked = False
        world.broker.wake()
        await world.until(lambda: "has nothing from 1 to 3" in node.lane(0).held, "held")
        await world.put(comment("n4", "other"))
        await world.until(lambda: node.outcomes["done"] == 4, "the other lane goes on")
        assert await control.release(world.database("notes"), "note:0")
        await world.until(lambda: node.lane(0).held == "", "released")
        await world.quiet()
        assert await comments(world, "n0") == 3

    async def test_a_gap_met_at_the_claim_holds_the_lane(self, world: FakeWorld) -> None:
        """A service that was down for longer than the retention says so at once, even with nothing new to read."""
        await world.stop(await self._with(world, 2))
        for n in range(3):
            await world.put(comment("n0", f"lost{n}"))
        world.broker.expire(NOTE.name, 0, 5)
        node = await world.start("notes")
        await world.until(lambda: "has nothing from 2 to 4" in node.lane(0).held, "held")
        assert await control.release(world.database("notes"), "note:0")
        await world.put(comment("n0", "after"))
        await world.until(lambda: node.lane(0).held == "", "released")
        await world.quiet()
        assert await comments(world, "n0") == 3

    async def test_a_crash_after_a_release_does_not_hold_again(self, world: FakeWorld) -> None:
        """The release stands until the position is behind the gap."""
        await world.stop(await self._with(world, 1))
        await world.put(comment("n0", "lost"))
        world.broker.expire(NOTE.name, 0, 2)
        node = await world.start("notes")
        await world.until(lambda: node.lane(0).held != "", "held")
        await world.kill(node)
        await control.release(world.database("notes"), "note:0")
        node = await world.start("notes", crash_at=("claim:done", 2))
        await node.crashed.wait()
        await world.kill(node)
        await world.put(comment("n0", "after"))
        node = await world.start("notes")
        await world.quiet()
        assert node.lane(0).held == ""
        assert await comments(world, "n0") == 2

    async def test_a_second_gap_holds_again(self, world: FakeWorld) -> None:
        """A release is for the gap that was seen, not for those to come."""
        await world.stop(await self._with(world, 1))
        await world.put(comment("n0", "lost"))
        world.broker.expire(NOTE.name, 0, 2)
        node = await world.start("notes")
        await world.until(lambda: node.lane(0).held != "", "held")
        await control.release(world.database("notes"), "note:0")
        await world.put(comment("n0", "after"))
        await world.until(lambda: node.lane(0).held == "", "released")
        await world.quiet()
        consumer = world.consumer(node)
        consumer.blocked = True
        for n in range(2):
            await world.put(comment("n0", f"c{n}"))
        world.broker.expire(NOTE.name, 0, 4)
        consumer.blocked = False
        world.broker.wake()
        await world.put(comment("n0", "behind"))
        await world.until(lambda: "has nothing from 3 to 3" in node.lane(0).held, "held again")

    async def _with(self, world: FakeWorld, count: int) -> Node:
        node = await world.start("notes")
        for n in range(count):
            await world.put(comment("n0", f"b{n}"))
        await world.quiet()
        return node

    async def test_memory_stays_bounded(self, world: FakeWorld) -> None:
        """A lane that is slower than the topic pauses its partitions above two batches, and resumes them."""
        node = await world.start("notes", limits=Limits(inputs=5))
        await world.quiet()
        node.database.gate.clear()
        for n in range(300):
            await world.put(comment("n0", f"c{n}"))
        await node.database.waiting.wait()
        await world.until(lambda: (NOTE.name, 0) in world.consumer(node).paused, "paused")
        assert node.process.reports()[-1].lag_records > 0 or node.process.reports()[-2].lag_records > 0
        assert world.consumer(node).positions[NOTE.name, 0] < 150
        node.database.gate.set()
        await world.quiet()
        assert await comments(world, "n0") == 300

    async def test_an_unreadable_record_holds_its_lane_alone(self, world: FakeWorld) -> None:
        """What the client cannot decode stops one lane, with the reason; the others go on."""
        node = await world.start("notes")
        await world.quiet()
        number = partition_of("n", world.partitions)
        other = next(f"o{i}" for i in range(99) if partition_of(f"o{i}", world.partitions) != number)
        node.lane(number).unreadable(NOTE.name)
        await world.until(lambda: node.lane(number).held.startswith("unreadable"), "held")
        await world.put(comment(other, "c"))
        await world.until(lambda: node.outcomes["done"] > 0, "the other lane goes on")


class TestOwners:
    """One owner at a time; what a dead one left is taken up."""

    async def test_a_dead_owners_transaction_does_not_stand_in_the_way(self, world: FakeWorld) -> None:
        """Killed between write and commit: the successor claims in less than 5 s and folds the batch once."""
        node = await world.start("notes", crash_at=("commit:written", 1))
        await world.put(comment("n0", "c"))
        await node.crashed.wait()
        await world.kill(node)
        died = asyncio.get_running_loop().time()
        await world.start("notes")
        await world.quiet()
        assert asyncio.get_running_loop().time() - died < 5
        assert await comments(world, "n0") == 1

    async def test_a_fenced_lane_whose_partitions_are_still_ours_claims_again(self, world: FakeWorld) -> None:
        """Somebody claimed and went away: the lane is told at its next commit and goes on by itself."""
        node = await world.start("notes")
        await world.quiet()
        intruder = world.database("notes")
        await control.claim(intruder, "note:0", await intruder.open_session())
        await world.put(comment("n0", "c"))
        await world.quiet()
        assert await comments(world, "n0") == 1
        assert node.troubles("fenced") == 1

    async def test_two_processes_share_the_partitions(self, world: FakeWorld) -> None:
        """Members come, go and die amid traffic; every event is folded once."""
        first = await world.start("notes", slots=3)
        put = 0
        for change in ("join", "join", "kill", "leave", "join", "expel"):
            for _ in range(7):
                await world.put(comment(NOTES[put % 2], f"c{put}"), times=1 + put % 2)
                put += 1
            if change == "join":
                await world.start("notes", slots=3)
            elif change == "kill":
                await world.kill(world.nodes[0])
            elif change == "leave":
                await world.stop(world.nodes[0])
            else:
                zombie = world.nodes[-1]
                await world.expel(zombie)
                await world.kill(zombie)
        assert first not in world.nodes
        await world.quiet()
        assert await comments(world, "n0") + await comments(world, "n4") == put

    async def test_a_lane_needs_all_its_topics(self, world: FakeWorld) -> None:
        """Where this process holds only some topics of a partition nothing runs, and the lack is known."""
        node = await world.start("notes")
        await world.quiet()
        lanes = node.process.keys["note"]
        consumer = world.consumer(node)
        await lanes.revoked()
        held = {NOTE.name: {0, 1}, next(t for t in lanes.topics if t != NOTE.name): {1}}
        consumer.assign(held)
        node.process.assigned("note", held, consumer)
        assert lanes.partial == {0}
        assert [lane.name for lane in lanes.lanes] == ["note:1"]

    async def test_two_first_starts_at_once(self, world: FakeWorld) -> None:
        """Control documents that two processes make at the same time are made once, and both work."""
        await asyncio.gather(*(world.start("notes", slots=4) for _ in range(3)))
        slots = [await slot_of(world, node) for node in world.nodes]
        assert len(set(slots)) == 3
        await world.quiet()

    async def test_replays_do_not_run_side_by_side(self, world: FakeWorld) -> None:
        """A second replay takes over; the first is told, and each letter is folded once."""
        node = await world.start("notes")
        for n in range(5):
            await world.put(comment("n0", f"c{n}", "bug"))
        await world.quiet()
        world.toy.broken = False
        results = await asyncio.gather(replayed(world, node), replayed(world, node), return_exceptions=True)
        assert any(isinstance(result, Transient) for result in results)
        await replayed(world, node)
        assert await comments(world, "n0") == 5
        assert await replayed(world, node) == {}

    async def test_a_replay_that_cannot_note_what_it_has_sent_says_so(self, world: FakeWorld) -> None:
        """Its outbox would stop timers until another replay: it is not done before it is noted as sent."""
        node = await world.start("notes")
        await world.put(comment("n0", "c0", "bug"))
        await world.quiet()

        def passing(label: str) -> None:
            world.servers["notes"].away |= label == "publish:acknowledged"

        node.passing = passing
        with pytest.raises(Transient):
            await replayed(world, node)
        node.passing = lambda label: None
        world.servers["notes"].away = False
        world.toy.broken = False
        assert await replayed(world, node) == {"done": 1}
        lanes = await world.documents("notes", LANES)
        assert not any(lane["outbox"] for name, lane in lanes.items() if name.startswith("replay:"))


class TestSlots:
    """A fixed number of slots over whatever processes live; nothing unsent stays behind."""

    async def test_each_process_has_a_slot_of_its_own(self, world: FakeWorld) -> None:
        """Two slots, three processes: two work, the third stands by and takes the slot of one that ends."""
        nodes = [await world.start("notes", slots=2) for _ in range(3)]
        await world.until(lambda: sum(n.process.slots.ready for n in nodes) == 2, "two work")
        idle = next(n for n in nodes if not n.process.slots.ready)
        busy = [n for n in nodes if n is not idle]
        assert len({await slot_of(world, n) for n in busy}) == 2
        assert "no api slot" in idle.process.ready()
        with pytest.raises(Transient):
            await idle.process.slots.submit(post(0), correlation="test")
        gone = await slot_of(world, busy[0])
        await world.stop(busy[0])
        assert await slot_of(world, idle) == gone
        assert idle.process.ready() == []

    async def test_a_dead_process_slot_is_taken_over_in_ten_seconds(self, world: FakeWorld) -> None:
        """The lease lapses, a successor claims the slot and publishes what was committed and not sent."""
        dead = await world.start("notes")
        await slot_of(world, dead)
        dead.publisher.away = True
        assert (await world.submit(dead, post(1))).status == 201
        await world.kill(dead)
        died = asyncio.get_running_loop().time()
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "the slot")
        assert asyncio.get_running_loop().time() - died < 10
        await world.quiet()
        assert await comments(world, "n0") == 1

    async def test_a_shrunken_deployment_leaves_no_outbox_behind(self, world: FakeWorld) -> None:
        """Three processes with unsent events, one survives: it sweeps the slots of the others."""
        nodes = [await world.start("notes", slots=3) for _ in range(3)]
        for n, node in enumerate(nodes):
            await slot_of(world, node)
            node.publisher.away = True
            await world.submit(node, post(n))
        for node in nodes[:2]:
            await world.kill(node)
        died = asyncio.get_running_loop().time()
        nodes[2].publisher.away = False
        await world.quiet()
        assert asyncio.get_running_loop().time() - died < 15
        assert await comments(world, "n0") == 3
        assert (await world.types(NOTE.name))["comment_posted"] == 3

    async def test_a_slot_that_cannot_be_read_stands_in_no_others_way(self, world: FakeWorld) -> None:
        """One of a later release is trouble and no more: the process works in another, and sends what the dead left."""
        first = await world.start("notes", slots=3)
        await slot_of(world, first)
        first.publisher.away = True
        await world.submit(first, post(1))
        await world.kill(first)
        later: Json = {"$set": {"epoch": 1, "batch": 1, "outbox": [{"b": 1, "r": b"of a later release"}], "held": ""}}
        database, there = world.database("notes"), await world.documents("notes", LANES)
        unread = next(name for name in ("api:0", "api:1", "api:2") if not there[name]["outbox"])
        await database.modify(LANES, {"_id": unread}, later)
        node = await world.start("notes", slots=3)
        await world.submit(node, post(2))
        await world.until(lambda: node.troubles("unreadable") > 3, "the sweeper looks on")
        await world.until(lambda: self._told(world, 2), "what the dead one left is sent")
        assert (await world.documents("notes", LANES))[unread]["outbox"]

    async def _told(self, world: FakeWorld, count: int) -> bool:
        return (await world.types(NOTE.name))["comment_posted"] == count

    async def test_a_slot_with_a_full_outbox_keeps_its_lease(self, world: FakeWorld) -> None:
        """A broker that is away for a minute does not make processes take each other's slots."""
        node = await world.start("notes", slots=2, limits=Limits(outbox=500))
        await world.start("notes", slots=2)
        name = await slot_of(world, node)
        lane = node.process.slots.lanes[0]
        node.publisher.away = True
        for n in range(2):
            await world.submit(node, post(n))
        with pytest.raises(Transient):
            await world.submit(node, post(9))
        await asyncio.sleep(60)
        assert node.process.slots.lanes[0] is lane
        stored = (await world.documents("notes", LANES))[name]
        assert (stored["epoch"], stored["lease"] > world.now()) == (1, True)
        node.publisher.away = False
        await world.quiet()
        assert await comments(world, "n0") == 2

    async def test_callers_of_a_lost_slot_are_told(self, world: FakeWorld) -> None:
        """A process that slept past its lease: all its callers get 503, none waits for ever, nothing is written."""
        node = await world.start("notes", slots=2)
        name = await slot_of(world, node)
        node.database.gate.clear()
        asked = [asyncio.ensure_future(world.submit(node, EditNote(person_id="p", note_id="x"))) for _ in range(5)]
        await node.database.waiting.wait()
        late = [asyncio.ensure_future(world.submit(node, EditNote(person_id="p", note_id="x"))) for _ in range(5)]
        intruder = world.database("notes")
        await control.claim(intruder, name, await intruder.open_session())
        node.database.gate.set()
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*asked, *late, return_exceptions=True)
        assert all(isinstance(a, Transient) for a in answers)
        assert await world.documents("notes", "notes") == {}
        assert (await world.insist(node, EditNote(person_id="p", note_id="x"))).body == {"edits": 1}

    async def test_nothing_is_blamed_for_a_database_that_fails(self, world: FakeWorld) -> None:
        """While it answers everything with an error of its own, callers are told to come again and no record dies."""
        node = await world.start("notes", slots=2)
        await slot_of(world, node)
        node.database.broken = True
        await world.put(comment("n0", "c1"))
        with pytest.raises(Transient):
            await world.submit(node, post(2))
        node.database.broken = False
        await world.insist(node, post(2))
        await world.quiet()
        assert await comments(world, "n0") == 2
        assert await letters(world) == []

    async def test_a_stop_with_the_broker_away_ends_in_its_grace(self, world: FakeWorld) -> None:
        """What cannot be sent stays in the control document, and the next process sends it."""
        node = await world.start("notes")
        await slot_of(world, node)
        node.publisher.faults.extend(["acknowledged never"])
        await world.submit(node, post(1))
        begun = asyncio.get_running_loop().time()
        await world.stop(node)
        assert asyncio.get_running_loop().time() - begun <= 31
        await world.start("notes")
        await world.quiet()
        assert await comments(world, "n0") == 1

    async def test_a_caller_that_went_away_is_not_tried(self, world: FakeWorld) -> None:
        """A cancelled request that still waits in the queue changes nothing."""
        node = await world.start("notes")
        await slot_of(world, node)
        node.database.gate.clear()
        first = asyncio.ensure_future(world.submit(node, EditNote(person_id="p", note_id="x")))
        await node.database.waiting.wait()
        gone = asyncio.ensure_future(world.submit(node, EditNote(person_id="p", note_id="y")))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        node.database.gate.set()
        await first
        await world.quiet()
        assert set(await world.documents("notes", "notes")) == {"x"}

    async def test_the_queue_has_an_end(self, world: FakeWorld) -> None:
        """More callers than a process can hold are told to come again."""
        node = await world.start("notes")
        await slot_of(world, node)
        node.database.gate.clear()
        asked = [
            asyncio.ensure_future(node.process.slots.submit(EditNote(person_id="p", note_id="x"), correlation="t"))
            for _ in range(2_300)
        ]
        await node.database.waiting.wait()
        node.database.gate.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(a, Transient) for a in answers) >= 100
        assert sum(isinstance(a, Reply) for a in answers) >= 2_000


class TestContention:
    """Documents that two lanes change: nothing is lost, nothing waits for ever."""

    async def test_edits_from_two_processes_all_count(self, world: FakeWorld) -> None:
        """Compare-and-set: the later one loads and folds again."""
        nodes = [await world.start("notes", slots=2) for _ in range(2)]
        for node in nodes:
            await slot_of(world, node)
        edits = [world.submit(nodes[n % 2], EditNote(person_id="p", note_id="x")) for n in range(60)]
        replies = await asyncio.gather(*edits)
        assert sorted(r.body["edits"] for r in replies) == list(range(1, 61))
        assert sum(node.troubles("conflict") for node in nodes) > 0

    async def test_after_two_conflicts_each_goes_alone(self, world: FakeWorld) -> None:
        """The contended batch is split, in order, so that only who is contended waits."""
        node = await world.start("notes")
        await slot_of(world, node)
        node.database.commits.extend(["conflict", "conflict"])
        before = len(node.database.transactions)
        replies = await asyncio.gather(
            *(world.submit(node, EditNote(person_id="p", note_id="x")) for _ in range(4)),
        )
        assert [r.body["edits"] for r in replies] == [1, 2, 3, 4]
        assert len(node.database.transactions) - before == 4

    async def test_a_dead_owners_minute_is_waited_out(self, world: FakeWorld) -> None:
        """An event that meets conflicts for less than a minute and a half is late, and not dead."""
        node = await world.start("notes")
        node.database.commits.extend(["conflict"] * 200)
        await world.put(comment("n0", "c"))
        await world.quiet()
        assert await letters(world) == []
        assert await comments(world, "n0") == 1

    async def test_a_conflict_without_end_does_not_block_the_lane(
        self, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An event dies as a bug does, with a letter; a caller is told to come again."""
        monkeypatch.setattr(Steps, "most_seconds", 0.0)
        node = await world.start("notes")
        await slot_of(world, node)
        faults: list[Any] = ["conflict"] * 51
        node.database.commits.extend(faults)
        await world.put(comment("n0", "c"))
        await world.quiet()
        assert [d.fingerprint for d in await letters(world)] == ["conflict without end"]
        node.database.commits.extend(faults * 2)
        with pytest.raises(Transient, match="contended"):
            await world.submit(node, EditNote(person_id="p", note_id="x"))
        node.database.commits.clear()
        await world.put(comment("n0", "d"))
        await world.quiet()
        assert await comments(world, "n0") == 1


class TestTimers:
    """Neither lag nor an unsent answer escalates what was answered in time."""

    async def _asked(self, world: FakeWorld) -> Node:
        world.toy.patience = timedelta(seconds=10)
        node = await world.start("notes", slots=2)
        await world.put(comment("n0", "c", "why?"))
        await world.quiet()
        await slot_of(world, node)
        return node

    async def _state(self, world: FakeWorld) -> str:
        return str((await world.documents("notes", "needs"))["c"]["state"])

    async def test_not_while_an_older_answer_is_unsent(self, world: FakeWorld) -> None:
        """The accepted answer stands in an outbox of the service when the timer is due: it counts."""
        node = await self._asked(world)
        node.publisher.away = True
        await world.submit(node, Accept(person_id="p", need_id="c"))
        await asyncio.sleep(30)
        assert await self._state(world) == "open"
        node.publisher.away = False
        await world.quiet()
        assert await self._state(world) == "answered"
        assert (await world.types(NOTE.name))["need_escalated"] == 0

    async def test_not_while_a_dead_process_holds_the_answer(self, world: FakeWorld) -> None:
        """The answer lies in the outbox of a slot whose process died: it is swept first."""
        node = await self._asked(world)
        other = await world.start("notes", slots=2)
        await slot_of(world, other)
        other.publisher.away = True
        await asyncio.sleep(7)
        await world.submit(other, Accept(person_id="p", need_id="c"))
        await world.kill(other)
        await asyncio.sleep(30)
        await world.quiet()
        assert await self._state(world) == "answered"
        assert node in world.nodes

    async def test_a_younger_answer_does_not_keep_it_back(self, world: FakeWorld) -> None:
        """What came after the due time is late, sent or not."""
        node = await self._asked(world)
        world.consumer(node).blocked = True
        await asyncio.sleep(12)
        node.publisher.away = True
        await world.submit(node, Accept(person_id="p", need_id="c"))
        world.consumer(node).blocked = False
        world.broker.wake()
        await world.until(lambda: self._is(world, "escalated"), "escalated")

    async def _is(self, world: FakeWorld, state: str) -> bool:
        return await self._state(world) == state

    async def test_not_before_the_lane_has_passed_the_ends(self, world: FakeWorld) -> None:
        """The answer is in the topic and not yet read when the timer is due: it counts."""
        node = await self._asked(world)
        world.consumer(node).blocked = True
        await world.submit(node, Accept(person_id="p", need_id="c"))
        await asyncio.sleep(30)
        assert await self._state(world) == "open"
        world.consumer(node).blocked = False
        world.broker.wake()
        await world.quiet()
        assert await self._state(world) == "answered"
        assert (await world.types(NOTE.name))["need_escalated"] == 0

    async def test_a_due_timer_fires_in_a_lane_without_traffic(self, world: FakeWorld) -> None:
        """Nothing else has to come; a second or so after the due time it is done, also in a successor."""
        await world.stop(await self._asked(world))
        await asyncio.sleep(60)
        await world.start("notes")
        begun = asyncio.get_running_loop().time()
        await world.until(lambda: self._is(world, "escalated"), "escalated")
        assert asyncio.get_running_loop().time() - begun < 3

    async def test_timers_that_wait_do_not_hide_others(self, world: FakeWorld) -> None:
        """More timers than a look takes are kept back in one lane; another lane's fires on time."""
        world.toy.patience = timedelta(seconds=5)
        node = await world.start("notes")
        await slot_of(world, node)
        await world.put(comment("n4", "c", "why?"))
        await world.quiet()
        node.publisher.away = True
        await world.submit(node, post(1, "n0"))
        database = world.database("notes")
        timers = [
            Timer(id=f"t{n}", v=1, lane="note:0", due=world.now(), type="CheckNeed", payload={}, correlation="t")
            for n in range(MOST_TIMERS + 1)
        ]
        await database.transact(await database.open_session(), [Upsert(Timer.COLLECTION, to_mongo(t)) for t in timers])
        await world.until(lambda: self._is(world, "escalated"), "the other lane's")

    async def test_a_timer_of_a_kind_that_is_gone_becomes_a_letter(self, world: FakeWorld) -> None:
        """A reminder that this release does not know, or cannot read, is not lost and does not block."""
        await world.start("notes")
        database = world.database("notes")
        for n, kind in enumerate(("Unheard", "CheckNeed")):
            timer = Timer(id=f"t{n}", v=1, lane="note:0", due=world.now(), type=kind, payload={}, correlation="t")
            await database.transact(await database.open_session(), [Upsert(Timer.COLLECTION, to_mongo(timer))])

        async def both() -> bool:
            return len(await world.records(NOTES_DEAD.name)) == 2

        await world.until(both, "two letters")
        assert sorted(d.reason for d in await letters(world)) == ["body", "type"]
        assert await world.documents("notes", Timer.COLLECTION) == {}

    async def test_a_timer_that_is_moved_meanwhile_does_not_fire(self, world: FakeWorld) -> None:
        """Another lane gives more time between the fold and the commit: the commit finds out, the new time holds."""
        node = await self._asked(world)
        node.database.gate.clear()
        # Folded at its due time, and kept before the commit.
        await node.database.waiting.wait()
        database = world.database("notes")
        (stored,) = (await world.documents("notes", Timer.COLLECTION)).values()
        later = {**stored, "v": 2, "due": world.now() + timedelta(seconds=60)}
        await database.transact(await database.open_session(), [Upsert(Timer.COLLECTION, later)])
        node.database.gate.set()
        await asyncio.sleep(30)
        assert await self._state(world) == "open"
        await world.until(lambda: self._is(world, "escalated"), "escalated")
        assert world.now() > later["due"]

    async def test_two_processes_do_not_fire_one_timer_twice(self, world: FakeWorld) -> None:
        """The partition moves while the timer is due: one escalation."""
        world.toy.patience = timedelta(seconds=2)
        await world.start("notes", slots=3)
        await world.put(comment("n0", "c", "why?"))
        for n in range(12):
            await asyncio.sleep(0.3)
            node = await world.start("notes", slots=3)
            await (world.kill if n % 2 else world.stop)(world.nodes[0])
            assert node in world.nodes
        await world.until(lambda: self._is(world, "escalated"), "escalated")
        await world.quiet()
        assert (await world.types(NOTE.name))["need_escalated"] == 1


class TestTheWayBack:
    """However long the world was away, and however often it was tried: a lane sees soon that it is back."""

    SOON = 1.0
    """Seconds: a try and a step."""
    AWAY = 60.0

    async def test_from_a_database_that_was_away(self, world: FakeWorld) -> None:
        """What came meanwhile is folded."""
        node = await world.start("notes")
        await world.quiet()
        node.database.away = True
        await world.put(comment("n0", "c"))
        await asyncio.sleep(self.AWAY)
        node.database.away = False
        assert await self._seconds(world, lambda: comments(world, "n0")) < self.SOON

    async def test_from_a_broker_that_was_away(self, world: FakeWorld) -> None:
        """What was committed meanwhile is sent."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        node.publisher.away = True
        await world.submit(node, post(1))
        await asyncio.sleep(self.AWAY)
        node.publisher.away = False
        assert await self._seconds(world, lambda: world.records(NOTE.name)) < self.SOON

    async def test_few_come_first(self, world: FakeWorld) -> None:
        """What was in hand goes in a few at first: whoever has waited longest does not wait for the rest, too."""
        done = 2  # handlers that each comment has
        node = await world.start("notes")
        await world.put(comment("n0", "known"))
        await world.quiet()
        node.database.gate.clear()
        await world.put(comment("n0", "ahead"))
        await node.database.waiting.wait()
        for number in range(3 * FEWEST):
            await world.put(comment("n0", f"c{number}"))

        def passing(label: str) -> None:
            node.database.away |= label == "step:folded" and node.outcomes["done"] == 2 * done

        node.passing = passing
        node.database.gate.set()
        await world.until(lambda: node.troubles("transient") > 0, "the rest is in hand")
        steps: set[int] = set()
        node.passing = lambda label: steps.add(node.outcomes["done"])
        node.database.away = False
        await world.quiet()
        assert min(steps - {2 * done}) == (2 + FEWEST) * done
        assert await comments(world, "n0") == 2 + 3 * FEWEST

    async def _seconds(self, world: FakeWorld, there: Callable[[], Awaitable[object]]) -> float:
        clock = asyncio.get_running_loop().time
        began = clock()

        async def is_there() -> bool:
            return bool(await there())

        await world.until(is_there, "an effect")
        return clock() - began


class TestViews:
    """In-memory state beside the lane."""

    async def test_a_view_that_fails_after_the_commit_undoes_nothing(self, world: FakeWorld) -> None:
        """The command is answered and applied once, whatever a cache makes of it."""

        class Broken:
            refreshed = 0

            async def refresh(self) -> None:
                self.refreshed += 1

            def forget(self) -> None:
                raise ValueError("nothing is rebuilt here")

            def committed(self, documents: Any) -> None:
                raise ValueError("a bug of a view")

        view = Broken()
        node = await world.start("notes", views=(view,))
        assert (await world.submit(node, EditNote(person_id="p", note_id="x"))).body == {"edits": 1}
        await world.put(comment("n0", "c"))
        await world.quiet()
        assert await comments(world, "n0") == 1
        assert view.refreshed >= 2


async def test_slots_stop_before_they_have_one(world: FakeWorld) -> None:
    """A process that is told to stop while it looks for a slot ends, and leaves no lease."""
    node = await world.start("notes")
    await world.stop(node)
    assert all(lane.get("lease") is None for lane in (await world.documents("notes", LANES)).values())
    assert isinstance(node.process.slots, Slots)
    assert partition_of("n0", 2) != partition_of("n4", 2)


async def test_a_stop_does_not_wait_for_a_claim(world: FakeWorld) -> None:
    """A lane whose broker never says where a topic begins has nothing in hand, and is let go at once."""
    node = await world.start("notes")
    await world.quiet()
    world.consumer(node).dead = True
    await control.hold(world.database("notes"), "note:0", "looked at")
    await world.until(lambda: node.lane(0).phase == "claim:taken", "claiming")
    began = asyncio.get_running_loop().time()
    await world.stop(node)
    assert asyncio.get_running_loop().time() - began < 5.0
