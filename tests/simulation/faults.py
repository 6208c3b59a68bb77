"""What breaks, and how all heals. A fault is injected when it acts; ``End.drawn`` says how many were meant to."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from shared.flow.documents import LANES
from tests.simulation.clients import Clients
from tests.simulation.deployment import Deployment
from tests.simulation.end import End, Lost
from tests.simulation.operator import Operator, insist
from tests.simulation.plan import SERVICES, Fault
from tests.simulation.world import SimulatedWorld
from tests.suites.world import Node

PASSING = ("kill", "crash", "commit", "send")
"""Faults that take no time."""


class Faults:
    """All that is done to a world until it heals."""

    def __init__(
        self, world: SimulatedWorld, end: End, operator: Operator, deployment: Deployment, clients: Clients
    ) -> None:
        self._world = world
        self._end = end
        self._operator = operator
        self._deployment = deployment
        self._clients = clients
        self._rng = random.Random(end.plan.seed + 3)
        self._harmed: set[Node] = set()
        """Those that stand still or are out of their groups: no second fault of that sort meets them."""

    async def inject(self, fault: Fault, tell: Callable[[str], None]) -> None:
        """Let something break at its time."""
        await asyncio.sleep(fault.at)
        name = _name(fault)
        self._end.drawn[name] += 1
        tell(f"{fault.kind} {fault.service} {fault.what} {fault.seconds or ''}".strip())
        if await self._act(fault):
            self._end.injected[name] += 1

    async def heal(self, faults: Sequence["asyncio.Task[None]"]) -> None:
        """Whatever is away comes back, whoever stands still goes on, and what an operator has begun is ended."""
        self._clients.healed = True
        world = self._world
        world.broker.away = False
        for server in world.servers.values():
            server.away = False
        for node in list(world.nodes):
            world.loop.continue_node(node)
        for fault in faults:
            fault.cancel()
        await asyncio.gather(*faults, return_exceptions=True)
        for node in list(world.nodes):
            world.loop.continue_node(node)
            await world.rejoin(node)
            node.crash_at = None
            node.passing = lambda passed: None
            node.database.commits.clear()
            node.database.reply.set()
            for consumer in world.consumers(node):
                consumer.blocked = False
            node.publisher.away = False
            node.publisher.faults.clear()
        world.broker.wake()
        for service in SERVICES:
            if service not in self._operator.untold:
                await self._deployment.go_on(service)
        await self._operator.finish()

    # -- whether a fault acted -----------------------------------------------------------------------------

    async def _act(self, fault: Fault) -> bool:
        match fault.kind:
            case "broker away" | "database away":
                return await self._outage(fault)
            case "rewind":
                return self._world.rewind(fault.service, fault.what) > 0
            case "resend":
                return self._world.resend(fault.what, fault.which) > 0
            case "poison":
                for _ in range(int(fault.seconds)):
                    await insist(lambda: self._world.spoil(fault.what, fault.which))
            case "restore":
                return await self._restore(fault)
            case "mend":
                was: bool = self._world.toy.broken
                self._world.toy.broken = False
                return was
            case "grow":
                self._deployment.wanted[fault.service] += 1
                await self._deployment.fill(fault.service)
            case "hold" | "rebuild" | "erase" | "replay":
                return await self._command(fault)
            case _:
                return await self._harm_one(fault)
        return True

    async def _command(self, fault: Fault) -> bool:
        match fault.kind:
            case "hold":
                await self._operator.hold(fault)
            case "rebuild":
                await self._operator.rebuild(fault)
            case "erase":
                said = f"~{fault.what}~" in str(await self._world.documents("notes", "comments"))
                await self._operator.erase(fault.what, fault.seconds)
                return said
            case _:
                return bool(await self._operator.replay(fault.service, fault.seconds))
        return True

    async def _harm_one(self, fault: Fault) -> bool:
        node = self._deployment.pick(fault)
        if node is None:
            return False
        if fault.kind in PASSING:
            self._strike(node, fault)
            return fault.kind == "kill"  # the others count when they are met
        if node in self._harmed:
            return False
        self._harmed.add(node)
        acted = await self._harm(node, fault)
        self._harmed.discard(node)
        return acted

    def _strike(self, node: Node, fault: Fault) -> None:
        def met(what: str) -> None:
            self._end.injected[f"{fault.kind} {what}"] += 1

        match fault.kind:
            case "kill":
                node.crashed.set()
            case "crash":
                node.crash_at = (fault.what, node.labels[fault.what] + 1)
            case "commit":
                node.database.met = met
                node.database.commits.append(fault.what)  # type: ignore[arg-type]
                if fault.seconds:
                    node.database.reply.clear()
                    self._deployment.spawn(_later(fault.seconds, node.database.reply.set))
            case "send":
                node.publisher.met = met
                node.publisher.faults.append(fault.what)  # type: ignore[arg-type]

    async def _harm(self, node: Node, fault: Fault) -> bool:
        world = self._world
        match fault.kind:
            case "freeze":
                await world.freeze(node, fault.seconds)
            case "zombie":
                reached = await self._reach(node, fault.what)
                if node in world.nodes:  # it may have died meanwhile
                    await world.zombie(node, fault.seconds)
                return reached
            case "lag":
                return await self._lag(node, fault)
            case "cut":
                before = node.publisher.refused
                node.publisher.away = True
                await asyncio.sleep(fault.seconds)
                node.publisher.away = False
                return node.publisher.refused > before
            case "expel":
                async with world.membership:
                    await world.expel(node)
                await asyncio.sleep(fault.seconds)
                await world.rejoin(node)
            case "shrink":
                if self._deployment.wanted[fault.service] == 1:
                    return False
                self._deployment.wanted[fault.service] -= 1
                await self._deployment.stop(node)
                await asyncio.sleep(fault.seconds)
        return True

    async def _lag(self, node: Node, fault: Fault) -> bool:
        consumers = self._world.consumers(node)
        for consumer in consumers:
            consumer.blocked = True
        await asyncio.sleep(fault.seconds)
        waits = any(self._world.broker.topics[t][p].end > at for c in consumers for (t, p), at in c.positions.items())
        for consumer in consumers:
            consumer.blocked = False
            consumer.more.set()
        return waits

    async def _reach(self, node: Node, label: str) -> bool:
        """Wait until a node comes to a label, for a while, and stop it right there."""
        if not label:
            return True
        reached = asyncio.Event()

        def passing(passed: str) -> None:
            if passed == label and not reached.is_set():
                reached.set()
                self._world.loop.stop_node(node)

        node.passing = passing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await reached.wait()
        node.passing = lambda passed: None
        return reached.is_set()

    async def _restore(self, fault: Fault) -> bool:
        """A service's database is set back to a backup. With ``what`` one process is not found: it stands still, at a
        label if it comes to it, and wakes later. Returns whether anything was lost.
        """
        service, server, loop = fault.service, self._world.servers[fault.service], asyncio.get_running_loop()
        backup, taken = server.backup(), loop.time()
        await asyncio.sleep(fault.seconds)
        async with asyncio.TaskGroup() as group, self._operator.busy[service]:
            self._deployment.down.add(service)
            sleeper = self._deployment.pick(fault) if fault.what else None
            if sleeper in self._harmed:
                sleeper = None
            if sleeper is not None:
                self._harmed.add(sleeper)
                await self._reach(sleeper, "" if fault.what == "asleep" else fault.what)
                group.create_task(self._sleep(sleeper, self._rng.choice([0.2, 0.5, 5.0, 15.0])))
            await self._deployment.shut_down(service, sleeper)
            if service == "notes":
                self._clients.cut()
            lost = _documents(server.backup()) != _documents(backup)
            await self._operator.put_back(Lost(service, taken, loop.time()), backup)
        return lost

    async def _sleep(self, node: Node, seconds: float) -> None:
        if node in self._world.nodes:
            await self._world.zombie(node, seconds)
        self._harmed.discard(node)

    async def _outage(self, fault: Fault) -> bool:
        part: Any = self._world.broker if fault.kind == "broker away" else self._world.servers[fault.service]
        part.away = True
        await asyncio.sleep(fault.seconds)
        part.away = False
        self._world.broker.wake()
        return True


def _name(fault: Fault) -> str:
    return f"{fault.kind} {fault.what}" if fault.kind in ("commit", "send") else fault.kind


def _documents(backup: Any) -> dict[str, dict[str, bytes]]:
    """What is in a backup, but for who owned what."""
    return {name: documents for name, documents in backup.items() if name != LANES and documents}


async def _later(seconds: float, act: Callable[[], None]) -> None:
    await asyncio.sleep(seconds)
    act()


def told(injected: Counter[str], drawn: Counter[str]) -> str:
    """How many faults acted of how many that were drawn, by kind."""
    return ", ".join(f"{kind} {injected[kind]}/{n}" for kind, n in sorted(drawn.items()))
