"""One service's HTTP API over a real api lane, on a database and a broker in memory.

Tests on it run on a loop whose time jumps: a machine that stands still for seconds makes nobody impatient.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from bson import encode
from fastapi import FastAPI

from services.groups.app import APP as GROUPS
from services.moderation.app import APP as MODERATION
from services.notes.app import APP as NOTES
from services.recommend.app import APP as RECOMMEND
from shared.auth import Authenticator, Caller
from shared.contracts import KEYS, TOPICS, Event, event_type
from shared.desk import Desk
from shared.flow.documents import LANES, Document, to_mongo
from shared.flow.runtime import Runtime
from shared.flow.slots import Slots
from shared.flow.work import Scope
from shared.http import Red, application
from shared.mongo import MongoDatabase
from shared.telemetry import Metrics
from tests.fakes.broker import Broker, FakePublisher
from tests.fakes.database import FakeDatabase, Server

SERVICES = {app.name: app for app in (NOTES, GROUPS, RECOMMEND, MODERATION)}
EVERYTHING: dict[str, Any] = {"kafka": "k:1", "mongo": "mongodb://x", "jwks": "http://x", "issuer": "i"}
PROBLEM = "urn:lianyi:problem:"
_DOCUMENTS: dict[str, dict[str, Any]] = {}


def wall() -> datetime:
    """Now, in whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Doorman:
    """Believes ``Bearer ann`` or ``Bearer ann/scope``; anything with a dot is judged by the real authenticator."""

    def __init__(self) -> None:
        self._real = Authenticator("http://127.0.0.1:1/jwks.json", "issuer", "lianyi")

    async def caller(self, token: str) -> Caller:
        """Who it is."""
        if "." in token:
            return await self._real.caller(token)
        person, _, scope = token.partition("/")
        return Caller(person, frozenset(scope.split()))


@dataclass
class Edge:
    """A running service, and what was written and published so far."""

    app: FastAPI
    http: httpx.AsyncClient
    server: Server
    broker: Broker
    desk: Desk
    slots: Slots

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document; made once a service, since it says the same each time."""
        if self.app.title not in _DOCUMENTS:
            _DOCUMENTS[self.app.title] = self.app.openapi()
        return _DOCUMENTS[self.app.title]

    def seed(self, *documents: Document) -> None:
        """Put documents into the database as if they had been there before."""
        for document in documents:
            place = (document.COLLECTION, document.id)
            self.server.store({place: encode({**to_mongo(document), "v": max(1, document.v)})})

    async def ask(
        self, method: str, path: str, person: str = "ann", *, key: str | None = None, **request: Any
    ) -> httpx.Response:
        """One request of a person; whatever is answered has a status that the OpenAPI document names."""
        headers = {"Authorization": f"Bearer {person}", **request.pop("headers", {})}
        if key is not None:
            headers["Idempotency-Key"] = key
        reply = await self.http.request(method, path, headers=headers, **request)
        named = self.operation(method, path)["responses"]
        assert str(reply.status_code) in named, f"{method} {path}: {reply.status_code} is not in the document"
        return reply

    async def refuse(
        self, slug: str, status: int, method: str, path: str, *args: str, **request: Any
    ) -> dict[str, Any]:
        """Ask for what must be refused: a problem of this type, nothing written and nothing published."""
        before = await self.standing()
        reply = await self.ask(method, path, *args, **request)
        body = problem(reply, slug, status)
        assert await self.standing() == before
        return body

    async def standing(self) -> tuple[Any, ...]:
        """All documents, how far each lane has come, and all that was published, once what was committed is sent."""
        for lane in self.slots.lanes:
            assert await lane.outbox.below(1, 5.0)
        stored = {collection: self.server.dump(collection) for collection in sorted(self.server.documents)}
        lanes = {id_: lane["batch"] for id_, lane in stored.pop(LANES, {}).items()}
        return lanes, stored, [self.broker.ids(topic) for topic in TOPICS]

    async def told(self) -> list[Event]:
        """All events that were published."""
        await self.standing()
        records = [record for topic in TOPICS for record in self.broker.records(topic)]
        return [event_type(dict(r.headers)["ce_type"].decode()).model_validate_json(r.value or b"") for r in records]

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """What the OpenAPI document says of a request."""
        path = path.partition("?")[0]
        for template, methods in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in methods:
                found: dict[str, Any] = methods[method.lower()]
                return found
        raise LookupError(f"{method} {path} is not in the document")


def problem(reply: httpx.Response, slug: str, status: int) -> dict[str, Any]:
    """The body of a reply that is a problem of this type and status."""
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json"), reply.text
    assert reply.headers["x-correlation-id"]
    body: dict[str, Any] = reply.json()
    assert (body["type"], body["status"]) == (PROBLEM + slug, status), body
    assert body["title"]
    return body


@asynccontextmanager
async def running(service: str, *, patience: float = 5.0) -> AsyncIterator[Edge]:
    """The service with its api lane claimed; commands wait ``patience`` seconds for their commit."""
    server, broker, desk = Server(), Broker(random.Random(1)), Desk(patience)
    database, metrics = FakeDatabase(server), Metrics(service)
    root = SERVICES[service]
    # What app.py puts together knows the database by its protocol only.
    parts = root.build(root.settings(**EVERYTHING), cast("MongoDatabase", database), desk)
    owned = {name: broker.partitions for name, topic in TOPICS.items() if topic.owner == service}
    scope = Scope(service, owned, dict.fromkeys(KEYS, broker.partitions), parts.views)
    runtime = Runtime(parts.router, database, FakePublisher(broker), metrics, wall, scope, views=parts.views)
    desk.slots = slots = Slots(1, runtime)
    app = application(
        service, "1", root.about, authenticator=Doorman(), metrics=Red(metrics.http_requests, metrics.http_seconds)
    )
    app.take(parts.routes)
    task = asyncio.create_task(slots.run(), name="slots")
    try:
        await until(lambda: slots.ready)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            yield Edge(app, http, server, broker, desk, slots)
    finally:
        slots.stop()
        await task


async def until(holds: Callable[[], bool]) -> None:
    """Let time pass until something holds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the loop's time jumps
            await asyncio.sleep(0.01)
