"""The step of a lane: load, dedupe, fold, commit; again where others were first, alone where one is poisoned."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from msgspec.structs import replace

from shared.errors import Transient

from . import control, reading
from .breathing import FEWEST, Pace, breathing
from .control import Batch, Ownership
from .documents import DEAD, INBOX, Timer
from .fold import Folded, folding
from .inputs import Death, Input, fingerprint
from .outbox import Outbox
from .patience import patience
from .ports import Conflict, Delete, Fenced, Insert, UnknownCommit, Upsert, Write
from .runtime import Runtime
from .work import Work

log = structlog.get_logger()

MOST_CONFLICTS = 50
CONTENDED = 90.0
"""Seconds of conflicts after which an input that goes alone is given up. A server ends the transaction of a dead
process after a minute, if nobody has killed its session before."""


class Steps:
    """What a lane does with inputs once it owns its control document.

    Guarantees: what a step commits, it commits once, with its position, its marks and its events; what it
    does not commit leaves no trace. Inputs are settled, lost or given up, every one, however the step ends.
    """

    most_conflicts = MOST_CONFLICTS
    most_seconds = CONTENDED
    """After so many conflicts, and so long, an input that goes alone is given up."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        self.name = name
        self.key = name.partition(":")[0]
        self.runtime = runtime
        self.phase = "new"
        self.moved = 0.0
        self.stopping = asyncio.Event()
        self.outbox = Outbox(runtime, self.at, runtime.metrics.publish_seconds.labels(self.key).observe)
        self.own: Ownership | None = None
        self.batch = 0
        self.pace = Pace()

    # -- what the kinds of lane fill in --------------------------------------------------------------------

    def position(self, taken: Sequence[Input]) -> Mapping[str, int]:
        """The position that a commit of these inputs stores."""
        return {}

    def settled(self, folded: Folded, inputs: Sequence[Input]) -> None:
        """These inputs are committed."""

    def lost(self, inputs: Sequence[Input]) -> None:
        """Another owner may have the lane: nothing is known of these inputs. Told of settled ones, do nothing."""

    def lease(self) -> datetime | None:
        """The lease to store with a commit; None for a lane without one."""
        return None

    def waits(self, inputs: Sequence[Input], seconds: float) -> bool:
        """The world has been away for so long, with these in hand. Whether to let go of them, uncommitted."""
        return False

    def give_up(self, inputs: Sequence[Input], error: Exception) -> Sequence[Input]:
        """What to fold instead of an input that cannot be committed: it dies as a bug does."""
        log.error("input_given_up", lane=self.name, error=fingerprint(error), exc_info=error)
        death = Death("bug", "conflict without end" if isinstance(error, Conflict) else fingerprint(error))
        return [
            replace(i, handlers=(), marks=(), death=death, refs=((Timer, i.timer.id),) if i.timer else ())
            for i in inputs
        ]

    async def room(self) -> None:
        """Wait until the outbox takes another batch. Raises Transient, Fenced."""

    async def resolve(self, own: Ownership) -> None:
        """The commit's result is unknown. Returns if it was applied; raises Conflict if not, else starts over."""
        raise UnknownCommit

    # -- the step ------------------------------------------------------------------------------------------

    async def step(self, inputs: Sequence[Input]) -> None:
        """Fold and commit inputs, all of them. Raises Fenced, UnknownCommit, Transient when stopping, or a bug."""
        inputs = [self.runtime.erased.cleaned(input_) for input_ in inputs]
        try:
            while inputs:
                inputs = inputs[await self._through(inputs) :]
        except BaseException:
            self.lost(inputs)
            raise

    async def _through(self, inputs: Sequence[Input]) -> int:
        """Commit a first part of the inputs; returns how many. After two conflicts they go one by one."""
        conflicts = tries = 0
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            tried = clock()
            try:
                await self.room()
                # Few at first once the world was away: who has waited longest does not wait for the rest, too.
                return (await self._attempt(inputs[:FEWEST] if tries else inputs)).taken
            except (Fenced, UnknownCommit):
                raise
            except Conflict as error:
                self.trouble("conflict")
                conflicts += 1
                if conflicts >= 2 and len(inputs) > 1:
                    return await self._alone(inputs)
                contended = clock() - began
                if conflicts > self.most_conflicts and contended >= self.most_seconds:
                    return await self._without(inputs, error)
                await asyncio.sleep(self.runtime.rng.uniform(0.001, 0.01 * min(conflicts, 30)))
            except Transient as error:
                self.trouble("transient", error.reason)
                if self.stopping.is_set():
                    raise
                if self.waits(inputs, clock() - began):
                    return len(inputs)
                tries += 1
                await self._pause(patience(error, tries, clock() - tried))
            except Exception as error:
                # What the database refuses for its content (a number too large, a stored document that is no
                # longer of its kind) must not hold up its neighbours.
                self.trouble("refused", fingerprint(error))
                if len(inputs) > 1:
                    return await self._alone(inputs)
                return await self._without(inputs, error)

    async def _alone(self, inputs: Sequence[Input]) -> int:
        for input_ in inputs:
            await self._through([input_])
        return len(inputs)

    async def _without(self, inputs: Sequence[Input], error: Exception) -> int:
        await self._attempt(self.give_up(inputs, error))
        return len(inputs)

    async def _attempt(self, inputs: Sequence[Input]) -> Folded:
        runtime = self.runtime
        inputs = await reading.as_noted(runtime, inputs)
        loaded = await reading.documents(runtime, inputs)
        self.at("step:loaded")
        # The inbox is read after the documents: a lane that folded one of these inputs meanwhile has also
        # changed a document that we hold in its old version, and the compare-and-set finds that.
        seen = await reading.seen(runtime, inputs)
        self.at("step:deduped")
        work = Work(runtime.scope, loaded, runtime.floor.sequence)
        folded = Folded(work)
        took = await breathing(folding(runtime.router.service, folded, inputs, seen, runtime.limits))
        self.pace.took(took, folded.taken)
        self.at("step:folded")
        taken = inputs[: folded.taken]
        writes = work.writes(self.name, self.batch + 1)
        if writes or folded.marks or work.records or folded.settled:
            await self._commit(folded, writes, taken)
        self.settled(folded, taken)
        self._count(folded, taken)
        for view in runtime.views:
            try:
                view.committed(work.changed())
            except Exception:
                # Committed is committed: folding again for the sake of a cache would do it twice.
                log.exception("view_failed", view=type(view).__name__)
        return folded

    async def _commit(self, folded: Folded, writes: list[Write], taken: Sequence[Input]) -> None:
        runtime, own = self.runtime, self.own
        assert own is not None
        number = self.batch + 1
        unsent = self.outbox.unsent()
        made = Batch(number, tuple(folded.work.records), folded.work.bytes, runtime.now())
        if folded.marks:
            page = {"_id": f"{self.name}/{own.epoch}/{number}", "ids": folded.marks, "at": runtime.now()}
            writes.append(Insert(INBOX, page))
        # In this order: what dies again in its replay waits for another one.
        writes += [Delete(DEAD, {"_id": id_}) for id_ in folded.settled]
        writes += [Upsert(DEAD, {"_id": id_, "at": runtime.now()}) for id_ in folded.died]
        outbox = [*unsent, made] if made.records else unsent
        # Before the others: who has lost the lane must not lock a document, for nobody would find its session.
        writes.insert(0, control.advance(own, self.batch, self.position(taken), outbox, self.lease()))
        began = asyncio.get_running_loop().time()
        self.at("commit:before")
        try:
            await runtime.database.transact(own.session, writes)
        except UnknownCommit:
            await self.resolve(own)
            return
        self.at("commit:after")
        runtime.metrics.commit_seconds.labels(self.key).observe(asyncio.get_running_loop().time() - began)
        self.batch = number
        if made.records:
            self.outbox.add(made)

    # -- small things --------------------------------------------------------------------------------------

    def at(self, label: str) -> None:
        """Note a labelled step: for liveness, and for tests that crash here."""
        if not label.startswith("publish"):
            self.phase = label
            self.moved = asyncio.get_running_loop().time()
        self.runtime.at(label)

    def trouble(self, kind: str, reason: str = "") -> None:
        """Count and log what went wrong."""
        self.runtime.metrics.trouble.labels(self.key, kind).inc()
        if kind != "conflict":
            log.warning("lane_trouble", lane=self.name, kind=kind, reason=reason[:200])

    def _count(self, folded: Folded, taken: Sequence[Input]) -> None:
        metrics = self.runtime.metrics
        metrics.batch.labels(self.key).observe(len(taken))
        for (name, outcome), many in Counter((name, outcome) for name, outcome, _ in folded.outcomes).items():
            metrics.inputs.labels(name, outcome).inc(many)
        telling = log.is_enabled_for(logging.DEBUG)
        for name, outcome, cause in (one for one in folded.outcomes if telling or one[1].startswith("dead:")):
            told = {"lane": self.name, "type": name, "event_id": cause.id, "correlation_id": cause.correlation}
            if outcome.startswith("dead:"):
                metrics.dead_letters.labels(outcome[5:]).inc()
                log.warning("dead_letter", reason=outcome[5:], **told)
            else:
                log.debug("folded", outcome=outcome, **told)
        now, age = self.runtime.now(), metrics.effect_seconds.labels(self.key)
        for input_ in (i for i in taken if not i.past):
            age.observe(max(0.0, (now - input_.cause.at).total_seconds()))

    async def _pause(self, seconds: float, phase: str = "waiting") -> None:
        """Wait with jitter, or until the lane is to stop. A wait counts as moving: liveness stays green."""
        self.phase = phase
        self.moved = asyncio.get_running_loop().time()
        seconds = min(seconds, 5.0) * self.runtime.rng.uniform(0.5, 1.0)
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return
