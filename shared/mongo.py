"""The one place that builds a MongoDB client and knows the driver: motor, or pymongo's own asynchronous client.

Majority writes with the journal, majority reads from the primary, UTC datetimes; faults by ``shared.mongo_faults``.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from datetime import UTC
from typing import Any, Literal

import pymongo
import pymongo.errors as driver
import structlog
from bson import Binary
from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, MongoClient, ReadPreference
from pymongo.read_concern import ReadConcern
from pymongo.uri_parser import split_options
from pymongo.write_concern import WriteConcern

from shared.flow.ports import Conflict, Delete, Fence, Fenced, Json, Replace, UnknownCommit, Upsert, Write
from shared.mongo_faults import DUPLICATE, forgotten, reached, translated
from shared.mongo_writes import at_once, groups, operation

log = structlog.get_logger()

MODIFY_MS = 2_000
"""Time limit of a find-and-modify: a claim must not hang on a dead owner's transaction."""
FEW = 64
"""Writes to one collection, at most, that go in one request with those to others: a request costs more than they do. Of
more, a server takes those of one collection faster."""
MongoDriver = Literal["motor", "pymongo"]
_CLIENTS: dict[MongoDriver, Any] = {"motor": AsyncIOMotorClient, "pymongo": AsyncMongoClient}


def checked(url: str) -> str:
    """The URL, if the driver takes it. Raises ValueError with no word of the URL, which may hold a password."""
    try:
        if options := url.partition("?")[2]:
            split_options(options)  # of an option that it does not know a client would only warn
        MongoClient(url, connect=False)  # a name is looked up later, when it is waited for
    except (driver.PyMongoError, ValueError, OSError) as error:
        raise ValueError(f"no URL of MongoDB that the driver takes: {type(error).__name__}") from None
    return url


class MongoSession:
    """A driver session with its id, as it stands in control documents."""

    def __init__(self, session: Any) -> None:
        self.raw = session

    @property
    def id(self) -> bytes:
        """The logical session id."""
        return bytes(self.raw.session_id["id"])

    async def begin(self) -> None:
        """Start a transaction: it stays once committed. It only writes, and where a document is no longer what was read
        before, it finds that: no concern for its own reads could tell it more."""
        await _settled(self.raw.start_transaction(write_concern=WriteConcern("majority", j=True)))

    async def close(self) -> None:
        """End it; a server that is away ends it by itself later."""
        await self.raw.end_session()


