"""Faults between a process and its database or broker, real or not: what is refused, lost, doubled or late."""

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from typing import Literal, NoReturn

from shared.errors import Transient
from shared.flow.ports import Conflict, Database, Json, Publisher, Record, Session, UnknownCommit, Write

CommitFault = Literal["refused", "conflict", "applied, reply lost", "not applied, reply lost"]
SendFault = Literal["lost", "doubled", "late", "acknowledgement lost", "acknowledged never", "acknowledged late"]


class FaultyDatabase:
    """A database with a list of faults for the commits to come, and a gate before each of them."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.commits: deque[CommitFault] = deque()
        self.away = False
        self.broken = False
        """It answers everything with an error of its own, as with a full disk."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()
        """Set while a commit stands before the closed gate: its owner sleeps."""
        self.reply = asyncio.Event()
        self.reply.set()
        """While cleared, the loss of a reply is not noticed."""
        self.unanswered = asyncio.Event()
        self.transactions: list[Sequence[Write]] = []
        self.met: Callable[[str], None] = lambda fault: None
        """Told of each fault of the list that a commit meets."""

    async def load(self, collection: str, ids: Collection[str]) -> list[Json]:
        await self._reach()
        return await self.inner.load(collection, ids)

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
        return await self.inner.find(collection, where, sort=sort, limit=limit, fields=fields)

    async def pages(self, collection: str, size: int) -> AsyncGenerator[list[Json], None]:
        async with aclosing(self.inner.pages(collection, size)) as pages:
            async for page in pages:
                await self._reach()
                yield page

    async def modify(self, collection: str, where: Json, change: Json, *, upsert: bool = False) -> Json | None:
        await self._reach()
        return await self.inner.modify(collection, where, change, upsert=upsert)

    async def open_session(self) -> Session:
        await self._reach()
        return await self.inner.open_session()

    async def kill_session(self, id_: bytes) -> None:
        await self._reach()
        await self.inner.kill_session(id_)

    async def transact(self, session: Session, writes: Sequence[Write]) -> None:
        if not self.gate.is_set():
            self.waiting.set()
            await self.gate.wait()
            self.waiting.clear()
        await self._reach()
        fault = self.commits.popleft() if self.commits else None
        if fault is not None:
            self.met(fault)
        if fault == "refused":
            raise Transient("the commit was refused", retry_after=0.05)
        if fault == "conflict":
            raise Conflict("another lane")
        if fault == "not applied, reply lost":
            await self._lose_reply()
        await self.inner.transact(session, writes)
        self.transactions.append(writes)
        if fault == "applied, reply lost":
            await self._lose_reply()

    async def _lose_reply(self) -> NoReturn:
        self.unanswered.set()
        await self.reply.wait()
        raise UnknownCommit

    async def _reach(self) -> None:
        if self.away:
            await asyncio.sleep(0.01)
            raise Transient("the database is away", retry_after=0.1)
        if self.broken:
            await asyncio.sleep(0.01)
            raise RuntimeError("the disk is full")


class FaultyPublisher:
    """A publisher with a list of faults for the batches to come; ``away`` sends nothing."""

    def __init__(self, inner: Publisher) -> None:
        self.inner = inner
        self.faults: deque[SendFault] = deque()
        self.away = False
        self.late: set[asyncio.Task[None]] = set()
        self.refused = 0
        """Batches that could not be sent because it was away."""
        self.met: Callable[[str], None] = lambda fault: None
        """Told of each fault of the list that a batch meets."""

    async def publish(self, records: Sequence[Record]) -> None:
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            self.met(fault)
        if self.away or fault == "lost":
            self.refused += self.away
            await asyncio.sleep(0.01)
            raise Transient("the broker is away", retry_after=0.05)
        if fault == "late":
            # In a context of its own: it is on the wire, and comes even if its sender dies or stands still.
            task = asyncio.get_running_loop().create_task(self._send_late(records), context=contextvars.Context())
            self.late.add(task)
            task.add_done_callback(self.late.discard)
            raise Transient("no acknowledgement", retry_after=0.05)
        await self.inner.publish(records)
        if fault == "doubled":
            await self.inner.publish(records)
        elif fault == "acknowledgement lost":
            raise Transient("no acknowledgement", retry_after=0.05)
        elif fault == "acknowledged never":
            await asyncio.Event().wait()
        elif fault == "acknowledged late":
            await asyncio.sleep(self.delay())

    def delay(self) -> float:
        """Seconds by which what is late is late."""
        return 0.3

    async def _send_late(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(self.delay())
        await self.inner.publish(records)
