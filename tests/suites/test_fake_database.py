"""The database suite on the fake."""

from collections.abc import AsyncIterator, Sequence

import pytest

from shared.flow.ports import Write
from tests.fakes.database import FakeDatabase, Server
from tests.suites.database import Bench, DatabaseSuite

pytestmark = pytest.mark.jumping


class FakeBench(Bench):
    def __init__(self) -> None:
        server = Server()
        self.database = FakeDatabase(server)
        self.other = FakeDatabase(server)

    async def leave_open(self, writes: Sequence[Write]) -> bytes:
        session = await self.database.open_session()
        transaction = self.database.server.begin(session.id)
        for write in writes:
            self.database.write(transaction, write)
        return session.id


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    yield FakeBench()


class TestFakeDatabase(DatabaseSuite):
    """The fake keeps the protocol's promises."""
