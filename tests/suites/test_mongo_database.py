"""The database suite on the real client with either driver, over SecantusDB or the server of `--mongo`."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import pytest_asyncio
from pymongo import monitoring

from local.database import Database as Server
from local.places import free_port
from shared.errors import Transient
from shared.flow.ports import Insert, Write
from shared.migrations import FLOW_COLLECTIONS, FLOW_INDEXES, LONG_AGO, Index, migrate
from shared.mongo import FEW, MongoDatabase, MongoDriver
from tests.bench.peers.trips import Commands
from tests.suites.database import PLACE, Bench, DatabaseSuite

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]
_numbers = itertools.count()


class MongoBench(Bench):
    def __init__(self, url: str, driver: MongoDriver, few: int = FEW) -> None:
        name = f"suite{next(_numbers)}"
        self.real = MongoDatabase(url, name, by=driver)
        self.database = self.real
        self.other = self.second = MongoDatabase(url, name, by=driver)
        self.real.few = self.second.few = few
        self._left: list[Any] = []

    async def leave_open(self, writes: Sequence[Write], session: Any = None) -> bytes:
        session = session or await self.real.open_session()
        await session.begin()
        for write in writes:
            await self.real._write(session.raw, write.collection, [write])
        self._left.append(session)  # or the driver would end it when it is collected
        return bytes(session.id)

    async def close(self) -> None:
        for session in self._left:
            await session.close()
        await self.real.close()
        await self.second.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> AsyncIterator[str]:
    if told := pytestconfig.getoption("mongo"):
        yield told
        return
    directory: Path = tmp_path_factory.mktemp("database")
    server = Server(directory)
    await server.start()
    yield server.address
    await server.kill()


@pytest_asyncio.fixture(loop_scope="module", params=[("motor", FEW), ("pymongo", FEW), ("motor", 0)], ids=str)
async def bench(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """With either driver, and where each collection has a request of its own."""
    made = MongoBench(url, *request.param)
    await migrate(made.real, FLOW_INDEXES, {*FLOW_COLLECTIONS, PLACE})
    yield made
    await made.close()


@pytest.mark.parametrize("driver", get_args(MongoDriver))
async def test_a_server_that_is_away_is_transient(driver: MongoDriver) -> None:
    """Reads, commands and transactions say that it is worth trying again, and the client can be closed."""
    database = MongoDatabase(f"mongodb://127.0.0.1:{free_port()}/?directConnection=true", "away", by=driver)

    async def transaction() -> None:
        await database.transact(await database.open_session(), [Insert(PLACE, {"_id": "a"})])

    asked = database.ping(), database.load(PLACE, ["a"]), transaction()
    assert [type(told) for told in await asyncio.gather(*asked, return_exceptions=True)] == [Transient] * 3
    await database.close()


async def test_an_index_of_times_leaves_out_what_has_none(url: str) -> None:
    """Made in place of a whole one it holds the documents with a time alone, and who asks for a time finds them."""
    database, keys = MongoDatabase(url, f"suite{next(_numbers)}"), (("since", 1), ("_id", 1))
    await migrate(database, [Index(PLACE, keys)], {PLACE})
    times = [LONG_AGO + timedelta(days=n) for n in range(3)]
    await database.raw[PLACE].insert_many([{"_id": f"t{n}", "since": at} for n, at in enumerate(times)])
    await database.raw[PLACE].insert_many([{"_id": "none", "since": None}, {"_id": "nothing"}])
    await migrate(database, [Index(PLACE, keys, timed=True)], {PLACE})
    made = [i for i in (await database.raw[PLACE].index_information()).values() if list(i["key"]) == list(keys)]
    assert [i["partialFilterExpression"]["since"]["$gte"].replace(tzinfo=UTC) for i in made] == [LONG_AGO]
    found = await database.find(PLACE, {"since": {"$gte": times[0]}}, sort=list(keys))
    assert [document["_id"] for document in found] == ["t0", "t1", "t2"]
    await database.close()


@pytest.mark.parametrize("driver", get_args(MongoDriver))
async def test_a_load_is_one_request(url: str, driver: MongoDriver) -> None:
    """However many documents there are: none of them is asked for apart."""
    sent = Counter[str]()
    monitoring.register(Commands(sent))  # of all clients made from here on
    database = MongoDatabase(url, f"suite{next(_numbers)}", by=driver)
    ids = [str(number) for number in range(300)]
    await database.raw[PLACE].insert_many([{"_id": id_} for id_ in ids])
    sent.clear()
    assert len(await database.load(PLACE, ids)) == len(ids)
    assert sent == {"mongo find": 1}
    await database.close()


class TestMongoDatabase(DatabaseSuite):
    """The real client keeps the protocol's promises, whichever driver it uses."""
