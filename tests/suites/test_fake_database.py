"""The database suite on the fake."""

from collections.abc import Sequence

import pytest

from shared.flow.ports import Insert, Json, Session, Write
from tests.fakes.database import FakeDatabase, Server
from tests.suites.database import PLACE, Bench, DatabaseSuite

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


@pytest.mark.parametrize("where", [{"$nor": [{"n": 1}]}, {"$and": []}, {"n": {"$regex": "a"}}, {"n": {"$size": 1}}])
async def test_a_filter_outside_the_subset_is_an_error(bench: FakeBench, where: Json) -> None:
    """The fake never silently finds nothing, or everything, where MongoDB would know what is asked."""
    await bench.write(Insert(PLACE, {"_id": "a", "n": 1}))
    with pytest.raises(KeyError):
        await bench.fake.find(PLACE, where)


async def test_an_update_outside_the_subset_is_an_error(bench: FakeBench) -> None:
    """Neither is an update passed over."""
    await bench.write(Insert(PLACE, {"_id": "a", "n": 1}))
    with pytest.raises(KeyError):
        await bench.fake.modify(PLACE, {"_id": "a"}, {"$max": {"n": 2}})
