"""What fault tests are given: a system that runs, and rounds on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal

import pytest
import pytest_asyncio

from local.stack import running
from tests.faults.round import Round, Rounds, Told, play
from tests.faults.system import System, inhabited

Among = Literal["function", "module", "package"]


def kept(among: Among) -> Callable[[str, pytest.Config], Among]:
    """The scope of a system. Short rounds share one, and so its start; long ones would fill it with what the next have
    to audit."""
    return lambda fixture_name, config: "function" if config.getoption("--faults") else among


@pytest_asyncio.fixture(scope=kept("package"), loop_scope="package")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Apache Kafka, a database on disk, four services, a crowd: what one round breaks, the next finds whole."""
    async with running("local") as stack, inhabited(stack, tmp_path_factory.mktemp("services")) as made:
        yield made


@pytest.fixture
def rounds(request: pytest.FixtureRequest, record_property: Told) -> Rounds:
    """`async with rounds(system) as round:` plays one, and judges it at its end."""
    scale: float = request.config.getoption("--faults")

    def made(system: System) -> AbstractAsyncContextManager[Round]:
        return play(system, request.node.name.removeprefix("test_"), scale, record_property)

    return made
