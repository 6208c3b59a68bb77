"""All that groups keeps in MongoDB, and the reads that are not by key."""

from services.groups.core import Group, Member, RelayedNote, member_id
from shared.flow.documents import from_mongo
from shared.flow.ports import Database
from shared.migrations import Index

COLLECTIONS = (Group.COLLECTION, Member.COLLECTION, RelayedNote.COLLECTION)
INDEXES: tuple[Index, ...] = ()
"""Everything is read by key. Nothing expires: what was earned is kept for a return."""


class Store:
    """Reads for the API."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def group(self, group_id: str) -> Group | None:
        """A group by id."""
        found = await self._database.load(Group.COLLECTION, [group_id])
        return from_mongo(Group, found[0]) if found else None

    async def member(self, group_id: str, person_id: str) -> Member | None:
        """A person in a group, members and others alike."""
        found = await self._database.load(Member.COLLECTION, [member_id(group_id, person_id)])
        member = from_mongo(Member, found[0]) if found else None
        # Ids may hold the colon that joins them: "a:b" of "c" is not "a" of "b:c".
        return member if member is not None and member.group_id == group_id else None
