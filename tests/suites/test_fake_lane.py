"""The lane suite on the fakes."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.world import FakeWorld
from tests.suites.alarms import AlarmSuite
from tests.suites.lane import LaneSuite
from tests.suites.parts import PartSuite
from tests.suites.view import ViewSuite

pytestmark = pytest.mark.jumping


@pytest.fixture(params=range(2))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[FakeWorld]:
    made = FakeWorld(request.param)
    yield made
    await made.close()


class TestFakeLane(LaneSuite, ViewSuite, AlarmSuite, PartSuite):
    """Lanes keep their promises in a world in memory, whatever the seed of its timing."""
