"""Kill -9 of the database under load."""

from tests.faults.round import ON_REAL_PARTS, Rounds
from tests.faults.system import System

pytestmark = ON_REAL_PARTS


async def test_kill_9_of_the_database_loses_and_doubles_nothing(system: System, rounds: Rounds) -> None:
    """Its restart is waited for: each accepted command has its effects, each effect once, and no input dies."""
    async with rounds(system) as round_:
        for _ in round_.times(few=1, full=10):
            await round_.sometime()
            await system.stack.database.restart()
            round_.faults += 1
            with round_.recovery():
                await round_.flows()
