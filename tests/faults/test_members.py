"""Processes that come and go."""

from local.fleet import Service
from local.processes import together
from tests.faults.deaths import passed
from tests.faults.round import ON_REAL_PARTS, Round, Rounds
from tests.faults.system import System

pytestmark = ON_REAL_PARTS
VISIT = 4.0
"""Seconds, at most, that a process stays once it is ready."""


async def visited(round_: Round, visitor: Service) -> None:
    """A process more joins the groups of its service, takes its share, and leaves, politely or not."""
    system = round_.system
    with round_.recovery():
        await visitor.start()
        system.doors.open(visitor)
    await passed(system.rng.uniform(0.0, VISIT))
    await (visitor.child.kill() if system.rng.random() < 0.5 else visitor.child.stop())
    system.doors.close(visitor)
    round_.faults += 2


async def test_processes_that_come_and_go_lose_and_double_nothing(system: System, rounds: Rounds) -> None:
    """Partitions and slots wander between processes all the time; each lane goes on where it was."""
    async with rounds(system) as round_:
        visitors = [system.another(service.name) for service in system.services]
        for _ in round_.times(1, 15):
            await together(*(visited(round_, visitor) for visitor in visitors))
        await round_.flows()
