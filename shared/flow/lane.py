"""A lane: claim, then step after step, each one transaction; publishing goes on beside it.

What all kinds of lane share. ``keylane`` feeds it records and timers, ``apilane`` commands, ``replay`` letters.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NoReturn

import structlog

from shared.errors import Transient
from shared.telemetry import LaneReport

from . import control, reading
from .alarms import too_late
from .breathing import Pace
from .control import Control, Ownership
from .documents import LANES
from .inputs import Input
from .patience import MOST_PATIENCE
from .ports import Conflict, Fenced, Session, UnknownCommit
from .runtime import Runtime
from .step import Steps

__all__ = ["Lane", "Runtime"]

log = structlog.get_logger()

HELD_SEND = 5.0
"""Seconds in which a lane that is about to be held sends what it has committed."""
HELD_POLL = 1.0
"""Seconds between looks at whether a held lane was released."""
DRAIN_STILL = 3.0
"""Seconds without an acknowledgement after which a lane that stops leaves its outbox to the next owner."""
ROOM_POLL = 1.0
"""Seconds after which a lane that waits for its outbox tidies up and looks again."""


class Held(Exception):
    """The lane is held by an operator or an alarm and does nothing until it is released."""


class Lane(Steps, ABC):
    """One ordered input with one control document.

    Guarantees: an owner that lost the lane changes nothing; a new owner sends what the former one left.
    ``run`` returns only after ``stop``; every fault of the world is waited out, every bug is logged, counted
    and followed by a new claim.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        super().__init__(name, runtime)
        self.held = ""
        self._stored_up_to = 0
        self._served = False

    @property
    def finished(self) -> bool:
        """Whether it came to its end: all in hand is folded, all that is committed is sent, and noted as sent."""
        noted = self.outbox.acknowledged <= self._stored_up_to
        return self._served and not self.outbox.size and noted

    # -- what the kinds of lane fill in --------------------------------------------------------------------

    @abstractmethod
    async def next_inputs(self) -> Sequence[Input]:
        """Wait for inputs; an empty list after a while without any, or when stopping."""

    async def taken_over(self, before: Control) -> None:
        """The lane is ours; start where ``before`` says. Raises Transient."""

    async def idle(self) -> None:
        """Nothing to fold: clear the stored outbox of what was acknowledged meanwhile."""
        if self.own is not None and self.outbox.acknowledged > self._stored_up_to:
            up_to = self.outbox.acknowledged
            if not await control.trim(self.runtime.database, self.own, up_to):
                raise Fenced(self.name)
            self._stored_up_to = up_to
            self.at("trim:done")

    def pending(self) -> bool:
        """Whether inputs wait that must be folded before a stop."""
        return False

    def alarm(self) -> str:
        """Why the lane must be held; empty while it need not."""
        return too_late(self.outbox.unsent(), self.runtime.now())

    def reclaims(self) -> bool:
        """Whether a fenced lane claims again by itself: a key lane does, its partitions are still assigned."""
        return True

    # -- life ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the lane until ``stopping`` is set; at least one claim sends what a former owner left."""
        clock = asyncio.get_running_loop().time
        while not self._served:
            sender: asyncio.Task[None] | None = None
            tried = clock()
            try:
                before = await self.claim()
                await self._may_begin(before)
                sender = asyncio.create_task(self.outbox.run(), name=f"{self.name}:outbox")
                await self._serve()
                self._served = True
            except Held as reason:
                if not self.reclaims():
                    raise Fenced(self.name) from None
                await self._wait_for_release(str(reason))
            except UnknownCommit:
                # The control document knows how far the commit came: claim anew and go on at its position.
                self.trouble("unknown_commit")
            except Fenced:
                self.trouble("fenced")
                if not self.reclaims():
                    raise
                await self._pause(0.2)
            except Conflict:
                # Two claims at once, of a lane that has no control document yet.
                self.trouble("conflict")
                await self._pause(0.1)
            except Transient as error:
                self.trouble("transient", error.reason)
                self.waits((), 0.0)
                await self._pause(max(error.retry_after, MOST_PATIENCE - (clock() - tried)))
            except Exception:
                self.trouble("failed")
                log.exception("lane_failed", lane=self.name)
                await self._pause(1.0)
            finally:
                if sender is not None:
                    sender.cancel()
                    await asyncio.gather(sender, return_exceptions=True)
                await self._close_session()
            if self.stopping.is_set():
                break
        self.phase = "stopped"

    async def claim(self) -> Control:
        """Fence the former owner and take up what it left."""
        database = self.runtime.database
        self.at("claim:begin")
        await self._close_session()
        session = await database.open_session()
        try:
            before, self.own = await self.take(session)
        except BaseException:
            await session.close()
            raise
        self.at("claim:taken")
        self.batch, self.pace = before.batch, Pace()
        self.outbox.restore(before.outbox)
        self._stored_up_to = 0
        await reading.told(self.runtime)
        await self.taken_over(before)
        self.at("claim:done")
        return before

    async def take(self, session: Session) -> tuple[Control, Ownership]:
        """Claim the control document."""
        return await control.claim(self.runtime.database, self.name, session)

    async def _may_begin(self, before: Control) -> None:
        if before.held:
            raise Held(before.held)
        if reason := too_late(before.outbox, self.runtime.now()):
            await self._hold(reason)

    async def _serve(self) -> None:
        while not self.stopping.is_set() or self.pending():
            inputs = await self.next_inputs()
            if inputs:
                await self.step(inputs)
            else:
                await self.idle()
                self.at("idle")
            if reason := self.alarm():
                await self._hold(reason)
        await self.drain()

    async def _hold(self, reason: str) -> NoReturn:
        assert self.own is not None
        self.trouble("held", reason)
        if not reason.startswith(control.HORIZON):
            # The letters that tell why belong to what is committed.
            await self.outbox.below(1, HELD_SEND)
            await self.idle()
        self.at("hold:sent")
        await control.hold_own(self.runtime.database, self.own, reason)
        self.at("hold:done")
        raise Held(reason)

    async def room(self) -> None:
        """Commits run ahead of publishing until the outbox is full.

        Raises:
            Transient: the lane is to stop. Fenced: what fills the outbox may not be sent any more, so that it never
                empties; the next claim holds the lane.
        """
        while not await self.outbox.below(self.runtime.limits.outbox, ROOM_POLL):
            if self.stopping.is_set():
                raise Transient("the outbox is full")
            if too_late(self.outbox.unsent(), self.runtime.now()):
                raise Fenced(self.name)
            await self.idle()
            self.at("full")

    async def drain(self) -> None:
        """A graceful stop: what is committed is sent, as long as the broker takes it; the rest the next owner sends."""
        sent = None
        while sent != self.outbox.acknowledged:
            self.at("stop:draining")
            sent = self.outbox.acknowledged
            if await self.outbox.below(1, DRAIN_STILL):
                break
        else:
            log.warning("outbox_left", lane=self.name, bytes=self.outbox.size)
        await self.idle()
        self.at("stop:drained")

    # -- small things --------------------------------------------------------------------------------------

    def report(self) -> LaneReport:
        """How the lane stands now. Waiting for the world or for a release counts as moving."""
        idle = asyncio.get_running_loop().time() - self.moved if self.moved else 0.0
        return LaneReport(self.name, self.phase, idle, 0, 0.0, self.outbox.age, self.held)

    async def _wait_for_release(self, reason: str) -> None:
        self.held = reason
        log.error("lane_held", lane=self.name, reason=reason)
        while not self.stopping.is_set():
            await self._pause(HELD_POLL, phase="held")
            try:
                stored = await self.runtime.database.load(LANES, [self.name])
            except Transient:
                continue
            if not control.read_control(self.name, stored[0] if stored else None).held:
                break
        self.held = ""

    async def _close_session(self) -> None:
        if self.own is not None:
            own, self.own = self.own, None
            await own.session.close()
