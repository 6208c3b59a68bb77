"""The suites of what an operator does to a service's data, on the fakes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.errors import Transient
from shared.flow.rebuild import progress, rebuild
from shared.ops import watch
from tests.fakes.world import FakeWorld
from tests.suites.erase import SECRET, EraseSuite, erased, kept_letters, spoken
from tests.suites.lane import letters
from tests.suites.rebuild import KINDS, RebuildSuite, history
from tests.suites.states import StatesSuite
from tests.suites.toy import comment

pytestmark = pytest.mark.jumping


@pytest.fixture(params=range(4))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[FakeWorld]:
    made = FakeWorld(request.param)
    yield made
    await made.close()


class TestFakeRebuild(RebuildSuite):
    """A rebuild keeps its promises in a world in memory, whatever the seed of its timing."""


async def test_who_watches_a_rebuild_waits_for_the_database(world: FakeWorld) -> None:
    """The lanes fold without the command: a database that is away meanwhile does not make it begin anew."""
    notes = await world.start("notes")
    await history(world, notes)
    await rebuild(notes.runtime, KINDS["notes"])
    assert await progress(world.database("notes"))
    world.servers["notes"].away = True
    watching = asyncio.create_task(watch(world.database("notes")))
    await asyncio.sleep(10.0)
    assert not watching.done()
    world.servers["notes"].away = False
    await watching
    assert not await progress(world.database("notes"))


class TestFakeErase(EraseSuite):
    """So does an erasure."""

    async def test_a_letter_that_comes_when_the_broker_is_back_is_found(self, world: FakeWorld) -> None:
        """It was away for minutes, the first run ended; a former owner's client sends when the second has looked."""
        node = await world.start("notes")
        await world.quiet()
        node.publisher.delay = lambda: 320.0  # type: ignore[method-assign]
        node.publisher.faults.extend(["late", *["lost"] * 100_000])  # type: ignore[list-item]
        await world.put(comment("n1", "refused", SECRET))
        await world.until(lambda: bool(node.publisher.late), "it is on its way")
        world.broker.away = True
        with pytest.raises(Transient):
            await erased(world)
        await asyncio.sleep(310.0)
        world.broker.away = False
        assert node.publisher.late, "it is still on its way"
        await erased(world)
        assert not node.publisher.late, "it has come"
        assert spoken(await letters(world))
        assert not spoken(await kept_letters(world))


class TestFakeStates(StatesSuite):
    """So does what is told again."""
