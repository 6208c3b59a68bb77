"""Kill -9 of the services under load."""

import asyncio

from tests.faults.deaths import killed
from tests.faults.round import ON_REAL_PARTS, Rounds
from tests.faults.system import System

pytestmark = ON_REAL_PARTS
REACHED = ("NeedWithdrawn", "NeedEscalated", "TierChanged", "MemberLeft", "CommentVisibilityChanged")
"""What comes seldom, and must have come for the load to reach what it is to reach."""


async def test_kill_9_of_every_service_loses_and_doubles_nothing(system: System, rounds: Rounds) -> None:
    """Whatever dies under load: each accepted command has its effects, each effect once, and no input dies."""
    async with rounds(system) as round_:
        for _ in round_.times(3, 50):
            async with asyncio.TaskGroup() as group:
                for service in system.services:
                    group.create_task(killed(round_, service))
    kinds = system.witness.ledger.kinds
    assert all(kinds[kind] for kind in REACHED), "the load does not reach what it must"
