"""All that recommend keeps in MongoDB, and the reads that are not by key."""

from collections.abc import Collection

from services.recommend.core import Circle, GroupProfile, NoteTerms, Person, Pulse
from services.recommend.placed import Suggestions, Visibility
from shared.flow.documents import FOLLOW_KEYS, from_mongo
from shared.flow.ports import Database
from shared.migrations import Index

KINDS = (GroupProfile, Circle, Pulse, Person, NoteTerms, Suggestions, Visibility)
COLLECTIONS = tuple(kind.COLLECTION for kind in KINDS)
INDEXES = tuple(Index(kind.COLLECTION, FOLLOW_KEYS) for kind in KINDS if kind.FOLLOWED)
"""Everything is read by key, but what the views follow."""


class Store:
    """Reads for the API."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def suggestions(self, note_id: str) -> Suggestions | None:
        """What was suggested for a note; None while it is hidden, because the reasons quote it, and once it is gone."""
        seen = await self._database.load(Visibility.COLLECTION, [note_id])
        if seen and from_mongo(Visibility, seen[0]).hidden:
            return None
        found = await self._database.load(Suggestions.COLLECTION, [note_id])
        made = from_mongo(Suggestions, found[0]) if found else None
        return None if made is None or made.withdrawn else made

    async def person(self, person_id: str) -> Person:
        """A person as far as anything was heard of them."""
        found = await self._database.load(Person.COLLECTION, [person_id])
        return from_mongo(Person, found[0]) if found else Person(id=person_id)

    async def joinable(self, group_ids: Collection[str]) -> set[str]:
        """Those of the groups that are open and have a seat now."""
        where = {"_id": {"$in": list(group_ids)}, "state": "open", "seats_left": {"$gt": 0}}
        return {d["_id"] for d in await self._database.find(GroupProfile.COLLECTION, where, fields=("state",))}
