"""How soon effects flow again after each kind of fault, beside a plain consumer group with the same timeouts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from statistics import median

import pytest
import pytest_asyncio

from local.processes import together
from tests.faults.beside import APPENDED, Pair, WayBack, pair
from tests.faults.network import network
from tests.faults.round import ON_REAL_PARTS, Told

pytestmark = ON_REAL_PARTS
MOST = 1.5
"""Times as long as the plain group, at most."""
CHANCE = 0.5
"""Seconds that say nothing: the clients look twice a second for a server that is away, each when its turn comes."""
SINGLE = 3.0
"""And where a fault is made but once, on a machine that does other things: only what is far off is seen then."""
TIMES = 5
HOLE, SHORT_HOLE = 30.0, 4.0

Fault = Callable[[Pair, float], Awaitable[None]]


async def service_killed(both: Pair, scale: float) -> None:
    """Both die and are started again at once."""
    await together(*(child.kill() for child in both.children))
    for child in both.children:
        child.start()


async def broker_restarted(both: Pair, scale: float) -> None:
    """Kill -9."""
    await both.network.stack.broker.restart()


async def database_restarted(both: Pair, scale: float) -> None:
    """Kill -9."""
    await both.network.stack.database.restart()


async def blackhole(both: Pair, scale: float) -> None:
    """Nothing passes, to and from broker and database."""
    with both.network.kafka.hole(), both.network.mongo.hole():
        await both.feed.moves(HOLE if scale else SHORT_HOLE)


FAULTS: dict[str, Fault] = {f.__name__: f for f in (database_restarted, broker_restarted, blackhole, service_killed)}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Moderation and a plain group, side by side."""
    async with network(APPENDED) as net, pair(net, tmp_path_factory.mktemp("beside")) as made:
        yield made


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_way_back_is_at_most_half_as_long_again_as_a_plain_groups(
    fault: str, both: Pair, request: pytest.FixtureRequest, record_property: Told
) -> None:
    """Whatever is broken and mended, what a lane does more than a plain consumer does not keep people waiting."""
    scale: float = request.config.getoption("--faults")
    backs: list[WayBack] = []
    for _ in range(max(1, round(TIMES * scale))):
        async with both.faulty(backs):
            await FAULTS[fault](both, scale)
    ours, plain = median(back.ours for back in backs), median(back.plain for back in backs)
    line = f"{fault}, {len(backs)} times: effects flow again after {ours:.2f} s, a plain group's after {plain:.2f} s"
    record_property("figures", line)
    record_property("beside", {"fault": fault, "times": len(backs), "ours": ours, "plain": plain})
    print(f"  {line}", flush=True)
    assert ours <= MOST * plain + (CHANCE if scale else SINGLE), backs
