"""All that moderation keeps in MongoDB, and the reads that are not by key."""

from services.moderation.content import Content
from shared.flow.documents import from_mongo
from shared.flow.ports import Database
from shared.migrations import Index

COLLECTIONS = (Content.COLLECTION,)
INDEXES: tuple[Index, ...] = ()
"""Content is read by key. It stays as long as what it is a copy of."""


class Store:
    """Reads for the API."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def content(self, content_id: str) -> Content | None:
        """A note or comment with its verdict."""
        stored = await self._database.load(Content.COLLECTION, [content_id])
        return from_mongo(Content, stored[0]) if stored else None
