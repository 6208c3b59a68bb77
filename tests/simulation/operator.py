"""Who runs the commands of ``ops`` while events flow: the real ones, each in a process that may be killed half way."""

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from shared.errors import Rejected, Transient
from shared.flow import control
from shared.flow.documents import LANES, Document
from shared.flow.erased import erase
from shared.flow.fold import Limits
from shared.flow.ports import Conflict
from shared.flow.rebuild import progress, rebuild
from shared.flow.replay import replay
from shared.flow.restored import restored
from shared.flow.states import republish
from tests.simulation import kinds, services
from tests.simulation.end import End, Lost
from tests.simulation.plan import SERVICES, Fault
from tests.simulation.world import SimulatedWorld
from tests.suites.world import OWNER, Node

OPEN = 60.0
"""Seconds after which a server ends the transaction of a process that is dead."""
LOOK = 1.0
"""Seconds between two looks at what is held."""
DRILL = "a drill"
"""Why an operator holds a lane."""
ALARMS = (control.DYING, control.HORIZON)
SPOILT: dict[str, tuple[type[Document], str, Any]] = {
    "notes": (kinds.Tally, "comments", 1_000),
    "moderation": (kinds.Copy, "text", "~~~"),
    "recommend": (kinds.Circle, "pairs", 1_000),
}
"""What a rebuild finds wrong: of one document a field that says more than it ever does."""


