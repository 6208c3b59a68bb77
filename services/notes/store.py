"""All that notes keeps in MongoDB, and the reads that are not by key."""

from collections.abc import Sequence
from datetime import datetime

from services.notes.core import (
    Comment,
    GroupCard,
    Need,
    NeedState,
    Note,
    Reaction,
    ReactionKind,
    Record,
    Relay,
    Revision,
    need_id,
    original,
    reaction_id,
    revision_id,
)
from shared.flow.documents import from_mongo
from shared.flow.ports import Database, Json
from shared.migrations import Index

COLLECTIONS = (
    Note.COLLECTION,
    Comment.COLLECTION,
    Revision.COLLECTION,
    Reaction.COLLECTION,
    Record.COLLECTION,
    Need.COLLECTION,
    Relay.COLLECTION,
    GroupCard.COLLECTION,
)
INDEXES = (
    Index(Note.COLLECTION, (("created_at", -1), ("_id", -1))),
    Index(Note.COLLECTION, (("hot_at", -1), ("_id", -1))),
    Index(Note.COLLECTION, (("author_id", 1), ("cell", 1))),
    Index(Comment.COLLECTION, (("note_id", 1), ("created_at", -1), ("_id", -1))),
    Index(Need.COLLECTION, (("note_id", 1), ("opened_at", -1), ("_id", -1))),
)
"""Nothing here expires: notes and comments stay until their author or an erasure takes them away."""


Place = tuple[datetime, str]
"""Where a page ends, in the order of time and id."""


def behind(field: str, after: Place | None, where: Json) -> Json:
    """The filter for what also stands behind a place, the latest first; the bound is one for the index."""
    if after is None:
        return where
    time, id_ = after
    bound = {**where.get(field, {}), "$lte": time}
    return {**where, field: bound, "$or": [{field: {"$lt": time}}, {field: time, "_id": {"$lt": id_}}]}


class Store:
    """Reads for the API."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, note_id: str) -> Note | None:
        """A note by id."""
        found = await self._database.load(Note.COLLECTION, [note_id])
        return from_mongo(Note, found[0]) if found else None

    async def cell_told(self, person_id: str, cells: Sequence[str]) -> str | None:
        """The cell of the first note by a person that is in one of these, deleted ones too."""
        where = {"author_id": person_id, "cell": {"$in": list(cells)}}
        order = [("created_at", 1), ("_id", 1)]
        found = await self._database.find(Note.COLLECTION, where, sort=order, limit=1, fields=("cell",))
        return str(found[0]["cell"]) if found else None

    async def record(self, person_id: str) -> Record | None:
        """What a person has written, asked and answered."""
        found = await self._database.load(Record.COLLECTION, [person_id])
        return from_mongo(Record, found[0]) if found else None

    async def comment(self, comment_id: str) -> Comment | None:
        """A comment by id."""
        found = await self._database.load(Comment.COLLECTION, [comment_id])
        return from_mongo(Comment, found[0]) if found else None

    async def history(self, content: Note | Comment) -> list[Revision]:
        """All texts of a note or comment, in their order."""
        ids = [revision_id(content.id, number) for number in range(content.latest + 1)]
        found = [from_mongo(Revision, stored) for stored in await self._database.load(Revision.COLLECTION, ids)]
        return sorted(found, key=lambda edit: edit.number) or [original(content)]

    async def last_edits(self, contents: Sequence[Note | Comment], reader: str) -> dict[str, Revision]:
        """Edits of the reader's own that others do not see, by content."""
        own = [c for c in contents if c.author_id == reader and c.latest != c.revision and not c.deleted]
        ids = [revision_id(content.id, content.latest) for content in own]
        found = await self._database.load(Revision.COLLECTION, ids) if ids else []
        return {edit.content_id: edit for edit in (from_mongo(Revision, stored) for stored in found)}

    async def notes(self, order: str, since: datetime | None, after: Place | None, limit: int) -> list[Note]:
        """Notes that all may see, not older than ``since``: the latest by ``created_at`` or ``hot_at`` first."""
        where: Json = {"hidden": False, "deleted": {"$ne": True}}
        if since is not None:
            # No note is hot before it was written, so nothing before this moment need be looked at.
            where |= {"created_at": {"$gt": since}, order: {"$gt": since}}
        where = behind(order, after, where)
        found = await self._database.find(Note.COLLECTION, where, sort=[(order, -1), ("_id", -1)], limit=limit)
        return [from_mongo(Note, stored) for stored in found]

    async def reactions(self, note_ids: Sequence[str], reader: str) -> dict[str, set[str]]:
        """What the reader thinks of these notes, by note."""
        kinds: tuple[ReactionKind, ...] = ("like", "save")
        ids = [reaction_id(note_id, reader, kind) for note_id in note_ids for kind in kinds]
        mine: dict[str, set[str]] = {}
        for stored in await self._database.load(Reaction.COLLECTION, ids):
            reaction = from_mongo(Reaction, stored)
            if reaction.on:
                mine.setdefault(reaction.note_id, set()).add(reaction.kind)
        return mine

    async def newest_comments(self, note_id: str, reader: str, after: Place | None, limit: int) -> list[Comment]:
        """Comments of a note, newest first, after a place in that order; hidden ones only to their author."""
        visible: list[Json] = [{"hidden": False}, {"author_id": reader}]
        where: Json = {"note_id": note_id, "$or": visible}
        if after is not None:
            where = behind("created_at", after, {"note_id": note_id})
            where["$or"] = [{**one, **other} for one in visible for other in where["$or"]]
        order = [("created_at", -1), ("_id", -1)]
        found = await self._database.find(Comment.COLLECTION, where, sort=order, limit=limit)
        return [from_mongo(Comment, stored) for stored in found]

    async def needs(self, note_id: str, state: NeedState | None, after: Place | None, limit: int) -> list[Need]:
        """Needs under a note, those of a state or all, the one opened last first."""
        where: Json = {"note_id": note_id} | ({"state": state} if state is not None else {})
        order = [("opened_at", -1), ("_id", -1)]
        found = await self._database.find(Need.COLLECTION, behind("opened_at", after, where), sort=order, limit=limit)
        return [from_mongo(Need, stored) for stored in found]

    async def needs_of(self, comments: Sequence[Comment]) -> dict[str, Need]:
        """Needs that these comments have opened, by comment."""
        found = await self._database.load(Need.COLLECTION, [need_id(c.id) for c in comments])
        return {need.comment_id: need for need in (from_mongo(Need, stored) for stored in found)}
