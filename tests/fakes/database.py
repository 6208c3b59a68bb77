"""An in-memory MongoDB, as far as ``shared.flow.ports.Database`` asks for one.

Documents are kept as BSON, so what comes back is what the real one returns. Transactions are as MongoDB's:
a snapshot at the first operation, locks on what is written, a conflict at once for the later writer.
"""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any

from bson import decode, encode
from bson.codec_options import CodecOptions

from shared.errors import Transient
from shared.flow.ports import Conflict, Delete, Fence, Fenced, Insert, Json, Replace, Upsert, Write
from tests.fakes.query import changed, matches, order, seeded

OPTIONS: CodecOptions[Json] = CodecOptions(tz_aware=True, tzinfo=UTC)
LOCK_WAIT = 2.0
LIFETIME = 60.0
"""Seconds after which the server aborts a transaction that nobody ends, as MongoDB does."""

Place = tuple[str, str]


class Transaction:
    """What one session has open: its snapshot, its own writes, the documents it has locked."""

    def __init__(self, snapshot: int) -> None:
        self.snapshot = snapshot
        self.written: dict[Place, bytes | None] = {}
        self.ended = False


class Server:
    """The state that all clients share. ``commits`` counts writes; a document remembers the last of its own."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, bytes]] = {}
        self.changed_at: dict[Place, int] = {}
        self.commits = 0
        self.open: dict[bytes, Transaction] = {}
        self.locks: dict[Place, Transaction] = {}
        self.freed = asyncio.Event()
        self.away = False
        self._sessions = 0

    def new_session(self) -> bytes:
        self._sessions += 1
        return self._sessions.to_bytes(16, "big")

    def read(self, place: Place) -> Json | None:
        stored = self.documents.get(place[0], {}).get(place[1])
        return None if stored is None else decode(stored, OPTIONS)

    def look(self, place: Place) -> Json | None:
        """What is stored, not to be changed."""
        stored = self.documents.get(place[0], {}).get(place[1])
        return None if stored is None else parsed(stored)

    def dump(self, collection: str) -> dict[str, Json]:
        """All documents of a collection, for assertions."""
        return {i: decode(d, OPTIONS) for i, d in sorted(self.documents.get(collection, {}).items())}

    def backup(self) -> dict[str, dict[str, bytes]]:
        """All collections as they stand, from one moment."""
        return {name: dict(documents) for name, documents in self.documents.items()}

    def restore(self, backup: Mapping[str, Mapping[str, bytes]]) -> None:
        """Be as a backup was; what is open is aborted."""
        for transaction in list(self.open.values()):
            self.end(transaction)
        self.documents = {name: dict(documents) for name, documents in backup.items()}
        self.commits += 1
        self.changed_at = {(name, id_): self.commits for name, documents in backup.items() for id_ in documents}

    def store(self, written: Mapping[Place, bytes | None]) -> None:
        self.commits += 1
        for place, content in written.items():
            collection = self.documents.setdefault(place[0], {})
            if content is None:
                collection.pop(place[1], None)
            else:
                collection[place[1]] = content
            self.changed_at[place] = self.commits

    def begin(self, session: bytes) -> Transaction:
        transaction = self.open[session] = Transaction(self.commits)
        # In a context of its own: what the server does, it does also while the client stands still.
        asyncio.get_running_loop().call_later(LIFETIME, self.end, transaction, context=contextvars.Context())
        return transaction

    def end(self, transaction: Transaction) -> None:
        """Commit has been done or nothing is left to do: free the locks."""
        if transaction.ended:
            return
        transaction.ended = True
        self.open = {s: t for s, t in self.open.items() if t is not transaction}
        self.locks = {p: t for p, t in self.locks.items() if t is not transaction}
        freed, self.freed = self.freed, asyncio.Event()
        freed.set()

    def lock(self, transaction: Transaction, place: Place) -> None:
        """Raises Conflict when another transaction has written it, or writes it now."""
        holder = self.locks.get(place)
        if holder not in (None, transaction) or self.changed_at.get(place, 0) > transaction.snapshot:
            raise Conflict(place[0])
        self.locks[place] = transaction


class FakeSession:
    """A session of one client."""

    def __init__(self, client: "FakeDatabase", id_: bytes) -> None:
        self._client = client
        self._id = id_

    @property
    def id(self) -> bytes:
        return self._id

    async def close(self) -> None:
        """Ends what is open, unless the process is dead: a closed connection does not end a transaction."""
        transaction = self._client.server.open.get(self._id)
        if transaction is not None and not self._client.dead:
            self._client.server.end(transaction)


class FakeDatabase:
    """One process's client. Once ``dead`` is set nothing that the process still does has an effect."""

    def __init__(self, server: Server, at: Callable[[str], None] = lambda label: None) -> None:
        self.server = server
        self.dead = False
        self.at = at

    async def load(self, collection: str, ids: Collection[str]) -> list[Json]:
        await self._reach()
        found = [self.server.read((collection, id_)) for id_ in sorted(set(ids))]
        return [document for document in found if document is not None]

    async def find(
        self,
        collection: str,
        where: Json,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        fields: Collection[str] = (),
    ) -> list[Json]:
        await self._reach()
        where = _bson(where)
        stored = self.server.documents.get(collection, {})
        found = order([d for content in stored.values() if matches(d := parsed(content), where)], sort)
        found = [decode(stored[d["_id"]], OPTIONS) for d in (found[:limit] if limit else found)]
        keep = {"_id", *fields}
        return [{k: v for k, v in d.items() if k in keep} for d in found] if fields else found

    async def pages(self, collection: str, size: int) -> AsyncGenerator[list[Json], None]:
        after = ""
        while page := await self.find(collection, {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=size):
            yield page
            after = page[-1]["_id"]

    async def modify(self, collection: str, where: Json, change: Json, *, upsert: bool = False) -> Json | None:
        await self._reach()
        where, change = _bson(where), _bson(change)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LOCK_WAIT
        while True:
            before = self._first(collection, where)
            if before is None and not upsert:
                return None
            after = changed(before or seeded(where), change, inserted=before is None)
            place = (collection, after["_id"])
            if before is None and self.server.read(place) is not None:
                raise Conflict(collection)  # upsert with a filter that its own _id does not match
            if place not in self.server.locks:
                break
            try:
                async with asyncio.timeout_at(deadline):
                    await self.server.freed.wait()
            except TimeoutError:
                raise Transient("the document is locked by a transaction") from None
        self.server.store({place: encode(after)})
        await self._reach()
        return before

    async def open_session(self) -> FakeSession:
        await self._reach()
        return FakeSession(self, self.server.new_session())

    async def kill_session(self, id_: bytes) -> None:
        await self._reach()
        transaction = self.server.open.get(id_)
        if transaction is not None:
            self.server.end(transaction)

    async def transact(self, session: Any, writes: Sequence[Write]) -> None:
        await self._reach()
        transaction = self.server.begin(session.id)
        try:
            for write in writes:
                await asyncio.sleep(0)
                if transaction.ended:
                    raise Conflict("the transaction was aborted")
                self.write(transaction, write)
            self.at("commit:written")
            await self._reach()
            if transaction.ended:
                raise Conflict("the transaction was aborted")
        except BaseException:
            if not self.dead:
                self.server.end(transaction)
            raise
        self.server.store(transaction.written)
        self.server.end(transaction)
        await asyncio.sleep(0)
        self.at("commit:sent")
        await self._reach(answer=True)

    async def _travel(self) -> None:
        await asyncio.sleep(0)

    async def _reach(self, *, answer: bool = False) -> None:
        await self._travel()
        if self.dead:
            await asyncio.Event().wait()  # until its task is cancelled
        if self.server.away and not answer:
            await asyncio.sleep(0.01)
            raise Transient("the database is away", retry_after=0.1)

    def _first(self, collection: str, where: Json) -> Json | None:
        if isinstance(id_ := where.get("_id"), str):
            document = self.server.read((collection, id_))
            return document if document is not None and matches(document, where) else None
        found = (d for d in self.server.documents.get(collection, {}).values() if matches(parsed(d), where))
        return next((decode(d, OPTIONS) for d in found), None)

    def _seen(self, transaction: Transaction, place: Place) -> Json | None:
        if place in transaction.written:
            content = transaction.written[place]
            return None if content is None else parsed(content)
        return self.server.look(place)

    def write(self, transaction: Transaction, write: Write) -> None:
        match write:
            case Insert(collection, document):
                self._put(transaction, (collection, document["_id"]), document, new=True)
            case Upsert(collection, document):
                self._put(transaction, (collection, document["_id"]), document)
            case Replace(collection, id_, v, document):
                found = self._seen(transaction, (collection, id_))
                if found is None or found.get("v") != v:
                    raise Conflict(collection)
                self._put(transaction, (collection, id_), document)
            case Fence(collection, where, change):
                place = (collection, where["_id"])
                found = self._seen(transaction, place)
                if found is None or not matches(found, _bson(where)):
                    raise Fenced(collection)
                self._put(transaction, place, changed(found, _bson(change)))
            case Delete(collection, where, must):
                self._delete(transaction, collection, _bson(where), must)

    def _put(self, transaction: Transaction, place: Place, document: Json, *, new: bool = False) -> None:
        content = encode(document)
        self.server.lock(transaction, place)
        if new and self._seen(transaction, place) is not None:
            raise Conflict(place[0])
        transaction.written[place] = content

    def _delete(self, transaction: Transaction, collection: str, where: Json, must: bool) -> None:
        ids = {*self.server.documents.get(collection, {}), *(i for c, i in transaction.written if c == collection)}
        found = [(collection, id_) for id_ in sorted(ids)]
        found = [p for p in found if (d := self._seen(transaction, p)) is not None and matches(d, where)]
        if must and not found:
            raise Conflict(collection)
        for place in found:
            self.server.lock(transaction, place)
            transaction.written[place] = None


@lru_cache(4_096)
def parsed(content: bytes) -> Json:
    """A stored document to look at, not to be changed or handed out."""
    return decode(content, OPTIONS)


PLAIN = (str, int, bytes, bool, float)


def _bson(document: Json) -> Json:
    """Values as the server sees them: times in milliseconds, tuples as lists."""
    if all(type(value) in PLAIN for value in document.values()):
        return document
    return decode(encode(document), OPTIONS)
