"""The floor of a service's sequences: above all that a timeline told which a restore from a backup has lost."""

from .documents import RESTORED
from .ports import Database


class Floor:
    """The sequence from which this service counts on, in memory, as of this process's start or its lanes' last claim.

    That is enough: the command raises it first and then fences every lane, so whoever commits after it has claimed
    after it, and knows.
    """

    def __init__(self) -> None:
        self.sequence = 0

    async def refresh(self, database: Database) -> bool:
        """Read it again; whether it has risen. Raises Transient."""
        before, self.sequence = self.sequence, await stored(database)
        return self.sequence > before


async def stored(database: Database) -> int:
    """The floor of this database; 0 as long as it was never restored."""
    found = await database.load(RESTORED, ["floor"])
    return int(found[0]["sequence"]) if found else 0
