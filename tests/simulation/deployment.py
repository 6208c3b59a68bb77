"""The processes of one world: as many as are wanted, started again when they die."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from shared.flow.fold import Limits
from tests.simulation.end import End
from tests.simulation.plan import SERVICES, Fault
from tests.simulation.world import SimulatedWorld
from tests.suites.world import Node

SLOTS = 3


class Deployment:
    """What Kubernetes does. ``wanted``: processes by service; ``down``: services that are scaled to nothing."""

    def __init__(self, world: SimulatedWorld, end: End, tell: Callable[[str], None], rng: random.Random) -> None:
        self._world = world
        self._end = end
        self._tell = tell
        self._rng = rng
        self.wanted = Counter(end.plan.nodes)
        self.down: set[str] = set()
        self.watchers: set[asyncio.Task[None]] = set()
        self._buried: set[Node] = set()

    async def start(self) -> None:
        """Start all that is wanted."""
        for service in SERVICES:
            await self.fill(service)

    async def fill(self, service: str) -> None:
        """Start what there is too little of."""
        while service not in self.down and len(self.living(service)) < self.wanted[service]:
            await self._begin(service)

    async def go_on(self, service: str) -> None:
        """Let a service run again that was scaled to nothing."""
        self.down.discard(service)
        await self.fill(service)

    async def shut_down(self, service: str, sleeper: Node | None) -> None:
        """End all processes of a service, but the one that is not found."""
        while running := [node for node in self.living(service) if node is not sleeper]:
            for node in running:
                node.crashed.set()
            await asyncio.sleep(0.1)

    async def stop(self, node: Node) -> None:
        """SIGTERM."""
        await node.process.stop(10.0)
        if not node.crashed.is_set():
            await self._bury(node)

    def living(self, service: str) -> list[Node]:
        """The processes of a service that are not buried."""
        return [node for node in self._world.nodes if node.service == service]

    def pick(self, fault: Fault) -> Node | None:
        """The process that a fault is for."""
        living = [node for node in self.living(fault.service) if not node.crashed.is_set()]
        return living[fault.which % len(living)] if living else None

    def spawn(self, what: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else, until the world ends."""
        task = asyncio.create_task(what)
        self.watchers.add(task)
        task.add_done_callback(self.watchers.discard)

    async def _begin(self, service: str) -> None:
        plan, views = self._end.plan, self._world.views(service)
        try:
            limits = Limits(inputs=plan.inputs, outbox=plan.outbox)
            node = await self._world.start(service, limits=limits, slots=SLOTS, views=views)
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            return  # it was killed while it started
        self.spawn(self._watch(node))

    async def _watch(self, node: Node) -> None:
        """Whatever dies is started again as long as there are too few."""
        await node.crashed.wait()
        await self._bury(node)
        await asyncio.sleep(self._rng.choice([0.0, 0.5, 3.0]))
        await self.fill(node.service)

    async def _bury(self, node: Node) -> None:
        if node not in self._buried:
            self._buried.add(node)
            crashed = node.crash_at is not None and node.labels[node.crash_at[0]] == node.crash_at[1]
            self._tell(f"{node.service}/{self._world.numbers[node]} dies at {node.crash_at if crashed else 'a kill'}")
            self._end.labels += node.labels
            if crashed and node.crash_at is not None:
                self._end.deaths[node.crash_at[0]] += 1
                self._end.injected["crash"] += 1
            await self._world.kill(node)
