"""Processes that are killed, at moments that the progress of the load decides."""

import asyncio

from local.fleet import Service
from local.processes import until
from tests.faults.round import WITHIN, Round

AGAIN = 0.25
"""How often a service is killed once more while it starts."""


async def killed(round_: Round, service: Service, within: int = WITHIN) -> None:
    """Kill -9 before the load has moved on by so many inputs, maybe again while it starts; returns when it is ready."""
    rng = round_.system.rng
    await round_.sometime(within)
    with round_.recovery():
        await service.child.kill()
        while rng.random() < AGAIN:
            service.child.start()
            await passed(rng.uniform(0.5, 2.0))  # from its imports to its first claims
            await service.child.kill()
            round_.faults += 1
        await service.start()
    round_.faults += 1


async def passed(seconds: float) -> None:
    """Lets so much time pass, where nothing tells from outside how far something has come."""
    clock = asyncio.get_running_loop().time
    moment = clock() + seconds
    await until(lambda: clock() >= moment, every=0.003)
