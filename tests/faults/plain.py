"""A plain consumer group beside ours: what one writes who has aiokafka, a database, and care, and no lanes.

A process of its own, with the timeouts of our services: `python -m tests.faults.plain KAFKA MONGO`. It stores every
comment and then commits the offsets: at least once, nothing published. On standard output it tells when it is a member,
and then, in JSON lines, which numbers it has stored and when. SIGTERM ends it in order.
"""

import asyncio
import json
import sys
import time
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import PyMongoError
from pymongo.write_concern import WriteConcern

from local.processes import run_until_signal, until
from shared.contracts.topics import NOTE

JOINED = "is a member"
"""What it says when it has been given its share."""
PAUSE = 0.1
"""Seconds between tries, against a database or a broker that does not answer."""


async def main(kafka: str, mongo: str) -> int:
    """Reads, stores, commits, until it is cancelled; then it leaves the group."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
        mongo, serverSelectionTimeoutMS=3_000, connectTimeoutMS=3_000, socketTimeoutMS=20_000
    )
    stored = client.plain.get_collection("comments", write_concern=WriteConcern("majority", j=True))
    consumer = AIOKafkaConsumer(
        NOTE.name,
        bootstrap_servers=kafka,
        group_id="plain",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=1_000,
        rebalance_timeout_ms=30_000,
    )
    await consumer.start()
    try:
        await until(lambda: bool(consumer.assignment()))
        print(JOINED, flush=True)
        return await read(consumer, stored)
    finally:
        await consumer.stop()


async def read(consumer: AIOKafkaConsumer, stored: Any) -> int:
    """Never returns."""
    while True:
        found = await consumer.getmany(timeout_ms=50, max_records=500)
        bodies = [json.loads(record.value) for records in found.values() for record in records]
        if not bodies:
            continue
        while True:
            try:
                await stored.insert_many([dict(body) for body in bodies])
                break
            except PyMongoError as error:
                print(type(error).__name__, file=sys.stderr)
                await asyncio.sleep(PAUSE)
        print(json.dumps({"at": time.time(), "ids": [body["comment_id"] for body in bodies]}), flush=True)
        try:
            await consumer.commit()
        except KafkaError as error:  # read again, stored again
            print(type(error).__name__, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_until_signal(main(*sys.argv[1:])))
