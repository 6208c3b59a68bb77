"""All that notes keeps in MongoDB, and the reads that are not by key."""

from collections.abc import Sequence
from datetime import datetime

from services.notes.core import Comment, GroupCard, Need, Note, Relay, Revision, need_id, original, revision_id
from shared.flow.documents import from_mongo
from shared.flow.ports import Database, Json
from shared.migrations import Index

COLLECTIONS = (
    Note.COLLECTION,
    Comment.COLLECTION,
    Revision.COLLECTION,
    Need.COLLECTION,
    Relay.COLLECTION,
    GroupCard.COLLECTION,
)
INDEXES = (Index(Comment.COLLECTION, (("note_id", 1), ("created_at", -1), ("_id", -1))),)
"""Nothing here expires: notes and comments stay until their author or an erasure takes them away."""


class Store:
    """Reads for the API."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, note_id: str) -> Note | None:
        """A note by id."""
        found = await self._database.load(Note.COLLECTION, [note_id])
        return from_mongo(Note, found[0]) if found else None

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

    async def newest_comments(
        self, note_id: str, reader: str, after: tuple[datetime, str] | None, limit: int
    ) -> list[Comment]:
        """Comments of a note, newest first, after a place in that order; hidden ones only to their author."""
        visible: list[Json] = [{"hidden": False}, {"author_id": reader}]
        where: Json = {"note_id": note_id, "$or": visible}
        if after is not None:
            time, id_ = after
            older: list[Json] = [{"created_at": {"$lt": time}}, {"created_at": time, "_id": {"$lt": id_}}]
            both = [{**one, **other} for one in visible for other in older]
            where = {"note_id": note_id, "created_at": {"$lte": time}, "$or": both}
        order = [("created_at", -1), ("_id", -1)]
        found = await self._database.find(Comment.COLLECTION, where, sort=order, limit=limit)
        return [from_mongo(Comment, stored) for stored in found]

    async def needs_of(self, comments: Sequence[Comment]) -> dict[str, Need]:
        """Needs that these comments have opened, by comment."""
        found = await self._database.load(Need.COLLECTION, [need_id(c.id) for c in comments])
        return {need.comment_id: need for need in (from_mongo(Need, stored) for stored in found)}
