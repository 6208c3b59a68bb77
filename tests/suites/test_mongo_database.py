"""The database suite on the real client, over SecantusDB."""

import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from local.database import Database as Server
from shared.flow.ports import Write
from shared.migrations import FLOW_COLLECTIONS, FLOW_INDEXES, migrate
from shared.mongo import MongoDatabase
from tests.suites.database import PLACE, Bench, DatabaseSuite

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]
_numbers = itertools.count()


class MongoBench(Bench):
    def __init__(self, url: str) -> None:
        name = f"suite{next(_numbers)}"
        self.real = MongoDatabase(url, name)
        self.database = self.real
        self.other = self.second = MongoDatabase(url, name)
        self._left: list[Any] = []

    async def leave_open(self, writes: Sequence[Write], session: Any = None) -> bytes:
        session = session or await self.real.open_session()
        session.raw.start_transaction()
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
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    directory: Path = tmp_path_factory.mktemp("database")
    server = Server(directory)
    await server.start()
    yield server
    await server.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(server: Server) -> AsyncIterator[Bench]:
    made = MongoBench(server.address)
    await migrate(made.real, FLOW_INDEXES, {*FLOW_COLLECTIONS, PLACE})
    yield made
    await made.close()


class TestMongoDatabase(DatabaseSuite):
    """The real client keeps the protocol's promises."""
