"""A lane: claim, then step after step, each one transaction; publishing goes on beside it.

What both kinds of lane share. ``keylane`` feeds it records and timers, ``apilane`` commands.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from shared.errors import Transient
from shared.telemetry import LaneReport, Metrics

from . import control
from .control import Batch, Control, Ownership
from .documents import INBOX, Document, from_mongo
from .fold import Folded, Limits, fold
from .inputs import Death, Input
from .outbox import Outbox
from .ports import Conflict, Database, Fenced, Insert, Now, Publisher, UnknownCommit, View
from .router import Router
from .work import Scope, Work

log = structlog.get_logger()

MOST_CONFLICTS = 50
HELD_POLL = 1.0
"""Seconds between looks at whether a held lane was released."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What all lanes of a process share. ``at`` is told every labelled step (tests crash there)."""

    router: Router
    database: Database
    publisher: Publisher
    metrics: Metrics
    now: Now
    scope: Scope
    limits: Limits = field(default_factory=Limits)
    views: tuple[View, ...] = ()
    rng: random.Random = field(default_factory=random.Random)
    at: Callable[[str], None] = lambda label: None


class Held(Exception):
    """The lane is held by an operator or an alarm and does nothing until it is released."""


class Lane:
    """One ordered input with one control document.

    Guarantees: what a step commits, it commits once, with its position, its marks and its events; what it
    does not commit leaves no trace; an owner that lost the lane changes nothing. ``run`` returns only after
    ``stop``; every fault of the world is waited out, every bug is logged, counted and followed by a new claim.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        self.name = name
        self.key = name.partition(":")[0]
        self.runtime = runtime
        self.phase = "new"
        self.held = ""
        self.moved = 0.0
        self.stopping = asyncio.Event()
        self.outbox = Outbox(
            runtime.publisher, runtime.rng, self.at, runtime.metrics.publish_seconds.labels(self.key).observe
        )
        self.own: Ownership | None = None
        self.batch = 0
        self._stored_up_to = 0

    # -- what the two kinds of lane fill in ----------------------------------------------------------------

    async def next_inputs(self) -> Sequence[Input]:
        """Wait for inputs; an empty list after a while without any, or when stopping."""
        raise NotImplementedError  # pragma: no cover - abstract

    async def taken_over(self, before: Control) -> None:
        """The lane is ours; start where ``before`` says. Raises Transient."""

    def position(self, taken: Sequence[Input]) -> Mapping[str, int]:
        """The position that a commit of these inputs stores."""
        return {}

    def settled(self, folded: Folded, inputs: Sequence[Input]) -> None:
        """The first ``folded.taken`` of the inputs are committed; the rest go back to the front."""

    def lost(self, inputs: Sequence[Input]) -> None:
        """Another owner may have the lane: nothing is known of these inputs."""

    def lease(self) -> datetime | None:
        """The lease to store with a commit; None for a lane without one."""
        return None

    async def idle(self) -> None:
        """Nothing to fold: clear the stored outbox of what was acknowledged meanwhile."""
        if self.own is not None and self.outbox.acknowledged > self._stored_up_to:
            up_to = self.outbox.acknowledged
            if not await control.trim(self.runtime.database, self.own, up_to):
                raise Fenced(self.name)
            self._stored_up_to = up_to
            self.at("trim:done")

    # -- life ----------------------------------------------------------------------------------------------

    def at(self, label: str) -> None:
        """Note a labelled step: for liveness, and for tests that crash here."""
        if not label.startswith("publish"):
            self.phase = label
            self.moved = asyncio.get_running_loop().time()
        self.runtime.at(label)

    async def run(self) -> None:
        """Own the lane until ``stopping`` is set; at least one claim sends what a former owner left."""
        served = False
        while not served:
            sender: asyncio.Task[None] | None = None
            try:
                before = await self.claim()
                if before.held:
                    raise Held(before.held)
                sender = asyncio.create_task(self.outbox.run(), name=f"{self.name}:outbox")
                await self._serve()
                served = True
            except Held as reason:
                await self._wait_for_release(str(reason))
            except UnknownCommit:
                # The control document knows how far the commit came: claim anew and go on at its position.
                self.trouble("unknown_commit")
            except Fenced:
                self.trouble("fenced")
                if not self.reclaims():
                    raise
                await self._pause(0.2)
            except Transient as error:
                self.trouble("transient", error.reason)
                await self._pause(error.retry_after)
            except Exception:
                self.trouble("failed")
                log.exception("lane_failed", lane=self.name)
                await self._pause(1.0)
            finally:
                if sender is not None:
                    sender.cancel()
                    await asyncio.gather(sender, return_exceptions=True)
                await self._close_session()
            served = served or self.stopping.is_set()
        self.phase = "stopped"

    def reclaims(self) -> bool:
        """Whether a fenced lane claims again by itself: a key lane does, its partitions are still assigned."""
        return True

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
        self.batch = before.batch
        self.outbox.restore(before.outbox)
        self._stored_up_to = 0
        await self.taken_over(before)
        self.at("claim:done")
        return before

    async def take(self, session: Any) -> tuple[Control, Ownership]:
        """Claim the control document."""
        return await control.claim(self.runtime.database, self.name, session)

    async def _serve(self) -> None:
        while not self.stopping.is_set() or self.pending():
            await self.outbox.below(self.runtime.limits.outbox)
            inputs = await self.next_inputs()
            if inputs:
                await self._step(inputs)
            else:
                await self.idle()
                self.at("idle")
        await self.drain()

    def pending(self) -> bool:
        """Whether inputs wait that must be folded before a stop."""
        return False

    async def drain(self) -> None:
        """A graceful stop: what is committed is sent, for as long as the process is given."""
        self.at("stop:draining")
        await self.outbox.below(1)
        await self.idle()
        self.at("stop:drained")

    # -- the step ------------------------------------------------------------------------------------------

    async def _step(self, inputs: Sequence[Input]) -> None:
        """Fold and commit inputs once. Conflicts load and fold again; after two, each input goes alone."""
        conflicts = tries = 0
        while True:
            try:
                folded = await self._attempt(inputs)
            except Conflict:
                self.trouble("conflict")
                conflicts += 1
                if conflicts >= 2 and len(inputs) > 1:
                    for input_ in inputs:
                        await self._step([input_])
                    return
                if conflicts > MOST_CONFLICTS:
                    inputs = self.give_up(inputs)
                await asyncio.sleep(self.runtime.rng.uniform(0.001, 0.01 * min(conflicts, 10)))
            except Transient as error:
                self.trouble("transient", error.reason)
                if self.stopping.is_set():
                    self.lost(inputs)
                    raise
                tries = min(tries + 1, 6)
                await self._pause(max(error.retry_after, 0.05 * 2**tries))
            except BaseException:
                self.lost(inputs)
                raise
            else:
                if folded.taken < len(inputs):
                    inputs = inputs[folded.taken :]
                    conflicts = tries = 0
                    continue
                return

    async def _attempt(self, inputs: Sequence[Input]) -> Folded:
        runtime = self.runtime
        loaded = await self._load(inputs)
        self.at("step:loaded")
        # The inbox is read after the documents: a lane that folded one of these inputs meanwhile has also
        # changed a document that we hold in its old version, and the compare-and-set finds that.
        seen = await self._seen(inputs)
        self.at("step:deduped")
        work = Work(runtime.scope, loaded)
        folded = fold(runtime.router.service, work, inputs, seen, runtime.limits)
        self.at("step:folded")
        taken = inputs[: folded.taken]
        writes = work.writes()
        if writes or folded.marks or work.records:
            await self._commit(folded, writes, taken)
        for view in runtime.views:
            view.committed(work.changed())
        self._count(folded, taken)
        self.settled(folded, taken)
        return folded

    async def _commit(self, folded: Folded, writes: list[Any], taken: Sequence[Input]) -> None:
        runtime, own = self.runtime, self.own
        assert own is not None
        number = self.batch + 1
        unsent = self.outbox.unsent()
        made = Batch(number, tuple(folded.work.records), folded.work.bytes)
        if folded.marks:
            page = {"_id": f"{self.name}/{own.epoch}/{number}", "ids": folded.marks, "at": runtime.now()}
            writes.append(Insert(INBOX, page))
        outbox = [*unsent, made] if made.records else unsent
        writes.append(control.advance(own, self.batch, self.position(taken), outbox, self.lease()))
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

    async def resolve(self, own: Ownership) -> None:
        """The commit's result is unknown. Returns if it was applied; raises Conflict if not, else starts over."""
        raise UnknownCommit

    async def _load(self, inputs: Sequence[Input]) -> dict[tuple[str, str], Document | None]:
        """Every declared document, one query a collection; None for those that are not there."""
        wanted: dict[type[Document], set[str]] = {}
        for input_ in inputs:
            for kind, id_ in input_.refs:
                wanted.setdefault(kind, set()).add(id_)
        loaded: dict[tuple[str, str], Document | None] = {}
        for view in self.runtime.views:
            await view.refresh()
        for kind, ids in wanted.items():
            loaded.update(dict.fromkeys((kind.COLLECTION, id_) for id_ in ids))
            for stored in await self.runtime.database.load(kind.COLLECTION, ids):
                document = from_mongo(kind, stored)
                loaded[kind.COLLECTION, document.id] = document
        return loaded

    async def _seen(self, inputs: Sequence[Input]) -> set[bytes]:
        marks = [m for i in inputs for m in i.marks]
        if not marks:
            return set()
        pages = await self.runtime.database.find(INBOX, {"ids": {"$in": marks}}, fields=("ids",))
        return {bytes(m) for page in pages for m in page["ids"]}

    def give_up(self, inputs: Sequence[Input]) -> Sequence[Input]:
        """A single input that meets a conflict every time blocks the lane for ever: it dies as a bug does."""
        return [replace(i, handlers=(), marks=(), death=Death("bug", "conflict without end")) for i in inputs]

    # -- small things --------------------------------------------------------------------------------------

    def report(self) -> LaneReport:
        """How the lane stands now. Waiting for the world or for a release counts as moving."""
        idle = asyncio.get_running_loop().time() - self.moved if self.moved else 0.0
        return LaneReport(self.name, self.phase, idle, 0, 0.0, self.outbox.age, self.held)

    def trouble(self, kind: str, reason: str = "") -> None:
        """Count and log what went wrong."""
        self.runtime.metrics.trouble.labels(self.key, kind).inc()
        if kind != "conflict":
            log.warning("lane_trouble", lane=self.name, kind=kind, reason=reason[:200])

    def _count(self, folded: Folded, taken: Sequence[Input]) -> None:
        metrics = self.runtime.metrics
        metrics.batch.labels(self.key).observe(len(taken))
        for name, outcome in folded.outcomes:
            metrics.inputs.labels(name, outcome).inc()
            if outcome.startswith("dead:"):
                metrics.dead_letters.labels(outcome[5:]).inc()
                log.warning("dead_letter", lane=self.name, type=name, reason=outcome[5:])
        if taken:
            age = (self.runtime.now() - taken[0].cause.at).total_seconds()
            metrics.effect_seconds.labels(self.key).observe(max(0.0, age))

    async def _pause(self, seconds: float) -> None:
        """Wait with jitter, or until the lane is to stop. A wait counts as moving: liveness stays green."""
        self.phase = "waiting"
        self.moved = asyncio.get_running_loop().time()
        seconds = min(seconds, 5.0) * self.runtime.rng.uniform(0.5, 1.0)
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _wait_for_release(self, reason: str) -> None:
        self.held = reason
        log.error("lane_held", lane=self.name, reason=reason)
        while not self.stopping.is_set():
            await self._pause(HELD_POLL)
            self.phase = "held"
            try:
                stored = await self.runtime.database.load("lanes", [self.name])
            except Transient:
                continue
            if not control.read_control(self.name, stored[0] if stored else None).held:
                break
        self.held = ""

    async def _close_session(self) -> None:
        if self.own is not None:
            own, self.own = self.own, None
            await own.session.close()
