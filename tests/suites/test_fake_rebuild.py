"""The suites of what an operator does to a service's data, on the fakes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.flow.rebuild import progress, rebuild
from shared.ops import watch
from tests.fakes.world import FakeWorld
from tests.suites.erase import EraseSuite
from tests.suites.rebuild import KINDS, RebuildSuite, history
from tests.suites.states import StatesSuite

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


class TestFakeStates(StatesSuite):
    """So does what is told again."""
