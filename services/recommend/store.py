"""All that recommend keeps in MongoDB, and the reads that are not by key."""

from collections.abc import Collection

from services.recommend.core import Circle, GroupProfile, NoteTerms, Person, Pulse, Spot
from services.recommend.placed import Suggestions, Visibility
from shared.flow.documents import FOLLOW_KEYS, from_mongo
from shared.flow.ports import Database, Json
from shared.gather import Gathered
from shared.migrations import Index
from shared.place import FENCE_KM, districts, kilometres

KINDS = (GroupProfile, Circle, Pulse, Person, NoteTerms, Suggestions, Visibility)
COLLECTIONS = tuple(kind.COLLECTION for kind in KINDS)
INDEXES = (
    *(Index(kind.COLLECTION, FOLLOW_KEYS) for kind in KINDS if kind.FOLLOWED),
    Index(NoteTerms.COLLECTION, (("district", 1), ("at", -1))),
)
"""Everything is read by key, but what the views follow, and notes by where they are."""
AROUND = 200
"""Notes that are looked at for what is near: the districts are more than that, and some notes are hidden."""


class Store:
    """Reads for the API."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._people = Gathered(self._read_people)
        self._open = Gathered(self._read_open)

    async def suggestions(self, note_id: str) -> Suggestions | None:
        """What was suggested for a note; None while it is hidden, because the reasons quote it, and once it is gone."""
        seen = await self._database.load(Visibility.COLLECTION, [note_id])
        if seen and from_mongo(Visibility, seen[0]).hidden:
            return None
        found = await self._database.load(Suggestions.COLLECTION, [note_id])
        made = from_mongo(Suggestions, found[0]) if found else None
        return None if made is None or made.withdrawn else made

    async def nearby(self, cell: str) -> list[Spot]:
        """Notes that all may see within the fence around a cell, the newest first. Raises ValueError for no cell."""
        where = {"district": {"$in": districts(cell)}}
        found = await self._database.find(
            NoteTerms.COLLECTION, where, sort=[("at", -1)], limit=AROUND, fields=("author_id", "at", "cell")
        )
        near = [Spot(d["_id"], d["author_id"], d["at"]) for d in found if kilometres(cell, d["cell"]) <= FENCE_KM]
        seen = await self._database.load(Visibility.COLLECTION, [note.note_id for note in near]) if near else []
        hidden = {one.id for one in (from_mongo(Visibility, stored) for stored in seen) if one.hidden}
        return [note for note in near if note.note_id not in hidden]

    async def person(self, person_id: str) -> Person:
        """A person as far as anything was heard of them."""
        found = await self._people.of([person_id])
        return from_mongo(Person, found[person_id]) if found else Person(id=person_id)

    async def joinable(self, group_ids: Collection[str]) -> set[str]:
        """Those of the groups that are open and have a seat now."""
        return set(await self._open.of(group_ids))

    async def _read_people(self, ids: Collection[str]) -> dict[str, Json]:
        return {stored["_id"]: stored for stored in await self._database.load(Person.COLLECTION, ids)}

    async def _read_open(self, ids: Collection[str]) -> dict[str, Json]:
        where = {"_id": {"$in": list(ids)}, "state": "open", "seats_left": {"$gt": 0}}
        found = await self._database.find(GroupProfile.COLLECTION, where, limit=len(ids), fields=("state",))
        return {stored["_id"]: stored for stored in found}
