"""Api lanes: HTTP commands of one process, folded as they arrive; one slot, held by a lease."""

import asyncio
import uuid
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from shared.errors import Transient

from . import control
from .control import Control, Ownership
from .documents import LANES
from .fold import Folded
from .inputs import Asked, Input, of_command
from .lane import Lane, Runtime
from .ports import Conflict, Fenced
from .router import Command, Reply
from .work import Cause

log = structlog.get_logger()

LEASE = timedelta(seconds=8)
"""A slot whose owner has not renewed it for so long is anybody's."""
RENEW = 2.5
MOST_WAITING = 2_000
"""Commands that may wait in a process; one more is told to come again."""


class ApiLane(Lane):
    """A slot of this process. Whoever submits gets the handler's reply after the commit, or an error.

    A fenced slot is given up: its callers get 503, and ``run`` raises Fenced, so that the process takes another.
    """

    def __init__(self, slot: str, epoch: int, runtime: Runtime) -> None:
        super().__init__(slot, runtime)
        self._expected = epoch
        self._queue: deque[Input] = deque()
        self._wake = asyncio.Event()
        self._renewed = 0.0
        self.ready = asyncio.Event()

    def put(self, input_: Input) -> None:
        """Queue a command. Raises Transient when too many wait, or too much is unsent."""
        if len(self._queue) >= MOST_WAITING or self.outbox.size >= self.runtime.limits.outbox:
            raise Transient("the lane is full", retry_after=2.0)
        self._queue.append(input_)
        self._wake.set()

    def abandon(self) -> list[Input]:
        """Take out what waits and was never tried, for another slot."""
        left = list(self._queue)
        self._queue.clear()
        return left

    async def take(self, session: Any) -> tuple[Control, Ownership]:
        """Claim the slot if nobody else has since we looked."""
        try:
            before, own = await control.claim(self.runtime.database, self.name, session, free=self._expected)
        except Conflict:
            raise Fenced(self.name) from None
        self._expected = own.epoch
        if before.held:
            raise Fenced(self.name)  # there are other slots
        await self._renew(own)
        return before, own

    async def taken_over(self, before: Control) -> None:
        """Commands may come."""
        self.ready.set()

    def reclaims(self) -> bool:
        """A slot that somebody else took is theirs."""
        return False

    async def next_inputs(self) -> Sequence[Input]:
        """Commands that wait, up to a batch. The lease is renewed on the way."""
        assert self.own is not None
        if asyncio.get_running_loop().time() - self._renewed > RENEW:
            await self._renew(self.own)
        if not self._queue and not self.stopping.is_set():
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), RENEW / 3)
            except TimeoutError:
                return []
        taken: list[Input] = []
        while self._queue and len(taken) < self.runtime.limits.inputs:
            input_ = self._queue.popleft()
            # A caller that has gone away before the command was tried has had no promise.
            if input_.asked is not None and not input_.asked.answer.done():
                taken.append(input_)
        return taken

    def pending(self) -> bool:
        """Commands in the queue are answered before a stop."""
        return bool(self._queue)

    def lease(self) -> datetime | None:
        """Every commit renews the lease."""
        self._renewed = asyncio.get_running_loop().time()
        return self.runtime.now() + LEASE

    def settled(self, folded: Folded, inputs: Sequence[Input]) -> None:
        """Answer the callers of the committed commands."""
        for input_, answer in folded.answers:
            asked = input_.asked
            if asked is None or asked.answer.done():
                continue
            if isinstance(answer, Exception):
                asked.answer.set_exception(answer)
            else:
                asked.answer.set_result(answer)
        self.at("reply:sent")

    def lost(self, inputs: Sequence[Input]) -> None:
        """The callers cannot be told what happened: 503, and an idempotency key makes the retry safe."""
        for input_ in inputs:
            if input_.asked is not None and not input_.asked.answer.done():
                input_.asked.answer.set_exception(Transient("the slot was lost", retry_after=1.0))

    def give_up(self, inputs: Sequence[Input]) -> Sequence[Input]:
        """A command never becomes a dead letter: its caller may come again."""
        self.lost(inputs)
        return []

    async def resolve(self, own: Ownership) -> None:
        """Claim anew and compare: applied only if the epoch was still ours and the batch is one on.

        Raises:
            Conflict: it was not applied; fold again. Fenced: others were here, nothing is known.
        """
        self.trouble("unknown_commit")
        batch = self.batch
        while True:
            try:
                before = await self.claim()
            except Transient as error:
                await self._pause(error.retry_after)
                continue
            break
        if before.epoch != own.epoch or before.held or before.batch not in (batch, batch + 1):
            raise Fenced(self.name)
        if before.batch == batch:
            raise Conflict(self.name)

    def stop(self) -> None:
        """Answer what waits, send what is committed, give the slot back."""
        self.stopping.set()
        self._wake.set()

    async def drain(self) -> None:
        """Send what is left, then give the slot back."""
        await super().drain()
        if self.own is not None:
            await control.renew(self.runtime.database, self.own, None)

    async def _renew(self, own: Ownership) -> None:
        self._renewed = asyncio.get_running_loop().time()
        if not await control.renew(self.runtime.database, own, self.runtime.now() + LEASE):
            raise Fenced(self.name)


