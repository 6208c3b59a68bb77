"""All that groups keeps in MongoDB, and the reads that are not by key."""

from collections.abc import Sequence
from datetime import timedelta

from services.groups.core import Entry, Group, Member, Message, Need, Place, RelayedNote, member_id, need_id
from shared.flow.documents import from_mongo
from shared.flow.ports import Database, Json
from shared.migrations import Index
from shared.paging import Cursor

COLLECTIONS = (
    Group.COLLECTION,
    Member.COLLECTION,
    Place.COLLECTION,
    RelayedNote.COLLECTION,
    Entry.COLLECTION,
    Message.COLLECTION,
    Need.COLLECTION,
)
INDEXES = (
    Index(Member.COLLECTION, (("group_id", 1), ("state", 1), ("application.place", 1))),
    Index(Member.COLLECTION, (("group_id", 1), ("state", 1), ("application.at", 1), ("_id", 1))),
    Index(Entry.COLLECTION, (("group_id", 1), ("at", -1), ("_id", -1))),
    Index(Message.COLLECTION, (("group_id", 1), ("created_at", -1), ("_id", -1))),
    Index(Need.COLLECTION, (("group_id", 1), ("state", 1), ("opened_at", -1), ("_id", -1))),
    Index(Place.COLLECTION, (("ended", 1),), expire=timedelta(days=30)),
)
"""Places in a waiting list go a month after their seat was offered. Nothing else expires: what was earned is kept for
a return, what was said until its author or an erasure takes it away, and the audit as long as the group."""


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

    async def pending(self, group_id: str, after: Cursor | None, limit: int) -> list[Member]:
        """Who waits for the owner's answer, the oldest first."""
        where: Json = {"group_id": group_id, "state": "pending"}
        if after is not None:
            newer: list[Json] = [
                {"application.at": {"$gt": after.at}},
                {"application.at": after.at, "_id": {"$gt": after.id}},
            ]
            where |= {"application.at": {"$gte": after.at}, "$or": newer}
        return await self._members(where, (("application.at", 1), ("_id", 1)), limit)

    async def waiting(self, group_id: str, after: int, limit: int) -> list[Member]:
        """The waiting list behind a place, in its order."""
        where: Json = {"group_id": group_id, "state": "waiting", "application.place": {"$gt": after}}
        return await self._members(where, (("application.place", 1),), limit)

    async def ahead(self, group_id: str, place: int) -> int:
        """How many people wait at places before this one; reads their ids."""
        where: Json = {"group_id": group_id, "state": "waiting", "application.place": {"$lt": place}}
        return len(await self._database.find(Member.COLLECTION, where, fields=("_id",)))

    async def audit(self, group_id: str, after: Cursor | None, limit: int) -> list[Entry]:
        """Changes of a group, newest first."""
        where = {"group_id": group_id} | _after("at", after)
        found = await self._database.find(Entry.COLLECTION, where, sort=[("at", -1), ("_id", -1)], limit=limit)
        return [from_mongo(Entry, stored) for stored in found]

    async def _members(self, where: Json, order: Sequence[tuple[str, int]], limit: int) -> list[Member]:
        found = await self._database.find(Member.COLLECTION, where, sort=order, limit=limit)
        return [from_mongo(Member, stored) for stored in found]

    async def newest_messages(self, group_id: str, reader: str, after: Cursor | None, limit: int) -> list[Message]:
        """Messages of a group, newest first, after a place in that order; hidden ones only to their author."""
        visible: list[Json] = [{"hidden": False}, {"author_id": reader}]
        where = {"group_id": group_id, "text": {"$ne": ""}} | _after("created_at", after, visible)
        order = [("created_at", -1), ("_id", -1)]
        found = await self._database.find(Message.COLLECTION, where, sort=order, limit=limit)
        return [from_mongo(Message, stored) for stored in found]

    async def newest_needs(self, group_id: str, state: str, after: Cursor | None, limit: int) -> list[Need]:
        """Needs of a group in one state, the one opened last first, after a place in that order."""
        where = {"group_id": group_id, "state": state} | _after("opened_at", after)
        order = [("opened_at", -1), ("_id", -1)]
        found = await self._database.find(Need.COLLECTION, where, sort=order, limit=limit)
        return [from_mongo(Need, stored) for stored in found]

    async def needs_of(self, messages: Sequence[Message]) -> dict[str, Need]:
        """Needs that these messages have opened, by message."""
        found = await self._database.load(Need.COLLECTION, [need_id(m.id) for m in messages])
        return {need.message_id: need for need in (from_mongo(Need, stored) for stored in found)}


def _after(field: str, place: Cursor | None, any_of: Sequence[Json] = ()) -> Json:
    """A filter for what matches any of these and stands after a place in the order of (field, _id), both falling."""
    if place is None:
        return {"$or": list(any_of)} if any_of else {}
    older: list[Json] = [{field: {"$lt": place.at}}, {field: place.at, "_id": {"$lt": place.id}}]
    return {field: {"$lte": place.at}, "$or": [{**one, **other} for one in any_of or [{}] for other in older]}
