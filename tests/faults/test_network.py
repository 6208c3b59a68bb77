"""The connections of the services to broker and database fail, and what runs at both ends does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle

import pytest
import pytest_asyncio

from local.processes import until
from tests.faults.conftest import kept
from tests.faults.deaths import passed
from tests.faults.network import Network, network
from tests.faults.proxy import Way
from tests.faults.round import ON_REAL_PARTS, STALLED, WITHIN, Rounds
from tests.faults.system import System, inhabited, told_by

pytestmark = ON_REAL_PARTS
LATE = 300
"""Accepted commands and records while both connections are slow."""
HOLE = 30.0
SHORT_HOLE = 3.0
STUBBORN = 7
"""Tries of one commit that are lost, at most: more than a lane and its driver make together."""
LOST, FEW_LOST = 200, 5
"""Transactions of which a reply is lost; requests are lost besides."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The four services behind the network, and the crowd before them."""

    network: Network
    system: System


@pytest_asyncio.fixture(scope=kept("module"), loop_scope="package")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Behind]:
    """Its own stack: these services reach it through the proxies alone."""
    async with network() as net, inhabited(net.stack, tmp_path_factory.mktemp("behind"), net.env) as system:
        yield Behind(net, system)


async def test_latency_with_jitter_loses_and_doubles_nothing(behind: Behind, rounds: Rounds) -> None:
    """However slow and uneven both connections are: each accepted command has its effects, each effect once."""
    proxies = (behind.network.kafka, behind.network.mongo)
    async with rounds(behind.system) as round_:
        for _ in round_.times(few=1, full=10):
            for proxy in proxies:
                proxy.late(0.03, 0.03)
            round_.faults += 1
            await round_.loaded(LATE if round_.scale else LATE // 4)
            for proxy in proxies:
                proxy.late(0.0)
        with round_.recovery():
            await round_.flows()


async def test_resets_lose_and_double_nothing(behind: Behind, rounds: Rounds) -> None:
    """Every connection of the services is cut at once, to the broker or to the database or to both."""
    net, rng = behind.network, behind.system.rng
    async with rounds(behind.system) as round_:
        for _ in round_.times(few=3, full=200):
            await round_.sometime(WITHIN // 2)
            cut = [proxy.reset() for proxy in rng.choice([(net.kafka,), (net.mongo,), (net.kafka, net.mongo)])]
            assert all(cut), "there was no connection"
            round_.faults += 1
        with round_.recovery():
            await round_.flows()


def _holes(net: Network) -> list[tuple[Way, ...]]:
    """Each connection by itself, one way or both; and all at once."""
    kafka, mongo = net.kafka, net.mongo
    one_way = [(way,) for proxy in (kafka, mongo) for way in (proxy.up, proxy.down)]
    return [*one_way, (kafka.up, kafka.down), (mongo.up, mongo.down), (kafka.up, kafka.down, mongo.up, mongo.down)]


async def test_blackholes_lose_and_double_nothing(behind: Behind, rounds: Rounds) -> None:
    """What is sent into a hole comes out at its end, when others own the lanes or the sender has begun anew."""
    async with rounds(behind.system) as round_:
        holes = _holes(behind.network)
        behind.system.rng.shuffle(holes)
        for n in round_.times(few=1, full=2 * len(holes)):
            await round_.sometime(WITHIN // 2)
            with ExitStack() as hole:
                for way in holes[n % len(holes)]:
                    hole.enter_context(way.hole())
                await passed(HOLE if round_.scale else SHORT_HOLE)
            round_.faults += 1
            with round_.recovery():
                await round_.flows()


async def test_commits_of_which_nobody_hears_lose_and_double_nothing(behind: Behind, rounds: Rounds) -> None:
    """The reply of a commit is lost, or the request: once, or at every try, so that the lane must find out."""
    system, commits = behind.system, behind.network.commits
    async with rounds(system) as round_:
        before, lost, unknown = commits.unheard, commits.lost, await _unknown(system)
        number, tries = round(LOST * round_.scale) or FEW_LOST, cycle([STUBBORN, 1])
        while commits.unheard < before + number:
            commits.way = system.rng.choice(["down", "down", "up"])
            commits.tries = next(tries)
            commits.losing = system.rng.randint(1, 4)
            async with asyncio.timeout(STALLED):
                await until(lambda: not commits.losing)
            await round_.sometime(WITHIN // 2)
        round_.faults = commits.lost - lost
        with round_.recovery():
            await round_.flows()
        assert await _unknown(system) > unknown, "the driver has settled each by itself"


async def _unknown(system: System) -> float:
    """How many commits lanes have had to ask for."""
    return sum([value for name, value in await told_by(system.services) if 'kind="unknown_commit"' in name])
