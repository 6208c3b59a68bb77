"""Servers that die under load or have no room: one of three brokers, all of them at once, the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from local.disk import Disk, disk, missing
from local.kafka import in_sync
from local.places import workspace
from local.processes import until, wait_for
from local.stack import asleep, awake
from local.texts import POSTS
from tests.faults.conftest import kept
from tests.faults.deaths import passed
from tests.faults.round import ON_REAL_PARTS, STALLED, Round, Rounds
from tests.faults.system import System, inhabited

pytestmark = ON_REAL_PARTS
PATIENT = 240.0
"""Seconds that a caller goes on asking: longer than all brokers are away."""
IN_SYNC = 60.0
FULL = 120.0
AWAY = 60.0
AWAY_SHORT = 8.0
LEFT, LITTLE = 0.5, 0.1
"""MB that are left of a disk when it gets narrow: a moment's load, and that of `make test`."""
SOON = 60.0
STANDS = 5.0
TAKEN = 20
"""Commands, at least, that are still accepted when the last broker has gone."""
LONG = POSTS[0].body() | {"text": "A long walk along the river. " * 680}
"""A note of 20,000 characters: some fifty of them fill an outbox."""
needs_disk = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@dataclass(frozen=True, slots=True)
class Three:
    """The whole system on three brokers. The first of them and the database have disks of their own, where one can be
    mounted."""

    system: System
    broker: Disk | None
    database: Disk | None


@pytest_asyncio.fixture(scope=kept("module"), loop_scope="package")
async def three(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Three]:
    """What one round breaks, the next finds whole."""
    services = tmp_path_factory.mktemp("services")
    async with workspace() as directory:
        with ExitStack() as disks:
            places = () if missing() else (directory / "broker" / "kafka-1", directory / "database")
            made: list[Disk | None] = [disks.enter_context(disk(place)) for place in places] or [None, None]
            stack = asleep("local", "three brokers", directory, brokers=3)
            async with awake(stack), inhabited(stack, services, patience=PATIENT) as system:
                yield Three(system, *made)


async def test_kill_9_of_brokers_one_after_the_other(three: Three, rounds: Rounds) -> None:
    """Whichever broker dies, the other two take all that is said; nothing acknowledged is lost, nothing is doubled."""
    system, stack = three.system, three.system.stack
    async with rounds(system) as round_:
        first = system.rng.randrange(len(stack.brokers))
        for n in round_.times(1, 30):
            await wait_for(lambda: in_sync(stack.kafka), IN_SYNC, "all replicas are in sync", *stack.children)
            await round_.sometime()
            broker = stack.brokers[(first + n) % len(stack.brokers)]
            with round_.recovery():
                await broker.kill()
                await round_.flows()
            round_.faults += 1
            await broker.start()


@needs_disk
async def test_the_disk_of_a_broker_is_full(three: Three, rounds: Rounds) -> None:
    """The broker dies, the others take all that is said; with room again it comes back and catches up."""
    assert three.broker
    system, stack, broker = three.system, three.system.stack, three.system.stack.brokers[0]
    async with rounds(system) as round_:
        for _ in round_.times(1, 5):
            await wait_for(lambda: in_sync(stack.kafka), IN_SYNC, "all replicas are in sync", *stack.children)
            await round_.sometime()
            three.broker.leave(LEFT if round_.scale else LITTLE)
            async with asyncio.timeout(SOON):
                await until(lambda: broker.children[0].died)
            with round_.recovery():
                await round_.flows()
            round_.faults += 1
            three.broker.leave()
            await broker.start()


@needs_disk
async def test_the_disk_of_the_database_is_full(three: Three, rounds: Rounds) -> None:
    """Callers are told to come again and no input dies of it; with room, and a server that was started anew, all that
    was taken has its effects."""
    assert three.database
    system = three.system
    async with rounds(system) as round_:
        for _ in round_.times(1, 10):
            await round_.sometime()
            three.database.leave(LEFT if round_.scale else LITTLE)
            await refused(system, 5)
            await passed(STANDS)
            three.database.leave()
            with round_.recovery():
                await system.stack.database.restart()
                await round_.flows()
            round_.faults += 1


async def test_all_brokers_away(three: Three, rounds: Rounds) -> None:
    """The APIs take writes until the outbox is full, then answer 503 and say when to come again; the services live on,
    not ready, and when the brokers are back all that was taken is sent, once."""
    system = three.system
    async with rounds(system) as round_:
        for _ in round_.times(1, 3):
            await round_.sometime()
            await away(round_, AWAY if round_.scale else AWAY_SHORT)
            round_.faults += 1


async def refused(system: System, times: int) -> None:
    """Returns when callers have been told so often to come again. TimeoutError when they are not."""
    enough = system.journal.waits + times
    async with asyncio.timeout(STALLED):
        await until(lambda: system.journal.waits >= enough)


async def away(round_: Round, seconds: float) -> None:
    """All brokers are killed, and started after so many seconds or when the outbox is full, whichever comes later."""
    system, notes = round_.system, round_.system["notes"]
    clock = asyncio.get_running_loop().time
    began = clock()
    await system.stack.broker.kill()
    before = system.journal.commands.total()
    enough = asyncio.Event()
    filling = asyncio.create_task(fill(system, enough))
    async with httpx.AsyncClient(base_url=notes.url, timeout=FULL) as http:
        answer = await full(http, system)
        assert system.journal.commands.total() - before >= TAKEN
        assert int(answer.headers["Retry-After"]) > 0
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        assert "the broker does not answer" in ready.text
        await passed(max(0.0, began + seconds - clock()))
        assert (await asked(http, system)).status_code == 503
        for service in system.services:
            assert [(await http.get(f"{service.url}{path}")).status_code for path in ("/livez", "/readyz")] == [
                200,
                503,
            ]
    with round_.recovery():
        await system.stack.broker.start()
        await round_.flows()
    enough.set()
    await filling


async def fill(system: System, enough: asyncio.Event) -> None:
    """Somebody writes one long note after the other; when the outbox is full they come again and again."""
    while not enough.is_set():
        await system.client.note("chatterbox", LONG)


async def full(http: httpx.AsyncClient, system: System) -> httpx.Response:
    """The first answer that a command is not taken."""
    async with asyncio.timeout(FULL):
        while (answer := await asked(http, system)).status_code != 503:
            assert answer.status_code == 404
            await passed(0.1)
    return answer


async def asked(http: httpx.AsyncClient, system: System) -> httpx.Response:
    """A command that changes nothing: nobody can take the advice of a comment that is not there."""
    headers = {"Authorization": f"Bearer {system.world.issuer.token('somebody')}"}
    return await http.post("/v1/comments/nowhere/advice", headers=headers)