class Slots:
    """The api slots of a service, seen from one process: it works in one, and sweeps those of the dead.

    Guarantees: a slot whose lease has lapsed is found within its lease and a look, and what its owner left
    unsent is published, however few processes remain.
    """

    def __init__(self, count: int, runtime: Runtime) -> None:
        self._names = tuple(f"api:{i}" for i in range(count))
        self._runtime = runtime
        self._lane: ApiLane | None = None
        self._stopping = asyncio.Event()
        self._sweeping: ApiLane | None = None

    @property
    def lanes(self) -> list[ApiLane]:
        """The slots that this process works in now."""
        return [lane for lane in (self._lane, self._sweeping) if lane is not None]

    @property
    def ready(self) -> bool:
        """Whether commands can be taken."""
        return self._lane is not None and self._lane.ready.is_set()

    async def submit(
        self, command: Command, *, correlation: str, traceparent: str = "", key: str | None = None, digest: bytes = b""
    ) -> Reply:
        """Have a command folded and committed; returns the handler's reply.

        ``key`` identifies person, route and Idempotency-Key; ``digest`` the body.

        Raises:
            Rejected: refused, nothing was written. Transient: no slot, too busy, or the outcome is unknown.
        """
        lane = self._lane
        if lane is None or not self.ready or self._stopping.is_set():
            raise Transient("no api slot", retry_after=1.0)
        id_ = f"cmd:{key}" if key is not None else f"cmd:{uuid.UUID(int=self._runtime.rng.getrandbits(128), version=4)}"
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        cause = Cause(id_, self._runtime.now(), correlation, traceparent)
        lane.put(of_command(command, cause, Asked(answer, key, digest), self._runtime.router))
        return await answer

    async def run(self) -> None:
        """Keep one slot while the process lives, and sweep the orphans beside it."""
        sweeper = asyncio.create_task(self._sweep())
        try:
            while not self._stopping.is_set():
                try:
                    found = await self._free(orphans=False)
                except Transient as error:
                    log.warning("slot_wait", reason=error.reason)
                    found = None
                if found is None:
                    await self._rest(1.0)
                    continue
                await self._work(found)
        finally:
            sweeper.cancel()
            await asyncio.gather(sweeper, return_exceptions=True)

    def stop(self) -> None:
        """Answer, send, give back, end."""
        self._stopping.set()
        for lane in self.lanes:
            lane.stop()

    async def _work(self, found: Control) -> None:
        lane = self._lane = ApiLane(found.lane, found.epoch, self._runtime)
        if self._stopping.is_set():
            lane.stop()
        try:
            await lane.run()
        except Fenced:
            await self._rest(self._runtime.rng.uniform(0.05, 0.3))
        finally:
            self._lane = None
            lane.lost(lane.abandon())

    async def _sweep(self) -> None:
        """Publish what dead owners left in their slots."""
        while True:
            await asyncio.sleep(self._runtime.rng.uniform(0.5, 1.5))
            try:
                found = await self._free(orphans=True)
            except Transient:
                continue
            if found is None:
                continue
            lane = self._sweeping = ApiLane(found.lane, found.epoch, self._runtime)
            lane.stop()  # claim, send, give back
            try:
                await lane.run()
            except Fenced:
                continue
            finally:
                self._sweeping = None

    async def _free(self, *, orphans: bool) -> Control | None:
        """A slot without a living owner; with ``orphans`` only one that has something to send."""
        database, now = self._runtime.database, self._runtime.now()
        stored = {doc["_id"]: doc for doc in await database.load(LANES, self._names)}
        for name in self._names:
            if name not in stored:
                fresh = {"$setOnInsert": {"epoch": 0, "batch": 0, "next": [], "outbox": []}}
                await database.modify(LANES, {"_id": name}, fresh, upsert=True)
        free = [control.read_control(name, stored.get(name)) for name in self._names]
        free = [c for c in free if not c.held and (c.lease is None or c.lease < now)]
        if orphans:
            free = [c for c in free if c.outbox]
        return self._runtime.rng.choice(free) if free else None

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
