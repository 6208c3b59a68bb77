"""How soon effects flow again after each kind of fault, beside a plain consumer group with the same timeouts."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import pytest
import pytest_asyncio

from local.kafka import in_sync
from local.processes import together, wait_for
from local.stack import Stack, running
from tests.faults.beside import APPENDED, Pair, WayBack, pair
from tests.faults.network import network
from tests.faults.proxy import Proxy
from tests.faults.round import ON_REAL_PARTS, Told
from tests.faults.test_brokers import IN_SYNC
from tests.faults.test_sleepers import SLEEP

pytestmark = ON_REAL_PARTS
MOST = 1.5
"""Times as long as the plain group, at most."""
CHANCE = 0.5
"""Seconds that say nothing: the clients look twice a second for a server that is away, each when its turn comes."""
SINGLE = 3.0
"""And where a fault is made but once, on a machine that does other things: only what is far off is seen then."""
TIMES = 5
LONG, SHORT = 30.0, 4.0
"""Seconds for which something is away, and in `make test`."""
LATE = 0.03


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault happens."""

    both: Pair
    stack: Stack
    proxies: tuple[Proxy, ...] = ()
    """Before broker and database, where there are any."""


Broken = Callable[[], AbstractAsyncContextManager[None]]
"""Measures: its block is the fault, and the way back begins at its end."""
Fault = Callable[[Scene, Broken, float], Awaitable[None]]
"""One fault, once, in which things are away for so many seconds, if it is about that."""


async def service_killed(scene: Scene, broken: Broken, long: float) -> None:
    """Kill -9 of both; both are started again at once."""
    async with broken():
        await together(*(child.kill() for child in scene.both.children))
        for child in scene.both.children:
            child.start()


async def service_away(scene: Scene, broken: Broken, long: float) -> None:
    """The same, and they are away for a while, in which a backlog comes to wait. The way back begins when both are up:
    a service imports more than a script, and how long it takes to start is told by itself."""
    async with broken():
        await together(*(child.kill() for child in scene.both.children))
        await scene.both.feed.moves(long)
        ours, plain = await scene.both.start_again()
    print(f"  up after {ours:.1f} s, the plain group after {plain:.1f} s", flush=True)


async def service_asleep(scene: Scene, broken: Broken, long: float) -> None:
    """SIGSTOP past session and lease, SIGCONT."""
    async with broken():
        await together(*(child.pause() for child in scene.both.children))
        await scene.both.feed.moves(SLEEP)
        for child in scene.both.children:
            child.resume()


async def one_of_two_leaves(scene: Scene, broken: Broken, long: float) -> None:
    """A second process of each takes its share, and is told to end, as in a rolling restart."""
    more = await scene.both.more()
    async with broken():  # each goes at its own pace, and what the others take over meanwhile counts
        leaving = asyncio.create_task(together(*(child.stop() for child in more)))
    await leaving


async def one_of_two_dies(scene: Scene, broken: Broken, long: float) -> None:
    """A second process of each takes its share, and is killed; the other waits for its session to end."""
    more = await scene.both.more()
    async with broken():
        await together(*(child.kill() for child in more))


async def broker_restarted(scene: Scene, broken: Broken, long: float) -> None:
    """Kill -9."""
    async with broken():
        await scene.stack.broker.restart()


async def broker_away(scene: Scene, broken: Broken, long: float) -> None:
    """Kill -9, and a start after a while."""
    async with broken():
        await scene.stack.broker.kill()
        await scene.both.feed.moves(long)
        await scene.stack.broker.start()


async def database_restarted(scene: Scene, broken: Broken, long: float) -> None:
    """Kill -9."""
    async with broken():
        await scene.stack.database.restart()


async def database_away(scene: Scene, broken: Broken, long: float) -> None:
    """Kill -9, and a start after a while."""
    async with broken():
        await scene.stack.database.kill()
        await scene.both.feed.moves(long)
        await scene.stack.database.start()


async def blackhole(scene: Scene, broken: Broken, long: float) -> None:
    """Nothing passes, to and from broker and database."""
    async with broken():
        with ExitStack() as holes:
            for proxy in scene.proxies:
                holes.enter_context(proxy.hole())
            await scene.both.feed.moves(long)


async def resets(scene: Scene, broken: Broken, long: float) -> None:
    """Every connection is cut, to the broker and to the database."""
    async with broken():
        cut = [proxy.reset() for proxy in scene.proxies]
    assert all(cut), "there was no connection"


async def latency(scene: Scene, broken: Broken, long: float) -> None:
    """Both connections are slow and uneven, and then they are not."""
    async with broken():
        for proxy in scene.proxies:
            proxy.late(LATE, LATE)
        await scene.both.feed.moves(SHORT)
        for proxy in scene.proxies:
            proxy.late(0.0)


async def one_of_three_brokers_dies(scene: Scene, broken: Broken, long: float) -> None:
    """Kill -9, and it stays away until others have taken over."""
    await wait_for(lambda: in_sync(scene.stack.kafka), IN_SYNC, "all replicas are in sync", *scene.stack.children)
    one = random.choice(scene.stack.brokers)
    async with broken():
        await one.kill()
    await one.start()


FAULTS: dict[str, Fault] = {
    f.__name__: f
    for f in (
        database_restarted,
        database_away,
        broker_restarted,
        broker_away,
        blackhole,
        resets,
        latency,
        service_killed,
        service_away,
        service_asleep,
        one_of_two_leaves,
        one_of_two_dies,
    )
}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Moderation and a plain group, side by side behind a network that can fail."""
    async with network(APPENDED) as net, pair(net.stack, tmp_path_factory.mktemp("beside"), net.env) as both:
        yield Scene(both, net.stack, (net.kafka, net.mongo))


@pytest_asyncio.fixture(loop_scope="package")
async def three(tmp_path: Path) -> AsyncIterator[Scene]:
    """The same on three brokers."""
    async with running("local", brokers=3, more=APPENDED) as stack, pair(stack, tmp_path) as both:
        yield Scene(both, stack)


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_way_back_is_at_most_half_as_long_again_as_a_plain_groups(
    fault: str, behind: Scene, request: pytest.FixtureRequest, record_property: Told
) -> None:
    """Whatever is broken and mended, what a lane does more than a plain consumer does not keep people waiting."""
    await compared(FAULTS[fault], behind, request.config.getoption("--faults"), record_property)


async def test_the_way_back_where_other_brokers_take_over(
    three: Scene, request: pytest.FixtureRequest, record_property: Told
) -> None:
    """The same, where nothing has to be mended."""
    await compared(one_of_three_brokers_dies, three, request.config.getoption("--faults"), record_property)


async def compared(fault: Fault, scene: Scene, scale: float, told: Told) -> None:
    """Breaks things, a few times or once, and compares the medians."""
    backs: list[WayBack] = []
    for _ in range(max(1, round(TIMES * scale))):
        await fault(scene, partial(scene.both.faulty, backs), LONG if scale else SHORT)
    ours, plain = median(back.ours for back in backs), median(back.plain for back in backs)
    name = fault.__name__
    line = f"{name}, {len(backs)} times: effects flow again after {ours:.2f} s, a plain group's after {plain:.2f} s"
    told("figures", line)
    told("beside", {"fault": name, "times": len(backs), "ours": ours, "plain": plain})
    print(f"  {line}", flush=True)
    assert ours <= MOST * plain + (CHANCE if scale else SINGLE), backs
