"""What large inputs promise, cut into parts: on the fakes and on the stack."""

from datetime import timedelta

from shared.contracts import partition_of
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE
from shared.flow.documents import Timer
from shared.flow.parts import PART
from tests.suites.lane import comments, letters, replayed
from tests.suites.toy import comment
from tests.suites.world import World


class PartSuite:
    """Behaviours; a subclass gives the fixture ``world``."""

    async def _remembered(self, world: World) -> int:
        return sum(id_.startswith("big-") for id_ in await world.documents("notes", "remembered"))

    async def _done(self, world: World) -> bool:
        return not await world.documents("notes", Timer.COLLECTION)

    async def _parts(self, world: World) -> list[str]:
        """The parts in the order in which their events stand in the topic: the first id of each."""
        number = partition_of("elsewhere", world.partitions)
        records = [r for r in await world.records(NOTE.name) if r.key == b"elsewhere" and r.partition == number]
        told = [CommentPosted.model_validate_json(r.value or b"").comment_id[5:] for r in records]
        return list(dict.fromkeys(told))  # after a crash one may stand there twice, under one id

    async def _once(self, world: World, count: int) -> None:
        found = await world.documents("notes", "remembered")
        times = {id_: d["times"] for id_, d in found.items() if id_.startswith("big-")}
        assert times == {f"big-{n:04d}": 1 for n in range(count)}

    async def test_a_large_input_is_done_in_parts(self, world: World) -> None:
        """Every effect once, in order, no transaction much larger than a batch; others come between the parts."""
        node = await world.start("notes")
        await world.put(comment("n", "big", f"many {8 * PART - 7}"), times=2)
        await world.until(lambda: node.outcomes["done"] >= 2, "the large input")
        await world.put(comment("n", "small"))
        await world.until(lambda: self._done(world), "all parts")
        await world.quiet()
        await self._once(world, 8 * PART - 7)
        assert await self._parts(world) == [f"big-{n * PART:04d}" for n in range(8)]
        assert await comments(world) == 2
        # Five parts fill a batch; beside their documents it has their timers and what every batch has.
        assert max(len(writes) for writes in node.database.transactions) <= 1_000 + PART + 20

    async def test_a_successor_goes_on_with_the_parts(self, world: World) -> None:
        """The owner dies between two parts: the rest is done by the next one, and nothing twice."""
        first = await world.start("notes")
        await world.quiet()
        await world.put(comment("n", "big", f"many {15 * PART}"))
        await world.until(lambda: self._begun(world), "some parts")
        first.database.gate.clear()
        await first.database.waiting.wait()
        before = await self._remembered(world)
        await world.kill(first)
        assert 0 < before < 15 * PART
        await world.start("notes")
        await world.until(lambda: self._done(world), "all parts")
        await world.quiet()
        await self._once(world, 15 * PART)
        assert await self._parts(world) == [f"big-{n * PART:04d}" for n in range(15)]

    async def _begun(self, world: World) -> bool:
        return await self._remembered(world) > 0

    async def test_a_part_waits_for_no_timer(self, world: World) -> None:
        """A part is done at once, though the broker takes nothing and a timer of its lane must wait for that."""
        world.toy.patience = timedelta(milliseconds=100)
        node = await world.start("notes")
        await world.quiet()
        node.publisher.away = True
        await world.put(comment("n", "c", "why?"))
        await world.put(comment("n", "big", "many 5"))
        await world.until(lambda: self._begun(world), "the part")
        node.publisher.away = False
        await world.until(lambda: self._done(world), "the timer")
        await world.quiet()
        await self._once(world, 5)

    async def test_a_part_that_dies_is_a_letter_and_the_others_go_on(self, world: World) -> None:
        """It leaves nothing behind, and its replay does it once."""
        node = await world.start("notes")
        world.toy.part = 2
        await world.put(comment("n", "buggy", "many 4"))
        await world.put(comment("n", "big", "many 4"))
        await world.until(lambda: node.outcomes["dead:bug"] == 2, "the letters")
        await world.until(lambda: self._done(world), "all parts")
        await world.quiet()
        await self._once(world, 4)
        assert [letter.handler for letter in await letters(world)] == ["remember_all", "remember_all"]
        assert not any(id_.startswith("buggy-") for id_ in await world.documents("notes", "remembered"))
        world.toy.broken = False
        assert await replayed(world, node) == {"done": 2}
        found = await world.documents("notes", "remembered")
        assert {i: d["times"] for i, d in found.items() if i.startswith("buggy-")} == {
            f"buggy-{n:04d}": 1 for n in range(4)
        }
