"""(e) The ceiling: fetch, validate, judge, publish one event each; no database, no promise."""

import asyncio
import gc

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.contracts import Envelope
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE_VERDICT
from tests.bench.peers.plain import consumer, producer
from tests.bench.peers.trips import counted
from tests.bench.peers.until import while_not_stopped
from tests.bench.peers.workload import Job, answered, job, judge


async def work(told: Job, reader: AIOKafkaConsumer, writer: AIOKafkaProducer) -> None:
    """For ever; a batch is sent while the one before it is acknowledged."""
    sent: list[asyncio.Future[object]] = []
    while True:
        found = await reader.getmany(timeout_ms=50, max_records=500)
        before, sent = sent, []
        for record in (record for records in found.values() for record in records):
            verdict = judge(CommentPosted.model_validate_json(record.value), told.group)
            headers = answered(verdict, Envelope.of(record.headers)).headers()
            value = verdict.model_dump_json().encode()
            sent.append(await writer.send(NOTE_VERDICT.name, value, key=record.key, headers=headers))
        await asyncio.gather(*before)


async def main(told: Job) -> None:
    """Works until it is told to stop."""
    gc.set_threshold(50_000, 50, 100)
    async with consumer(told) as reader, producer(told, max_batch_size=262_144) as writer:
        await while_not_stopped(asyncio.create_task(work(told, reader, writer)))


if __name__ == "__main__":
    with counted(job()):
        asyncio.run(main(job()))
