"""What the peers without lanes have in common: clients of the broker, and find and update per document."""

from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.write_concern import WriteConcern

from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE
from tests.bench.peers.workload import Job, author_key, judgement

COLLECTIONS = ("judgements", "notes", "authors", "inbox", "outbox")


def consumer(told: Job, **more: Any) -> AIOKafkaConsumer:
    """Of the comments, from the first on, one in a group."""
    return AIOKafkaConsumer(
        NOTE.name, bootstrap_servers=told.kafka, group_id=told.group, auto_offset_reset="earliest", **more
    )


def producer(told: Job, **more: Any) -> AIOKafkaProducer:
    """As sure as ours: all replicas, nothing twice."""
    return AIOKafkaProducer(bootstrap_servers=told.kafka, acks="all", enable_idempotence=True, **more)


@dataclass(frozen=True, slots=True)
class Store:
    """The database of one run: majority writes with the journal, as ours."""

    client: AsyncMongoClient[dict[str, Any]]
    database: AsyncDatabase[dict[str, Any]]
    partitions: int

    @classmethod
    async def open(cls, told: Job) -> "Store":
        """Collections are made at once: made inside transactions they would conflict."""
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(told.mongo)
        database = client.get_database(told.database, write_concern=WriteConcern("majority", j=True))
        there = await database.list_collection_names()
        for name in COLLECTIONS:
            if name not in there:
                await database.create_collection(name)
        return cls(client, database, told.partitions)

    async def apply(
        self, comment: CommentPosted, verdict: ContentJudged, session: AsyncClientSession | None = None
    ) -> None:
        """Count on note and author, store the judgement."""
        more = {"$inc": {"comments": 1}}
        await self.database.notes.find_one_and_update({"_id": comment.note_id}, more, upsert=True, session=session)
        author = {"_id": author_key(comment, self.partitions)}
        await self.database.authors.find_one_and_update(author, more, upsert=True, session=session)
        stored = {"_id": verdict.content_id, **judgement(verdict)}
        await self.database.judgements.insert_one(stored, session=session)
