"""Slots: the api lanes of a service, seen from one process."""

import asyncio
import uuid

import structlog

from shared.errors import Transient

from . import control
from .apilane import ApiLane
from .control import Control
from .documents import LANES
from .inputs import Asked, of_command
from .lane import Runtime
from .ports import Conflict, Fenced, Json
from .router import Command, Reply
from .work import Cause

log = structlog.get_logger()


class Slots:
    """The api slots of a service, seen from one process: it works in one, and sweeps those of the dead.

    Guarantees: a slot whose lease has lapsed is found within its lease and a look, and what its owner left
    unsent is published, however few processes remain. Faults of the world and bugs are waited out.
    """

    def __init__(self, count: int, runtime: Runtime) -> None:
        self._names = tuple(f"api:{i}" for i in range(count))
        self._runtime = runtime
        self._lane: ApiLane | None = None
        self._stopping = asyncio.Event()
        self._sweeping: ApiLane | None = None
        self.held: dict[str, str] = {}
        """Slots that are held, and why, as of the last look; no process works in them."""
        self.needed = any(issubclass(kind, Command) for kind, _ in runtime.router.table())

    @property
    def lanes(self) -> list[ApiLane]:
        """The slots that this process works in now."""
        return [lane for lane in (self._lane, self._sweeping) if lane is not None]

    @property
    def ready(self) -> bool:
        """Whether commands can be taken, if there are any in this service."""
        return not self.needed or (self._lane is not None and self._lane.ready.is_set())

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
        # With the digest: a key used again for something else, when its reply is forgotten, is another cause.
        once = uuid.UUID(int=self._runtime.rng.getrandbits(128), version=4)
        id_ = f"cmd:{once}" if key is None else f"cmd:{key}:{digest.hex()}"
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        cause = Cause(id_, self._runtime.now(), correlation, traceparent)
        lane.put(of_command(command, cause, Asked(answer, key, digest), self._runtime.router))
        return await answer

    async def run(self) -> None:
        """Keep one slot while the process lives, and sweep the orphans beside it."""
        if not self.needed:
            await self._stopping.wait()
            return
        sweeper = asyncio.create_task(self._sweep(), name="sweeper")
        try:
            while not self._stopping.is_set():
                found = await self._free(orphans=False)
                if found is None:
                    await self._rest(self._runtime.rng.uniform(0.5, 1.0))
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
        """Publish what dead owners left in their slots, and end what they left open."""
        while True:
            await asyncio.sleep(self._runtime.rng.uniform(0.5, 1.5))
            found = await self._free(orphans=True)
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
        """A slot without a living owner; with ``orphans`` only one whose owner died, or that has something to send.

        A claim kills the dead owner's session: a transaction it left open would block others for a minute.
        """
        try:
            stored = {doc["_id"]: doc for doc in await self._runtime.database.load(LANES, self._names)}
            for name in (name for name in self._names if name not in stored):
                await control.make(self._runtime.database, name)
        except (Transient, Conflict) as error:
            log.warning("slot_wait", reason=str(error))
            return None
        except Exception:
            log.exception("slots_failed")
            return None
        self.held = {name: doc["held"] for name, doc in stored.items() if doc.get("held")}
        now, mine = self._runtime.now(), {lane.name for lane in self.lanes}
        read = (self._read(name, stored.get(name)) for name in self._names if name not in mine)
        free = [c for c in read if c and not c.held and (c.lease is None or c.lease < now)]
        if orphans:
            free = [c for c in free if c.outbox or c.lease is not None]
        return self._runtime.rng.choice(free) if free else None

    def _read(self, name: str, stored: Json | None) -> Control | None:
        """None for a document that this release cannot read: the other slots are worked in and swept all the same."""
        try:
            return control.read_control(name, stored)
        except Exception:
            self._runtime.metrics.trouble.labels("api", "unreadable").inc()
            log.exception("slot_unreadable", slot=name)
            return None

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
