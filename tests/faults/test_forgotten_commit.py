"""A database that dies between a commit and its reply."""

import asyncio
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest

from local.database import Database
from local.processes import until
from shared.flow.ports import Insert, UnknownCommit
from shared.mongo import MongoDatabase, MongoDriver
from tests.faults.proxy import Commits, Proxy

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="package")]
LATE = 0.3
"""Seconds that the driver's second try is on its way; meanwhile the way is closed until the server is back."""


@pytest.mark.parametrize("driver", get_args(MongoDriver))
async def test_a_commit_that_the_restarted_server_does_not_know_is_unknown(driver: MongoDriver, tmp_path: Path) -> None:
    """The driver asks again, by itself, a server that has forgotten: what is done is never called undone."""
    server, commits = Database(tmp_path), Commits()
    await server.start()
    try:
        async with Proxy(urlsplit(server.address).port or 0, tap=commits.tap) as proxy:
            database = MongoDatabase(f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true", "x", by=driver)
            await database.raw.create_collection("things")
            session = await database.open_session()
            commits.losing = 1
            proxy.late(LATE)
            committing = asyncio.create_task(database.transact(session, [Insert("things", {"_id": "a", "v": 1})]))
            async with asyncio.timeout(20.0):
                await until(lambda: commits.lost == 1, every=0.003)
            with proxy.hole():
                proxy.late(0.0)
                await server.restart()
            with pytest.raises(UnknownCommit):
                await committing
            assert [found["_id"] for found in await database.load("things", ["a"])] == ["a"]
            await database.close()
    finally:
        await server.kill()
