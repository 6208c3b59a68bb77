"""What holds a lane without an operator, and how it goes on: on the fakes and on the stack."""

from datetime import timedelta

from shared.contracts import partition_of
from shared.contracts.topics import NOTE, NOTES_DEAD
from shared.errors import Transient
from shared.flow import control
from shared.flow.alarms import Poison
from shared.flow.documents import INBOX_KEPT, LANES
from shared.flow.fold import Limits
from tests.suites.lane import comments
from tests.suites.toy import PostComment, comment
from tests.suites.world import Node, World


class AlarmSuite:
    """Behaviours; a subclass gives the fixture ``world``."""

    async def _held(self, world: World, name: str) -> str:
        return str((await world.documents("notes", LANES))[name].get("held") or "")

    # -- poison --------------------------------------------------------------------------------------------

    async def test_a_lane_that_only_buries_is_held(self, world: World) -> None:
        """All inputs die: the lane stops after few of them and says so, others go on, liveness stays green."""
        world.poison = Poison(share=0.5, window=600.0, least=5)
        node = await world.start("notes", limits=Limits(inputs=4))
        number = partition_of("n", world.partitions)
        other = next(f"o{i}" for i in range(99) if partition_of(f"o{i}", world.partitions) != number)
        name = f"note:{number}"
        for n in range(40):
            await world.put(comment("n", f"c{n}", "bug"))
        await world.until(lambda: node.lane(number).held != "", "held")
        dead = len(await world.records(NOTES_DEAD.name))
        assert 5 <= dead <= 5 + 4
        await world.put(comment(other, "c"))
        await world.quiet()
        assert await comments(world, other) == 1
        assert len(await world.records(NOTES_DEAD.name)) == dead
        assert (await self._held(world, name)).startswith(control.DYING)
        assert next(r for r in node.process.reports() if r.name == name).held.startswith(control.DYING)
        assert node.troubles("held") == 1
        assert node.process.stuck() == []

    async def test_what_a_held_lane_has_committed_does_not_lag(self, world: World) -> None:
        """The batch by which it held itself is done: a lane that has nothing else to do has no lag."""
        world.poison = Poison(share=0.5, window=600.0, least=5)
        node = await world.start("notes")
        for n in range(5):
            await world.put(comment("n", f"c{n}", "bug"))
        lane = node.lane(partition_of("n", world.partitions))
        await world.until(lambda: lane.held != "", "held")
        assert lane.report().lag_seconds == 0

    async def test_a_released_lane_counts_anew(self, world: World) -> None:
        """Still poisoned it is held again, after as many; mended it folds the rest, and nothing is lost."""
        world.poison = Poison(share=0.5, window=600.0, least=5)
        node = await world.start("notes", limits=Limits(inputs=4))
        number = partition_of("n", world.partitions)
        operator = world.database("notes")
        for n in range(40):
            await world.put(comment("n", f"c{n}", "bug"))
        await world.until(lambda: node.lane(number).held != "", "held")
        dead = len(await world.records(NOTES_DEAD.name))
        assert await control.release(operator, f"note:{number}")
        await world.until(lambda: node.troubles("held") == 2 and node.lane(number).held != "", "held again")
        again = len(await world.records(NOTES_DEAD.name))
        assert 5 <= again - dead <= 5 + 4
        world.toy.broken = False
        assert await control.release(operator, f"note:{number}")
        await world.until(lambda: node.lane(number).held == "", "released")
        await world.quiet()
        assert await comments(world) == 40 - again
        assert len(await world.documents("notes", "remembered")) == 40

    async def test_deaths_among_many_do_not_hold(self, world: World) -> None:
        """Below the share a lane goes on, however many letters it has written."""
        world.poison = Poison(share=0.5, window=600.0, least=5)
        node = await world.start("notes")
        for n in range(10):
            await world.put(comment("n", f"good{n}"))
            await world.put(comment("n", f"bad{n}", "bug"))
        await world.quiet()
        assert len(await world.records(NOTES_DEAD.name)) == 10
        assert node.troubles("held") == 0
        assert await comments(world) == 10

    async def test_what_a_handler_rejects_does_not_hold(self, world: World) -> None:
        """The handler works and the sender is wrong: letters, and no alarm."""
        world.poison = Poison(share=0.01, window=600.0, least=1)
        node = await world.start("notes")
        for n in range(10):
            await world.put(comment("n", f"c{n}", "rejected"))
        await world.quiet()
        assert len(await world.records(NOTES_DEAD.name)) == 10
        assert node.troubles("held") == 0

    # -- horizon -------------------------------------------------------------------------------------------

    async def _aged(self, world: World, name: str) -> int:
        """Let a dead owner's outbox be older than what readers remember; returns how many records it has."""
        database = world.database("notes")
        stored = (await world.documents("notes", LANES))[name]
        old = world.now() - INBOX_KEPT - timedelta(minutes=1)
        outbox = [entry | {"at": old} for entry in stored["outbox"]]
        await database.modify(LANES, {"_id": name}, {"$set": {"outbox": outbox, "lease": old}})
        return sum(len(control.unpacked(entry)) for entry in outbox)

    async def _unsent(self, world: World, *, slots: int = 1) -> Node:
        node = await world.start("notes", slots=slots)
        await world.until(lambda: node.process.slots.ready, "a slot")
        await world.quiet()
        node.publisher.away = True
        return node

    async def test_an_old_outbox_of_a_lane_waits_for_a_person(self, world: World) -> None:
        """Readers may have forgotten what was sent of it: nothing is sent until it is released, then all of it."""
        first = await self._unsent(world)
        number = partition_of("n", world.partitions)
        name = f"note:{number}"
        await world.put(comment("n", "c", "why?"))
        await world.until(lambda: first.lane(number).outbox.size > 0, "something unsent")
        await world.kill(first)
        assert await self._aged(world, name) == 1
        second = await world.start("notes")
        await world.until(lambda: second.lane(number).held != "", "held")
        await world.put(comment("n", "later"))
        await world.quiet()
        assert (await self._held(world, name)).startswith(control.HORIZON)
        assert "need_opened" not in await world.types(NOTE.name)
        assert await comments(world) == 1
        assert second.process.stuck() == []
        report = next(r for r in second.process.reports() if r.name == name)
        assert report.outbox_seconds > INBOX_KEPT.total_seconds()  # since the commit, which another process made
        assert await control.release(world.database("notes"), name)
        await world.until(lambda: second.lane(number).held == "", "released")
        await world.quiet()
        assert (await world.types(NOTE.name))["need_opened"] == 1
        assert await comments(world) == 2

    async def test_an_old_outbox_of_a_slot_waits_for_a_person(self, world: World) -> None:
        """The process works in another slot, and tells of the held one; released, somebody sends what it has."""
        first = await self._unsent(world, slots=2)
        slot = first.process.slots.lanes[0].name
        await world.submit(first, PostComment(person_id="p", comment_id="c", note_id="n", text="t"))
        await world.kill(first)
        assert await self._aged(world, slot) == 1
        second = await world.start("notes", slots=2)

        def told() -> bool:
            return any(r.name == slot and r.held.startswith(control.HORIZON) for r in second.process.reports())

        await world.until(told, "told by the report")
        await world.submit(second, PostComment(person_id="p", comment_id="d", note_id="n", text="t"))
        await world.quiet()
        assert await world.types(NOTE.name) == {"comment_posted": 1}
        assert await control.release(world.database("notes"), slot)
        await world.until(lambda: self._sent(world, 2), "sent")
        await world.until(lambda: not told(), "told no longer")

    async def _sent(self, world: World, count: int) -> bool:
        return (await world.types(NOTE.name))["comment_posted"] == count

    async def test_a_fresh_outbox_is_sent_by_the_successor(self, world: World) -> None:
        """Up to the horizon nobody is asked."""
        first = await self._unsent(world)
        await world.submit(first, PostComment(person_id="p", comment_id="c", note_id="n", text="t"))
        await world.kill(first)
        second = await world.start("notes")
        await world.until(lambda: self._sent(world, 1), "sent")
        assert second.troubles("held") == 0

    async def test_an_outbox_that_grows_old_unsent_is_held(self, world: World) -> None:
        """A living owner whose broker is away for a week does not send either, when it is back."""
        node = await self._unsent(world)
        number = partition_of("n", world.partitions)
        await world.put(comment("n", "c", "why?"))
        lane = node.lane(number)
        await world.until(lambda: lane.outbox.size > 0, "something unsent")
        await self._aged(world, lane.name)
        lane.outbox.restore(control.read_control(lane.name, (await world.documents("notes", LANES))[lane.name]).outbox)
        node.publisher.away = False
        await world.until(lambda: lane.held != "", "held")
        assert lane.held.startswith(control.HORIZON)
        assert "need_opened" not in await world.types(NOTE.name)

    async def test_a_full_outbox_that_grows_old_is_held(self, world: World) -> None:
        """A lane that waits for room with an input in hand is held as any other, and goes on once it is released."""
        node = await world.start("notes", limits=Limits(inputs=1, outbox=400))
        await world.quiet()
        node.publisher.away = True
        number = partition_of("n", world.partitions)
        lane = node.lane(number)
        for n in range(3):
            await world.put(comment("n", f"c{n}", "why?"))
        await world.until(lambda: node.labels["full"] > 0, "full")
        await self._aged(world, lane.name)
        lane.outbox.restore(control.read_control(lane.name, (await world.documents("notes", LANES))[lane.name]).outbox)
        node.publisher.away = False
        await world.until(lambda: lane.held != "", "held")
        assert lane.held.startswith(control.HORIZON)
        assert await control.release(world.database("notes"), lane.name)
        await world.until(lambda: lane.held == "", "released")
        await world.quiet()
        assert (await world.types(NOTE.name))["need_opened"] == 3
        assert await comments(world) == 3

    async def test_no_slot_is_no_answer(self, world: World) -> None:
        """Where every slot is held a caller hears to come again, and the process is not ready."""
        first = await self._unsent(world)
        slot = first.process.slots.lanes[0].name
        await world.submit(first, PostComment(person_id="p", comment_id="c", note_id="n", text="t"))
        await world.kill(first)
        await self._aged(world, slot)
        second = await world.start("notes")
        await world.until(lambda: slot in second.process.slots.held, "held")
        assert second.process.ready() == ["no api slot"]
        try:
            await second.process.slots.submit(
                PostComment(person_id="p", comment_id="d", note_id="n", text="t"), correlation="test"
            )
        except Transient:
            return
        raise AssertionError("a command was taken without a slot")
