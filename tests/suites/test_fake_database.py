"""The database suite on the fake."""

from collections.abc import Sequence

import pytest

from shared.flow.ports import Session, Write
from tests.fakes.database import FakeDatabase, Server
from tests.suites.database import Bench, DatabaseSuite

pytestmark = pytest.mark.jumping


class FakeBench(Bench):
    def __init__(self) -> None:
        self.server = Server()
        self.fake = FakeDatabase(self.server)
        self.database = self.fake
        self.other = FakeDatabase(self.server)

    async def leave_open(self, writes: Sequence[Write], session: Session | None = None) -> bytes:
        session = session or await self.fake.open_session()
        transaction = self.server.begin(session.id)
        for write in writes:
            self.fake.write(transaction, write)
        return session.id


@pytest.fixture
async def bench() -> Bench:
    return FakeBench()


class TestFakeDatabase(DatabaseSuite):
    """The fake keeps the protocol's promises."""
