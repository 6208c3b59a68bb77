"""(a) Plain FastStream: one message at a time, ack after the handler. ``variant`` is its number of workers."""

import asyncio
import gc

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from shared.contracts import Envelope
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE, NOTE_VERDICT
from tests.bench.peers.plain import Store
from tests.bench.peers.trips import counted
from tests.bench.peers.until import stopped
from tests.bench.peers.workload import Job, answered, job, judge


async def main(told: Job) -> None:
    """Works until it is told to stop."""
    gc.set_threshold(50_000, 50, 100)
    store = await Store.open(told)
    broker = KafkaBroker(told.kafka, acks="all", enable_idempotence=True, logger=None)

    @broker.subscriber(
        NOTE.name,
        group_id=told.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_workers=int(told.variant or 1),
        group_instance_id=told.instance or None,
    )
    async def judge_comment(comment: CommentPosted, message: KafkaMessage) -> None:
        verdict = judge(comment, told.group)
        await store.apply(comment, verdict)
        cause = Envelope.of((name, value.encode()) for name, value in message.headers.items())
        headers = {name: value.decode() for name, value in answered(verdict, cause).headers()}
        await broker.publish(verdict, NOTE_VERDICT.name, key=comment.note_id.encode(), headers=headers)

    async with broker:
        await broker.start()
        await stopped()


if __name__ == "__main__":
    with counted(job()):
        asyncio.run(main(job()))
