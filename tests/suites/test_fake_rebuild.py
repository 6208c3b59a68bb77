"""The suites of what an operator does to a service's data, on the fakes."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.world import FakeWorld
from tests.suites.erase import EraseSuite
from tests.suites.rebuild import RebuildSuite
from tests.suites.states import StatesSuite

pytestmark = pytest.mark.jumping


@pytest.fixture(params=range(4))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[FakeWorld]:
    made = FakeWorld(request.param)
    yield made
    await made.close()


class TestFakeRebuild(RebuildSuite):
    """A rebuild keeps its promises in a world in memory, whatever the seed of its timing."""


class TestFakeErase(EraseSuite):
    """So does an erasure."""


class TestFakeStates(StatesSuite):
    """So does what is told again."""
