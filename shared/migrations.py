"""Indexes and collections as data, made once, under a lock, before any lane starts."""

import asyncio
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.flow.documents import (
    DEAD,
    DEAD_KEPT,
    ERASED,
    INBOX,
    INBOX_KEPT,
    LANES,
    REPLIES_KEPT,
    RESTORED,
    StoredReply,
    Timer,
)
from shared.flow.ports import Conflict
from shared.mongo import MongoDatabase
from shared.mongo_faults import reached

_VERSIONS = "migrations"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Every time of ours is later."""
_OPTIONS = ("unique", "expireAfterSeconds")
_LOCK_KEPT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Index:
    """An index as data. ``expire`` makes it a TTL index on its one date field.

    ``timed``: only documents whose first field is a time are in it, and cost something; it serves queries for a time.
    """

    collection: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False
    expire: timedelta | None = None
    timed: bool = False

    @property
    def name(self) -> str:
        """Name of the migration that makes it."""
        fields = ",".join(f"{field}:{order}" for field, order in self.keys)
        kept = f" for {int(self.expire.total_seconds())} s" if self.expire is not None else ""
        return f"{self.collection}({fields}){'!' if self.unique else ''}{kept}{' where timed' if self.timed else ''}"

    async def make(self, collection: Any) -> None:
        """Create it, in place of one with the same keys and other options."""
        options = self.options()
        for name, known in (await reached(collection.index_information())).items():
            same_keys = list(known["key"]) == list(self.keys)
            # What a partial index leaves out is compared by whether it does: its time comes back without a zone.
            alike = self.timed == ("partialFilterExpression" in known)
            if same_keys and not (alike and all(known.get(name) == options.get(name) for name in _OPTIONS)):
                await reached(collection.drop_index(name))
        await reached(collection.create_index(list(self.keys), **options))

    def options(self) -> dict[str, Any]:
        """What the driver is told beside the keys."""
        made: dict[str, Any] = {"unique": True} if self.unique else {}
        if self.expire is not None:
            made["expireAfterSeconds"] = int(self.expire.total_seconds())
        if self.timed:
            made["partialFilterExpression"] = {self.keys[0][0]: {"$gte": LONG_AGO}}
        return made


FLOW_COLLECTIONS = (LANES, INBOX, DEAD, ERASED, RESTORED, Timer.COLLECTION, StoredReply.COLLECTION)
FLOW_INDEXES = (
    Index(INBOX, (("ids", 1),)),
    Index(INBOX, (("at", 1),), expire=INBOX_KEPT),
    Index(DEAD, (("at", 1),), expire=DEAD_KEPT),
    Index(Timer.COLLECTION, (("lane", 1), ("due", 1))),
    Index(StoredReply.COLLECTION, (("at", 1),), expire=REPLIES_KEPT),
)
"""What every lane needs, beside the service's own."""


class _MigrationLock:
    """One migration at a time; a lock whose owner died is anybody's after a minute."""

    def __init__(self, database: Any) -> None:
        self._locks = database["migration_lock"]
        self._owner = uuid.uuid4().hex

    async def __aenter__(self) -> None:
        while True:
            now = datetime.now(UTC)
            try:
                await reached(self._locks.delete_one({"_id": "lock", "until": {"$lt": now}}))
                await reached(self._locks.insert_one({"_id": "lock", "owner": self._owner, "until": now + _LOCK_KEPT}))
                return
            except Conflict:
                await asyncio.sleep(0.2)

    async def __aexit__(self, *_: object) -> None:
        await reached(self._locks.delete_one({"_id": "lock", "owner": self._owner}))


async def migrate(database: MongoDatabase, indexes: Sequence[Index], collections: Collection[str]) -> list[str]:
    """Make collections and indexes that are missing, one process at a time; returns what was made.

    Collections are made here because making them inside concurrent transactions conflicts. An index whose
    expiry has changed is made anew.
    """
    raw = database.raw
    async with _MigrationLock(raw):
        existing = set(await reached(raw.list_collection_names()))
        done = await _done(database)
        made = []
        for name in _names((), {*collections, *(i.collection for i in indexes)}):
            if name not in done:
                if name not in existing:
                    await reached(raw.create_collection(name))
                made.append(await _note(raw, name))
        for index in indexes:
            if index.name not in done:
                await index.make(raw[index.collection])
                made.append(await _note(raw, index.name))
        return made


async def migrated(database: MongoDatabase, indexes: Sequence[Index], collections: Collection[str]) -> bool:
    """Whether ``migrate`` has been done for all of these."""
    return set(_names(indexes, collections)) <= await _done(database)


def _names(indexes: Sequence[Index], collections: Collection[str]) -> list[str]:
    return [*sorted(collections), *(index.name for index in indexes)]


async def _done(database: MongoDatabase) -> set[str]:
    return {d["_id"] for d in await database.find(_VERSIONS, {})}


async def _note(raw: Any, name: str) -> str:
    await reached(raw[_VERSIONS].insert_one({"_id": name, "at": datetime.now(UTC)}))
    return name
