"""(b) A plain aiokafka loop: one message at a time, commit after it."""

import asyncio
import gc

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.contracts import Envelope
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE_VERDICT
from tests.bench.peers.plain import Store, consumer, producer
from tests.bench.peers.trips import counted
from tests.bench.peers.until import while_not_stopped
from tests.bench.peers.workload import Job, answered, job, judge


async def work(told: Job, reader: AIOKafkaConsumer, writer: AIOKafkaProducer, store: Store) -> None:
    """For ever."""
    async for record in reader:
        comment = CommentPosted.model_validate_json(record.value)
        verdict = judge(comment, told.group)
        await store.apply(comment, verdict)
        headers = answered(verdict, Envelope.of(record.headers)).headers()
        value = verdict.model_dump_json().encode()
        await writer.send_and_wait(NOTE_VERDICT.name, value, key=record.key, headers=headers)
        await reader.commit()


async def main(told: Job) -> None:
    """Works until it is told to stop."""
    gc.set_threshold(50_000, 50, 100)
    store = await Store.open(told)
    async with consumer(told, enable_auto_commit=False) as reader, producer(told) as writer:
        await while_not_stopped(asyncio.create_task(work(told, reader, writer, store)))


if __name__ == "__main__":
    with counted(job()):
        asyncio.run(main(job()))