class Operator:
    """One person for all services. Whatever was begun is brought to its end, by ``finish`` at the latest."""

    def __init__(
        self,
        world: SimulatedWorld,
        end: End,
        tell: Callable[[str], None],
        start: Callable[[str], Awaitable[None]],
    ) -> None:
        self._world = world
        self._end = end
        self._tell = tell
        self._start = start
        self._rng = random.Random(end.plan.seed + 2)
        self._unfinished: dict[tuple[str, str], None] = {}
        self.untold: dict[str, None] = {}
        """Services whose database was put back, and which may not run yet."""
        self._mute: dict[str, None] = {}
        """Services whose backup was taken in a rebuild, and which are to be republished when it is over."""
        self._running, self._cut_at = 0, -OPEN
        self.busy = {service: asyncio.Lock() for service in SERVICES}
        """Held by a command that wants the database to stay what it is, or wants no process."""

    def restores(self, service: str) -> int:
        """How often the database of a service has been set back."""
        return sum(lost.service == service for lost in self._end.lost)

    def tied(self) -> float:
        """Seconds from now for which what a killed command has open may lock documents, if all are killed now."""
        left = self._cut_at + OPEN - asyncio.get_running_loop().time()
        return OPEN if self._running else max(0.0, left)

    # -- what a fault asks for -----------------------------------------------------------------------------

    async def hold(self, fault: Fault) -> None:
        """Stop a lane for a drill, and let it go on."""
        database = self._world.database(fault.service)
        await insist(lambda: control.hold(database, fault.what, DRILL))
        before, lost = await self._place(fault), len(self._end.lost)
        await asyncio.sleep(fault.seconds)
        after = await self._place(fault)
        if None not in (before, after) and before != after and len(self._end.lost) == lost:
            self._end.moved.append(f"{fault.service} {fault.what}")
        await insist(lambda: control.release(database, fault.what))

    async def _place(self, fault: Fault) -> object:
        """How far the lane has come; None if it is not held any more."""
        stored = (await self._world.documents(fault.service, LANES)).get(fault.what, {})
        return (stored["batch"], stored["next"]) if stored.get("held") == DRILL else None

    async def rebuild(self, fault: Fault) -> None:
        """Rebuild a service that has something to mend; with ``which`` the command dies after so many of its steps, and
        is run again.
        """
        steps = iter(range(fault.which)) if fault.which else None

        def told(step: str) -> None:
            nonlocal steps
            if steps is not None and next(steps, None) is None:
                steps = None
                raise Transient("the command was killed")

        async with self.busy[fault.service]:
            await self._spoil(fault.service)
            await self._rebuild(fault.service, told)

    async def erase(self, person: str, dies: float = 0.0) -> None:
        """Take a person's texts out of every service, one after the other."""
        for service in SERVICES:
            self._unfinished[service, person] = None
        for service in SERVICES:
            async with self.busy[service]:
                await self._erase(service, person, dies)

    def forgets(self, person: str) -> bool:
        """Whether an erasure of a person has begun."""
        return any(person == whose for _, whose in (*self._unfinished, *self._end.erased))

    async def replay(self, service: str, dies: float = 0.0) -> bool:
        """Feed a service's dead letters to the handlers that failed; returns whether there were any."""
        self._end.replayed.setdefault(service, asyncio.get_running_loop().time())
        async with self.busy[service]:
            done = await self._command(service, self._replay, dies)
        self._tell(f"replay {service}: {done}")
        return bool(done)

    async def put_back(self, lost: Lost, backup: Mapping[str, Mapping[str, bytes]]) -> None:
        """Set the database of a service that does not run back to a backup, up to a service that runs.

        That is docs/runbooks/restored.md.
        """
        service = lost.service
        self._world.servers[service].restore(backup)
        self._end.lost.append(lost)
        self._tell(f"{service} is what it was at {lost.taken:.3f}")
        self.untold[service] = None
        erased = [
            (owner, who) for (owner, who), at in self._end.erased.items() if owner == service and at >= lost.taken
        ]
        self._unfinished |= dict.fromkeys(erased)
        await self._restored(service)

    async def finish(self) -> None:
        """Run again what was cut off for good."""
        for service in list(self.untold):
            await self._restored(service)
        for service, person in list(self._unfinished):
            await self._erase(service, person)
        for service in SERVICES:
            lanes = (await self._world.documents(service, LANES)).values()
            if any(stored.get("held") == control.REBUILD for stored in lanes) or await self._is_spoilt(service):
                await self._rebuild(service)
        for service in list(self._mute):
            await self._republish(service)

    # -- what is always looked after -----------------------------------------------------------------------

    async def watch(self) -> None:
        """Look at the alarms, and release what they hold after a while."""
        while True:
            await asyncio.sleep(LOOK)
            for service in SERVICES:
                for lane, stored in (await self._world.documents(service, LANES)).items():
                    reason = stored.get("held") or ""
                    if reason.startswith(ALARMS) and self._rng.random() < 0.3:
                        self._end.alarms.append((service, lane, reason))
                        self._tell(f"release {service} {lane}: {reason}")
                        await insist(partial(self._release, service, lane))

    async def held(self) -> list[str]:
        """Lanes that wait for a release."""
        return [
            f"{service} {lane}"
            for service in SERVICES
            for lane, stored in (await self._world.documents(service, LANES)).items()
            if stored.get("held")
        ]

    # -- how it is done ------------------------------------------------------------------------------------

    async def _release(self, service: str, lane: str) -> None:
        try:
            await control.release(self._world.database(service), lane)
        except Conflict:
            return  # held for something else by now: the next look finds it

    async def _restored(self, service: str) -> None:
        for person in [person for owner, person in self._unfinished if owner == service]:
            await self._erase(service, person)
        if await self._command(service, self._tell_over, self._rng.choice([0.0, 0.01, 0.05])):
            self._mute[service] = None
        stored = await self._world.documents(service, LANES)
        held = {name: lane.get("held") for name, lane in stored.items()}
        for lane in (name for name, reason in held.items() if reason == DRILL):
            await insist(partial(self._release, service, lane))
        self.untold.pop(service)
        await self._start(service)
        if control.REBUILD in held.values():
            await self._rebuild(service)
        if service in self._mute:
            await self._republish(service)
        if any(name.startswith("replay:") and lane["outbox"] for name, lane in stored.items()):
            self._end.replayed.setdefault(service, asyncio.get_running_loop().time())
            await self._command(service, self._replay)

    async def _tell_over(self, node: Node) -> bool:
        """Whether the republication must wait for the rebuild that the backup was taken in."""
        runtime = replace(node.runtime, now=self._world.now)  # this clock must be right
        try:
            await restored(runtime, services.STATES[node.service])
        except Conflict:
            if not await progress(node.database):
                raise
            return True
        return False

    async def _republish(self, service: str) -> None:
        async def spoken(node: Node) -> None:
            if await progress(node.database):
                raise Transient("it folds again")
            await republish(node.runtime, services.STATES[service])

        await self._command(service, spoken)
        self._mute.pop(service)

    async def _rebuild(self, service: str, told: Callable[[str], None] = lambda step: None) -> None:
        """Refused for a lane that something else holds, it is tried again until it is done."""

        async def anew(node: Node) -> Rejected | None:
            try:
                await rebuild(node.runtime, kinds.KINDS[service], told)
            except Rejected as refused:
                return refused
            return None

        while (refused := await self._command(service, anew)) is not None:
            self._tell(f"no rebuild: {refused.type}")
            await asyncio.sleep(LOOK)

    async def _spoil(self, service: str) -> None:
        """Make one document wrong of what a rebuild makes anew: something to be mended."""
        kind, name, wrong = SPOILT[service]
        if ids := list(await self._world.documents(service, kind.COLLECTION)):
            where, change = {"_id": self._rng.choice(ids)}, {"$set": {name: wrong}}
            database = self._world.database(service)
            await insist(lambda: database.modify(kind.COLLECTION, where, change))

    async def _is_spoilt(self, service: str) -> bool:
        kind, name, wrong = SPOILT[service]
        found = await self._world.documents(service, kind.COLLECTION)
        return any(stored[name] >= wrong for stored in found.values())

    async def _erase(self, service: str, person: str, dies: float = 0.0) -> None:
        stored = kinds.KINDS[service]
        dead, began = self._world.dead(service), asyncio.get_running_loop().time()
        await self._command(service, lambda node: erase(node.database, dead, stored, person, node.runtime.now), dies)
        self._end.erased[service, person] = asyncio.get_running_loop().time()
        self._end.erasing[service, person] = began
        self._end.just_erased[service, person] = await self._world.stored(service)
        self._unfinished.pop((service, person), None)

    async def _replay(self, node: Node) -> dict[str, int]:
        if await progress(node.database):
            raise Transient("a rebuild is going on")
        return await replay(node.runtime, self._world.dead(node.service).letters())

    async def _command(self, service: str, act: Callable[[Node], Awaitable[Any]], dies: float = 0.0) -> Any:
        """Run a command until it is done; the first time it is killed after ``dies`` seconds, if that is not 0."""
        limits = Limits(inputs=self._end.plan.inputs, outbox=self._end.plan.outbox)
        while True:
            node = self._world.make(service, router=None, limits=limits, slots=0, views=self._world.views(service))
            context = contextvars.copy_context()
            context.run(OWNER.set, node)
            task = asyncio.get_running_loop().create_task(_run(act, node), context=context)
            self._running += 1
            try:
                async with asyncio.timeout(dies or None):
                    return await asyncio.shield(task)
            except TimeoutError:
                self._tell(f"a command of {service} is killed")
                dies = 0.0
            except (Transient, Conflict):
                await asyncio.sleep(0.2)
            finally:
                if not task.done():
                    self._cut_at = asyncio.get_running_loop().time()
                self._running -= 1
                await _end(node)
                self._end.labels += node.labels


async def _run(act: Callable[[Node], Awaitable[Any]], node: Node) -> Any:
    return await act(node)


async def _end(node: Node) -> None:
    """Whatever of it still runs has no effect any more, and what it has open stays open."""
    node.crashed.set()
    inner: tuple[Any, ...] = (node.database.inner, node.publisher.inner)
    for part in inner:
        part.dead = True
    for task in list(node.tasks):
        task.cancel()
    await asyncio.gather(*node.tasks, return_exceptions=True)


async def insist(act: Callable[[], Awaitable[object]]) -> None:
    """Try again as long as the world is away."""
    while True:
        try:
            await act()
            return
        except (Transient, Conflict):
            await asyncio.sleep(0.2)
