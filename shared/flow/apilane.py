"""The api lane: HTTP commands of one process, folded as they arrive; one slot, held by a lease."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.errors import Transient

from . import control
from .control import Control, Ownership
from .fold import Folded
from .inputs import Input
from .lane import Lane, Runtime
from .ports import Conflict, Fenced, Session
from .router import Reply

LEASE = timedelta(seconds=8)
"""A slot whose owner has not renewed it for so long is anybody's."""
RENEW = 2.5
MOST_TRIES = 12
"""How often a contended command stands back before its caller is told to come again."""
PATIENCE = 2.0
"""Seconds that callers wait for a database that is away, before they are told to come again."""
MOST_WAITING = 2_000
"""Commands that may wait in a process; one more is told to come again."""


class ApiLane(Lane):
    """A slot of this process. Whoever submits gets the handler's reply after the commit, or an error.

    A fenced slot is given up: its callers get 503, and ``run`` raises Fenced, so that the process takes another.
    """

    most_conflicts = 3
    most_seconds = 0.0

    def __init__(self, slot: str, epoch: int, runtime: Runtime) -> None:
        super().__init__(slot, runtime)
        self._expected = epoch
        self._queue: deque[Input] = deque()
        self._back: dict[str, Input] = {}
        """Commands that stand back after conflicts, until their turn comes again."""
        self._tries: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._renewed = 0.0
        self._away = False
        self.ready = asyncio.Event()

    def put(self, input_: Input) -> None:
        """Queue a command. Raises Transient when too many wait, too much is unsent, or the database is away."""
        if self._away:
            raise Transient("the lane waits for the database", retry_after=2.0)
        if len(self._queue) >= MOST_WAITING or self.outbox.size >= self.runtime.limits.outbox:
            raise Transient("the lane is full", retry_after=2.0)
        self._queue.append(input_)
        self._wake.set()

    def abandon(self) -> list[Input]:
        """Take out what waits: queued, or standing back."""
        left = [*self._queue, *self._back.values()]
        self._queue.clear()
        self._back.clear()
        return left

    async def take(self, session: Session) -> tuple[Control, Ownership]:
        """Claim the slot if nobody else has since we looked."""
        try:
            before, own = await control.claim(self.runtime.database, self.name, session, self._expected, self.lease())
        except Conflict:
            raise Fenced(self.name) from None
        self._expected = own.epoch
        if before.held:
            raise Fenced(self.name)  # there are other slots
        await self._renew(own)
        return before, own

    async def taken_over(self, before: Control) -> None:
        """Commands may come."""
        self._away = False
        self.ready.set()

    def reclaims(self) -> bool:
        """A slot that somebody else took is theirs."""
        return False

    async def next_inputs(self) -> Sequence[Input]:
        """Commands that wait, up to a batch. The lease is renewed on the way."""
        await self._renew_when_due()
        if not self._queue and (self._back or not self.stopping.is_set()):
            self._wake.clear()
            try:
                async with asyncio.timeout(RENEW / 3):
                    await self._wake.wait()
            except TimeoutError:
                return []
        taken: list[Input] = []
        while self._queue and len(taken) < self.runtime.limits.inputs:
            input_ = self._queue.popleft()
            # A caller that has gone away before the command was tried has had no promise.
            if input_.asked is not None and not input_.asked.answer.done():
                taken.append(input_)
        return taken

    async def idle(self) -> None:
        """Keep the lease also while the outbox is full and no command is taken."""
        await super().idle()
        await self._renew_when_due()

    def pending(self) -> bool:
        """Commands in the queue are answered before a stop."""
        return bool(self._queue or self._back)

    def lease(self) -> datetime | None:
        """Every commit renews the lease."""
        self._renewed = asyncio.get_running_loop().time()
        return self.runtime.now() + LEASE

    def settled(self, folded: Folded, inputs: Sequence[Input]) -> None:
        """Answer the callers of the committed commands."""
        for input_, answer in folded.answers:
            self._tries.pop(input_.cause.id, None)
            _answer(input_, answer)
        self.at("reply:sent")

    def waits(self, inputs: Sequence[Input], seconds: float) -> bool:
        """Nobody is kept waiting for a database that is away: what is not committed is let go, and not done later."""
        if inputs and seconds < PATIENCE:
            return False
        self._away = True
        self.lost([*inputs, *self.abandon()])
        return True

    def lost(self, inputs: Sequence[Input]) -> None:
        """The callers cannot be told what happened: 503, and an idempotency key makes the retry safe."""
        for input_ in inputs:
            _answer(input_, Transient("the slot was lost", retry_after=1.0))

    def give_up(self, inputs: Sequence[Input], error: Exception) -> Sequence[Input]:
        """A command never becomes a dead letter: its caller hears of the bug, or it stands back for a moment.

        What a command contends for may be held by a dead owner's transaction for the length of a lease, and
        nobody behind it should wait so long.
        """
        for input_ in inputs:
            if not isinstance(error, Conflict):
                _answer(input_, error)
                continue
            tries = self._tries[input_.cause.id] = self._tries.get(input_.cause.id, 0) + 1
            if tries > MOST_TRIES:
                del self._tries[input_.cause.id]
                _answer(input_, Transient("contended", retry_after=1.0))
            else:
                self._back[input_.cause.id] = input_
                wait = self.runtime.rng.uniform(0.5, 1.0) * min(0.02 * 2**tries, 0.5)
                asyncio.get_running_loop().call_later(wait, self._come_back, input_.cause.id)
        return []

    async def _without(self, inputs: Sequence[Input], error: Exception) -> int:
        """A command is to blame only if the lane can write without it: else its caller is told to come again."""
        if self.own is not None and not isinstance(error, Conflict):
            await self._renew(self.own)
        return await super()._without(inputs, error)

    def _come_back(self, id_: str) -> None:
        input_ = self._back.pop(id_, None)
        if input_ is not None:
            self._queue.append(input_)
            self._wake.set()

    async def resolve(self, own: Ownership) -> None:
        """Claim anew and compare: applied only if the lane was still ours and the batch is one on.

        Raises:
            Conflict: it was not applied; fold again. Fenced: others were here, nothing is known.
        """
        self.trouble("unknown_commit")
        batch, session, began = self.batch, own.session.id, asyncio.get_running_loop().time()
        while True:
            try:
                before = await self.claim()
                break
            except Transient as error:
                if self.stopping.is_set() or asyncio.get_running_loop().time() - began > PATIENCE:
                    raise Fenced(self.name) from error
                await self._pause(error.retry_after)
        # The session, too: after a restore epochs come round again, and another's batch would pass for ours.
        ours = (before.epoch, before.session) == (own.epoch, session)
        if not ours or before.held or before.batch not in (batch, batch + 1):
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

    async def _renew_when_due(self) -> None:
        if self.own is not None and asyncio.get_running_loop().time() - self._renewed > RENEW:
            await self._renew(self.own)

    async def _renew(self, own: Ownership) -> None:
        self._renewed = asyncio.get_running_loop().time()
        if not await control.renew(self.runtime.database, own, self.runtime.now() + LEASE):
            raise Fenced(self.name)
        self._away = False


def _answer(input_: Input, answer: Reply | Exception) -> None:
    asked = input_.asked
    if asked is None or asked.answer.done():
        return  # gone away, or answered before
    if isinstance(answer, Exception):
        asked.answer.set_exception(answer)
    else:
        asked.answer.set_result(answer)
