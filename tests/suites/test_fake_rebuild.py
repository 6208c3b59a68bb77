"""The rebuild suite on the fakes."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.world import FakeWorld
from tests.suites.rebuild import RebuildSuite

pytestmark = pytest.mark.jumping


@pytest.fixture(params=range(4))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[FakeWorld]:
    made = FakeWorld(request.param)
    yield made
    await made.close()


class TestFakeRebuild(RebuildSuite):
    """A rebuild keeps its promises in a world in memory, whatever the seed of its timing."""
