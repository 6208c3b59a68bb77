"""Ours: a service of one handler on the lane, with its bus and its database client; no HTTP.

Variants: ``""`` as it is; ``stub`` with a database that answers from memory at once; ``bare`` with the same
transaction but neither control document, inbox page nor outbox in it; ``last`` with the control document as its last
write instead of its first; ``pymongo`` with pymongo's own asynchronous client instead of motor.
"""

import asyncio
import gc
from collections.abc import Sequence

import msgspec

from shared.app import now
from shared.brokers import Brokers
from shared.bus import Bus
from shared.contracts import dead_topic
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE, NOTE_VERDICT
from shared.flow.documents import INBOX, LANES, Document
from shared.flow.fold import Limits
from shared.flow.ports import Database, Fence, Json, Write
from shared.flow.process import Process
from shared.flow.router import Router
from shared.flow.runtime import Runtime
from shared.flow.work import Scope, Work
from shared.migrations import FLOW_COLLECTIONS, FLOW_INDEXES, migrate
from shared.mongo import MongoDatabase
from shared.telemetry import Metrics, configure_logging
from tests.bench.peers.shelf import Shelf
from tests.bench.peers.trips import counted
from tests.bench.peers.until import stopped
from tests.bench.peers.workload import Job, author_key, job, judge, judgement

GRACE = 5.0


class Judgement(Document, frozen=True, kw_only=True):
    COLLECTION = "judgements"
    note_id: str
    author_id: str
    hidden: bool
    score: float
    reasons: tuple[str, ...]


class OfNote(Document, frozen=True, kw_only=True):
    COLLECTION = "notes"
    comments: int = 0
    filler: str = ""


class OfAuthor(Document, frozen=True, kw_only=True):
    COLLECTION = "authors"
    comments: int = 0


COLLECTIONS = (Judgement.COLLECTION, OfNote.COLLECTION, OfAuthor.COLLECTION)


def router(told: Job) -> Router:
    def judge_comment(event: CommentPosted, work: Work) -> None:
        verdict = judge(event, told.group)
        stored = judgement(verdict) | {"reasons": tuple(reason.rule for reason in verdict.reasons)}
        work.emit(verdict, of=work.insert(Judgement(id=event.comment_id, **stored)))
        note = work.get(OfNote, event.note_id) or OfNote(id=event.note_id, filler="x" * told.filler)
        work.put(msgspec.structs.replace(note, comments=note.comments + 1))
        key = author_key(event, told.partitions)
        author = work.get(OfAuthor, key) or OfAuthor(id=key)
        work.put(msgspec.structs.replace(author, comments=author.comments + 1))

    made = Router("moderation")
    made.on(CommentPosted, judge_comment, lambda e: [(OfNote, e.note_id), (OfAuthor, author_key(e, told.partitions))])
    return made


class Bare(MongoDatabase):
    """Writes the documents of a batch, in one transaction, and nothing of what makes it certain."""

    async def find(self, collection: str, where: Json, **more: object) -> list[Json]:
        """No inbox is read."""
        return [] if collection == INBOX else await super().find(collection, where, **more)  # type: ignore[arg-type]

    async def transact(self, session: object, writes: Sequence[Write]) -> None:
        """Neither control document, with its outbox, nor inbox page."""
        await super().transact(session, [write for write in writes if write.collection not in (LANES, INBOX)])


class FenceLast(MongoDatabase):
    """Asks at the end of a commit whether the lane is still its own, not at the beginning."""

    async def transact(self, session: object, writes: Sequence[Write]) -> None:
        """The control document last."""
        await super().transact(session, sorted(writes, key=lambda write: isinstance(write, Fence)))


def database(told: Job) -> Database:
    """By variant."""
    match told.variant:
        case "stub":
            return Shelf()
        case "bare":
            return Bare(told.mongo, told.database)
        case "last":
            return FenceLast(told.mongo, told.database)
        case "pymongo":
            return MongoDatabase(told.mongo, told.database, by="pymongo")
        case _:
            return MongoDatabase(told.mongo, told.database)


async def main(told: Job) -> None:
    """Works until it is told to stop."""
    gc.set_threshold(50_000, 50, 100)  # as shared.app does
    configure_logging("moderation", "WARNING")
    store, bus = database(told), Bus(Brokers(told.kafka), told.group, told.instance)
    if isinstance(store, MongoDatabase):
        await migrate(store, FLOW_INDEXES, {*FLOW_COLLECTIONS, *COLLECTIONS})
    counts = await bus.connect({NOTE.name, NOTE_VERDICT.name, dead_topic("moderation").name})
    owned = {name: count for name, count in counts.items() if name != NOTE.name}
    scope = Scope("moderation", owned, {"note": counts[NOTE.name]})
    limits = Limits(inputs=told.limit, writes=max(1_000, 3 * told.limit))
    runtime = Runtime(router(told), store, bus, Metrics("moderation"), now, scope, limits)
    process = Process(runtime, {"note": [NOTE.name]}, 1)
    process.start()
    await bus.consume(process)
    await stopped()
    await process.stop(GRACE)
    await bus.stop()


if __name__ == "__main__":
    with counted(job()):
        asyncio.run(main(job()))
