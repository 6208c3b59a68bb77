"""Processes that end at a labelled step of a lane: every label, every service."""

import json
import sys

from local.fleet import Service
from local.processes import together, wait_for
from shared.contracts.topics import NOTE
from tests.faults.deaths import passed
from tests.faults.dying import DIED, FULL
from tests.faults.planting import Planter, planting
from tests.faults.round import ON_REAL_PARTS, Round, Rounds
from tests.faults.system import System
from tests.property.test_crashes import labels

pytestmark = ON_REAL_PARTS
DEATH = 180.0
"""Seconds in which a process comes to its step."""
SELDOM = ("claim:", "stop:", "hold:", "trim:", FULL)
"""How labels begin that a process passes once, or a few times."""
SENSITIVE = {"LIANYI_DEAD_LEAST": "1", "LIANYI_DEAD_SHARE": "0.000001"}
"""A single dead letter holds a lane."""


class Mortal:
    """A service of which processes die at a label, one after the other."""

    def __init__(self, round_: Round, service: Service) -> None:
        self._round, self._service = round_, service
        self._plain = list(service.child.argv), dict(service.child.env)

    async def through(self, label: str, planter: Planter) -> None:
        """One dies at the label; then the service is as it was, ready."""
        await self.begin(label)
        await self.end(label, planter)
        await self.mended()

    async def begin(self, label: str) -> None:
        """In the place of the process that runs, if one does, one that will die at the label."""
        child = self._service.child
        await child.kill()
        occurrence = 1 if label.startswith(SELDOM) else self._round.system.rng.randint(1, 8)
        argv, env = self._plain
        child.argv = [sys.executable, "-m", "tests.faults.dying", self._service.name, label, str(occurrence), argv[-1]]
        child.env = env | (SENSITIVE if label.startswith("hold:") else {})
        try:
            child.start()
        finally:
            child.argv, child.env = self._plain

    async def end(self, label: str, planter: Planter) -> None:
        """It dies there and not otherwise; what must happen for it to come there, happens."""
        child = self._service.child
        if label.startswith("stop:"):
            await wait_for(self._ready_or_dead, DEATH, f"{self._service.name} is ready")
            await child.stop(DEATH)
        elif label.startswith("hold:"):
            await planter.plant(NOTE, f"of {label}", b"without headers")
        elif label == FULL:

            async def crowded() -> bool:
                # Commands are refused before they come to a full lane: it is records that wait there for room.
                await planter.plant(NOTE, f"of {label}", b"without headers")
                await passed(1.0)
                return await self._dead()

            await wait_for(crowded, DEATH, f"{self._service.name} is full")
        await wait_for(self._dead, DEATH, f"{self._service.name} dies at {label}")
        assert child.status == DIED, f"{self._service.name} at {label}: status {child.status}{child.tail()}"
        self._round.faults += 1
        if label == "hold:done":
            await self._release()

    async def _dead(self) -> bool:
        return not self._service.child.alive

    async def _ready_or_dead(self) -> bool:
        """Lanes stop, too, when partitions wander while it joins its groups."""
        return await self._dead() or await self._service.ready()

    async def _release(self) -> None:
        system, name = self._round.system, self._service.name
        told = [json.loads(line) for line in (await system.operate(name, "lanes")).splitlines()]
        held = [lane["lane"] for lane in told if lane["held"]]
        assert held
        for lane in held:
            await system.operate(name, "release", lane)

    async def mended(self) -> None:
        """The service as it was, ready."""
        with self._round.recovery():
            await self._service.start()


async def test_exit_at_any_step_of_any_service_loses_and_doubles_nothing(system: System, rounds: Rounds) -> None:
    """A process that ends between any two steps of a lane leaves nothing undone and nothing to be done twice."""
    async with rounds(system) as round_, planting(round_) as planter:
        steps = {service.name: sorted(labels()) for service in system.services}
        for order in steps.values():
            system.rng.shuffle(order)
        mortals = [Mortal(round_, service) for service in system.services]
        for n in round_.times(1, len(labels())):
            now = [order[n % len(order)] for order in steps.values()]
            print(f"  {', '.join(f'{name} at {label}' for name, label in zip(steps, now, strict=True))}", flush=True)
            await together(*(mortal.through(label, planter) for mortal, label in zip(mortals, now, strict=True)))
