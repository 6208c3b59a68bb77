"""Changing stored documents beside the lanes, a page at a time, for the commands of an operator."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from .ports import Conflict, Database, Delete, Json, Write

PAGE = 200
"""Documents in one transaction."""
CONTENDED = 90
"""How often a transaction is tried, a second apart in the end: a dead process's own may be open for a minute."""

Made = Callable[[], Awaitable[Sequence[Write]]]
Writer = Callable[[Made], Awaitable[bool]]


@asynccontextmanager
async def writer(database: Database) -> AsyncIterator[Writer]:
    """Commits what is made, made anew as long as others are first; tells whether there was anything.

    Raises:
        Conflict: others were first for minutes. Transient.
    """
    session = await database.open_session()

    async def write(make: Made) -> bool:
        for tries in range(CONTENDED):
            writes = await make()
            try:
                if writes:
                    await database.transact(session, writes)
                return bool(writes)
            except Conflict:
                # An api lane, or the last step of an owner that does not know yet that it was fenced.
                await asyncio.sleep(min(0.02 * 2**tries, 1.0))
        raise Conflict("contended")

    try:
        yield write
    finally:
        await session.close()


async def emptied(database: Database, write: Writer, collection: str, where: Json | None = None) -> None:
    """Delete all documents that match."""

    async def make() -> list[Write]:
        found = await database.find(collection, where or {}, fields=("_id",), limit=PAGE)
        return [Delete(collection, {"_id": {"$in": [stored["_id"] for stored in found]}})] if found else []

    while await write(make):
        pass


async def pages(database: Database, collection: str, where: Json | None = None) -> AsyncIterator[list[Json]]:
    """All documents that match, in the order of their ids, some hundreds at a time."""
    after = ""
    while True:
        rest: Json = {"_id": {"$gt": after}, **(where or {})}
        found = await database.find(collection, rest, sort=[("_id", 1)], limit=PAGE)
        if found:
            yield found
            after = found[-1]["_id"]
        if len(found) < PAGE or "_id" in (where or {}):
            return
