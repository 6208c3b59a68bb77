"""Commands through HTTP: a comment is posted, stored and told, behind one and the same edge (tokens, limits, counts).

Variants: ``""`` is ours, the api lane; ``pymongo`` the same with that client, not motor; ``insert`` one insert and one
awaited publish a request, with no promise; ``boxes`` a transaction a command with the comment, the reply under its
idempotency key and an outbox row; ``alone`` is the edge with nothing behind it, which none can pass.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from bson import ObjectId
from fastapi import APIRouter, FastAPI, Response
from msgspec import json
from pydantic import BaseModel
from pymongo.write_concern import WriteConcern

from shared.app import now
from shared.auth import Authenticator
from shared.brokers import Brokers
from shared.bus import Bus
from shared.contracts import Envelope, dead_topic
from shared.contracts.event import Id, Text
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE
from shared.desk import Call, Calling, Desk
from shared.flow.documents import Document
from shared.flow.process import Process
from shared.flow.router import Command, Reply, Router
from shared.flow.runtime import Runtime
from shared.flow.work import Scope, Work
from shared.http import Red, application
from shared.migrations import FLOW_COLLECTIONS, FLOW_INDEXES, migrate
from shared.mongo import MongoDatabase, MongoDriver
from shared.serving import listening
from shared.telemetry import Metrics, configure_logging
from tests.bench.peers.boxes import relay
from tests.bench.peers.plain import Store, producer
from tests.bench.peers.trips import counted
from tests.bench.peers.until import stopped
from tests.bench.peers.workload import Job, job, posted

PATIENCE = 15.0
GRACE = 5.0


class Comment(Document, frozen=True, kw_only=True):
    COLLECTION = "comments"
    note_id: str
    author_id: str
    text: str


class PostComment(Command, frozen=True, kw_only=True):
    comment_id: str
    note_id: str
    text: str


Handle = Callable[[PostComment, Call], Awaitable[Response]]


class Posting(BaseModel):
    text: Text


def told_of(command: PostComment) -> CommentPosted:
    """The event of a command."""
    return CommentPosted(
        comment_id=command.comment_id,
        note_id=command.note_id,
        author_id=command.person_id,
        note_author_id="someone",
        text=command.text,
    )


def routes(handle: Handle) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/notes/{note_id}/comments", status_code=201)
    async def post(note_id: Id, body: Posting, call: Calling) -> Response:
        id_ = call.new_id("comment")
        return await handle(PostComment(person_id=call.person, comment_id=id_, note_id=note_id, text=body.text), call)

    return router


@asynccontextmanager
async def ours(told: Job) -> AsyncIterator[Handle]:
    """The api lane of a service."""

    def post_comment(command: PostComment, work: Work) -> Reply:
        made = Comment(id=command.comment_id, note_id=command.note_id, author_id=command.person_id, text=command.text)
        work.emit(told_of(command), of=work.insert(made))
        return Reply(status=201, body={"comment_id": command.comment_id})

    router = Router("notes")
    router.on(PostComment, post_comment, lambda command: [])
    by: MongoDriver = "pymongo" if told.variant == "pymongo" else "motor"
    store, bus = MongoDatabase(told.mongo, told.database, by=by), Bus(Brokers(told.kafka), told.group)
    await migrate(store, FLOW_INDEXES, {*FLOW_COLLECTIONS, Comment.COLLECTION})
    counts = await bus.connect({NOTE.name, dead_topic("notes").name})
    runtime = Runtime(router, store, bus, Metrics("notes"), now, Scope("notes", counts, {}))
    process = Process(runtime, {}, 4)
    process.start()
    desk = Desk(PATIENCE)
    desk.slots = process.slots
    yield desk.handle
    await process.stop(5.0)
    await bus.stop()


@asynccontextmanager
async def insert(told: Job) -> AsyncIterator[Handle]:
    """One insert, one awaited publish."""
    store = await Store.open(told)
    async with producer(told) as writer:

        async def handle(command: PostComment, call: Call) -> Response:
            await store.database.comments.insert_one(stored(command))
            event = told_of(command)
            value, headers = event.model_dump_json().encode(), envelope(event, call).headers()
            await writer.send_and_wait(NOTE.name, value, key=event.key.encode(), headers=headers)
            return answer(command)

        yield handle


@asynccontextmanager
async def boxes(told: Job) -> AsyncIterator[Handle]:
    """A transaction a command; a relay polls the outbox."""
    store = await Store.open(told)
    for name in ("comments", "replies"):
        await store.database.create_collection(name)
    concern = WriteConcern("majority", j=True)

    async def handle(command: PostComment, call: Call) -> Response:
        event, key = told_of(command), f"{call.person} {call.key}"
        pairs = [list(pair) for pair in envelope(event, call).headers()]
        value = event.model_dump_json().encode()
        row = {"_id": ObjectId(), "topic": NOTE.name, "key": event.key.encode(), "value": value, "headers": pairs}
        async with store.client.start_session() as session, await session.start_transaction(write_concern=concern):
            if found := await store.database.replies.find_one({"_id": key}, session=session):
                return Response(found["body"], found["status"], media_type="application/json")
            await store.database.comments.insert_one(stored(command), session=session)
            reply = {"_id": key, "status": 201, "body": answer(command).body, "at": now()}
            await store.database.replies.insert_one(reply, session=session)
            await store.database.outbox.insert_one(row, session=session)
        return answer(command)

    async with producer(told) as writer:
        relaying = asyncio.create_task(relay(writer, store))
        yield handle
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)


@asynccontextmanager
async def alone(told: Job) -> AsyncIterator[Handle]:
    """Nothing is stored and nothing told."""

    async def handle(command: PostComment, call: Call) -> Response:
        return answer(command)

    yield handle


def stored(command: PostComment) -> dict[str, Any]:
    """The comment's document."""
    return {
        "_id": command.comment_id,
        "note_id": command.note_id,
        "author_id": command.person_id,
        "text": command.text,
    }


def envelope(event: CommentPosted, call: Call) -> Envelope:
    """Its headers."""
    return posted(event, now(), call.correlation)


def answer(command: PostComment) -> Response:
    """The same for all."""
    return Response(json.encode({"comment_id": command.comment_id}), 201, media_type="application/json")


def app(told: Job, handle: Handle) -> FastAPI:
    """The edge of our services."""
    metrics = Metrics("notes")
    url, issuer, audience, _ = told.edge.split()
    api = application(
        "bench",
        "0",
        "",
        authenticator=Authenticator(url, issuer, audience),
        metrics=Red(metrics.http_requests, metrics.http_seconds),
    )
    api.take(routes(handle))
    return api


async def main(told: Job) -> None:
    """Serves until it is told to stop."""
    gc.set_threshold(50_000, 50, 100)
    configure_logging("notes", "WARNING")
    make = {"": ours, "pymongo": ours, "insert": insert, "boxes": boxes, "alone": alone}[told.variant]
    async with make(told) as handle:
        http = listening(app(told, handle), "127.0.0.1", int(told.edge.split()[3]), GRACE)
        serving = asyncio.create_task(http.serve())
        await stopped()
        http.should_exit = True
        await serving


if __name__ == "__main__":
    with counted(job()):
        asyncio.run(main(job()))
