"""(d) Inbox and outbox per event, by the book: one transaction an event, and a relay that polls the outbox.

The inbox is a collection with the event's id as ``_id``, the outbox one row an event, sent in the order of its ids and
then deleted; the offset is committed after the transaction.
"""

import asyncio
import gc
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from bson import ObjectId
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.contracts import Envelope
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE_VERDICT
from tests.bench.peers.plain import Store, consumer, producer
from tests.bench.peers.trips import counted
from tests.bench.peers.until import while_not_stopped
from tests.bench.peers.workload import Job, answered, job, judge

POLL = 0.05
ROWS = 100


async def consume(told: Job, reader: AIOKafkaConsumer, store: Store) -> None:
    """For ever: an event whose id is in the inbox was done before."""
    async with store.client.start_session() as session:
        async for record in reader:
            try:
                concerns: dict[str, Any] = {"read_concern": ReadConcern("snapshot")}
                async with await session.start_transaction(write_concern=WriteConcern("majority", j=True), **concerns):
                    await one(told, record, store, session)
            except DuplicateKeyError:
                pass
            await reader.commit()


async def one(told: Job, record: Any, store: Store, session: Any) -> None:
    """Inbox, work and outbox of one event."""
    cause = Envelope.of(record.headers)
    await store.database.inbox.insert_one({"_id": cause.id, "at": cause.time}, session=session)
    comment = CommentPosted.model_validate_json(record.value)
    verdict = judge(comment, told.group)
    await store.apply(comment, verdict, session)
    row = {
        "_id": ObjectId(),
        "topic": NOTE_VERDICT.name,
        "key": record.key,
        "value": verdict.model_dump_json().encode(),
        "headers": [list(pair) for pair in answered(verdict, cause).headers()],
    }
    await store.database.outbox.insert_one(row, session=session)


async def relay(writer: AIOKafkaProducer, store: Store) -> None:
    """For ever: rows are deleted when the broker has them."""
    outbox = store.database.outbox
    while True:
        rows = await outbox.find().sort("_id").limit(ROWS).to_list()
        sent = [
            await writer.send(row["topic"], row["value"], key=row["key"], headers=[(n, v) for n, v in row["headers"]])
            for row in rows
        ]
        await asyncio.gather(*sent)
        if rows:
            await outbox.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})
        if len(rows) < ROWS:
            await asyncio.sleep(POLL)


async def main(told: Job) -> None:
    """Works until it is told to stop."""
    gc.set_threshold(50_000, 50, 100)
    store = await Store.open(told)
    async with consumer(told, enable_auto_commit=False) as reader, producer(told) as writer:
        works = (consume(told, reader, store), relay(writer, store))
        await while_not_stopped(*(asyncio.create_task(work) for work in works))


if __name__ == "__main__":
    with counted(job()):
        asyncio.run(main(job()))