class MongoDatabase:
    """``shared.flow.ports.Database``. ``at`` is told the steps inside a transaction (tests crash there)."""

    few = FEW

    def __init__(
        self, url: str, name: str, at: Callable[[str], None] = lambda label: None, *, by: MongoDriver = "motor"
    ) -> None:
        self._client: Any = _CLIENTS[by](
            url,
            tz_aware=True,
            tzinfo=UTC,
            serverSelectionTimeoutMS=3_000,
            connectTimeoutMS=3_000,
            socketTimeoutMS=20_000,
            retryWrites=False,
            maxPoolSize=64,
            appname=name,
        )
        self._database: Any = self._client.get_database(
            name,
            codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", j=True),
        )
        self._at = at

    @property
    def raw(self) -> Any:
        """The driver's database, for migrations."""
        return self._database

    async def close(self) -> None:
        """Drop the connections."""
        await _settled(self._client.close())

    async def ping(self) -> None:
        """Raises Transient when the server does not answer."""
        await reached(self._client.admin.command("ping"))

    async def load(self, collection: str, ids: Collection[str]) -> list[Json]:
        """Documents by ``_id``: one query."""
        wanted: Json = {"_id": {"$in": list(ids)}}
        # A server sends a hundred at first; only with fewer than were asked for it need not be asked for more.
        cursor = self._database[collection].find(wanted, batch_size=len(ids) + 1)
        found: list[Json] = await reached(cursor.to_list(None))
        return found

    async def find(
        self,
        collection: str,
        where: Json,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        fields: Collection[str] = (),
    ) -> list[Json]:
        """Documents that match."""
        # All of so many at once, as in `load`; without a limit the server divides them as it likes.
        once = limit + 1 if limit else 0
        cursor = self._database[collection].find(
            where, list(fields) or None, sort=list(sort) or None, limit=limit, batch_size=once
        )
        found: list[Json] = await reached(cursor.to_list(None))
        return found

    async def pages(self, collection: str, size: int) -> AsyncGenerator[list[Json], None]:
        """All documents by their ids. One cursor, and not a question for each page, which not every server answers
        without looking through all that is left."""
        cursor = self._database[collection].find({}, sort=[("_id", pymongo.ASCENDING)], batch_size=size)
        try:
            while page := await reached(cursor.to_list(size)):
                yield page
        finally:
            await reached(_settled(cursor.close()))

    async def modify(self, collection: str, where: Json, change: Json, *, upsert: bool = False) -> Json | None:
        """Find one and modify it; returns it as it was before."""
        found: Json | None = await reached(
            self._database[collection].find_one_and_update(where, change, upsert=upsert, maxTimeMS=MODIFY_MS)
        )
        return found

    async def open_session(self) -> MongoSession:
        """A session for a lane. Not causally consistent: a lane reads outside of it."""
        return MongoSession(await reached(_settled(self._client.start_session(causal_consistency=False))))

    async def kill_session(self, id_: bytes) -> None:
        """Abort what a dead or former owner has open."""
        await reached(self._client.admin.command("killSessions", [{"id": Binary(id_, subtype=4)}]))

    async def transact(self, session: Any, writes: Sequence[Write]) -> None:
        """One transaction; see the protocol."""
        raw = session.raw
        try:
            await session.begin()
            many = Counter(write.collection for write in writes)
            if few := [write for write in writes if many[write.collection] <= self.few]:
                await self._write_few(raw, few)
            for collection, group in groups(write for write in writes if many[write.collection] > self.few):
                await self._write(raw, collection, group)
            self._at("commit:written")
        except BaseException as error:
            await _abort(raw)
            ours = translated(error)
            if ours is error:
                raise
            raise ours from error
        await self._finish(raw)
        self._at("commit:sent")

    async def _write_few(self, session: Any, writes: Sequence[Write]) -> None:
        """To several collections in one request, which ends at the first that fails: a lane that is lost locks nothing
        more, for nobody would find its session."""
        reply = await self._client.admin.command(at_once(self._database.name, writes), session=session)
        for write, told in zip(writes, reply["cursor"]["firstBatch"], strict=True):
            fence, must = isinstance(write, Fence), not isinstance(write, Delete) or write.must
            if fence and ("upserted" in told or told.get("code") == DUPLICATE):
                raise Fenced(write.collection)
            if not told["ok"]:
                raise driver.WriteError("refused", told["code"], told)
            if must and not told["n"]:
                raise Conflict(write.collection)

    async def _write(self, session: Any, collection: str, group: Sequence[Write]) -> None:
        result = await self._database[collection].bulk_write(
            [operation(w) for w in group], ordered=True, session=session
        )
        matched = sum(isinstance(w, Replace | Fence) for w in group)
        upserts = sum(isinstance(w, Upsert) for w in group)
        if result.matched_count + result.upserted_count < matched + upserts:
            raise Fenced(collection) if any(isinstance(w, Fence) for w in group) else Conflict(collection)
        if result.deleted_count < sum(isinstance(w, Delete) and w.must for w in group):
            raise Conflict(collection)

    async def _finish(self, session: Any) -> None:
        asked = False
        for wait in (0.1, 0.1, 0.0):
            try:
                await session.commit_transaction()
                return
            except driver.PyMongoError as error:
                unknown = error.has_error_label("UnknownTransactionCommitResult") or isinstance(
                    error, driver.ConnectionFailure
                )
                if not unknown and not asked and not forgotten(error):
                    raise translated(error) from error
                # From here on an error tells of this attempt only: an earlier one may have been applied, and
                # a server that was restarted in between no longer knows the transaction.
                asked = True
                if not unknown or not wait:
                    raise UnknownCommit from error
                await asyncio.sleep(wait)


async def _abort(session: Any) -> None:
    """Best effort: what cannot be aborted now ends when the session is killed or its time is over."""
    try:
        if session.in_transaction:
            await session.abort_transaction()
    except driver.PyMongoError as error:
        log.warning("abort_failed", error=type(error).__name__)


async def _settled(answer: Any) -> Any:
    """What the drivers give in two ways: one at once, the other as something to await."""
    return await answer if inspect.isawaitable(answer) else answer
