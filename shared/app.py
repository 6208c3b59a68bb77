"""What runs a service: ``python -m services.<name> run | migrate | ops ... | <its own commands>``.

Order of a start: the probes answer first; then database, migrations, broker and topics are waited for, each
with a log line; then the views are read; then the lanes claim and the API takes commands. Order of a stop: no
new requests, answers to those at hand, the last steps, what is committed is sent, partitions and the slot are
given back.
"""

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import make_asgi_app
from prometheus_client.registry import Collector

from shared import docpage, ops
from shared.admin import DeadLetters
from shared.auth import Authenticator
from shared.bus import Bus
from shared.contracts import TOPICS, dead_topic, topics_read_by
from shared.desk import Desk
from shared.errors import Transient
from shared.flow import reading
from shared.flow.alarms import Poison
from shared.flow.documents import Document
from shared.flow.fold import Limits
from shared.flow.lane import Runtime
from shared.flow.ports import View
from shared.flow.process import Process
from shared.flow.router import Router
from shared.flow.states import State
from shared.flow.work import Scope
from shared.follow import Follower
from shared.http import Red, application
from shared.migrations import FLOW_COLLECTIONS, FLOW_INDEXES, Index, migrate, migrated
from shared.mongo import MongoDatabase
from shared.readiness import Readiness
from shared.serving import Http, listening
from shared.settings import Settings, load
from shared.telemetry import LaneGauges, Metrics, configure_logging

log = structlog.get_logger()
T = TypeVar("T")
WAIT = 1.0
VERSION = "0.1.0"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service is made of, constructed in its ``app.py``."""

    router: Router
    routes: APIRouter
    views: tuple[View, ...] = ()
    states: tuple[State, ...] = ()
    gauges: tuple[Collector, ...] = ()
    followers: tuple[Follower, ...] = ()


@dataclass(frozen=True, slots=True)
class App:
    """A service: its name, settings, collections, and how its parts are put together."""

    name: str
    about: str
    settings: type[Settings]
    collections: tuple[str, ...]
    indexes: tuple[Index, ...]
    build: Callable[[Any, MongoDatabase, Desk], Parts]
    commands: Mapping[str, Callable[[Sequence[str]], int]] = field(default_factory=dict)

    @property
    def all_collections(self) -> tuple[str, ...]:
        """The service's and those of the lanes."""
        return (*self.collections, *FLOW_COLLECTIONS)

    @property
    def all_indexes(self) -> tuple[Index, ...]:
        """The service's and those of the lanes."""
        return (*self.indexes, *FLOW_INDEXES)


def documents_of(service: str) -> tuple[type[Document], ...]:
    """Every kind of document that a service has defined, in the order of their collections."""
    kinds = (kind for kind in Document.__subclasses__() if kind.__module__.startswith(f"services.{service}."))
    return tuple(sorted(kinds, key=lambda kind: kind.COLLECTION))


def now() -> datetime:
    """The wall clock: UTC in whole milliseconds, as MongoDB keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def main(app: App, argv: Sequence[str] | None = None) -> int:
    """The command line of a service; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in app.commands:
        return app.commands[words[0]](words[1:])
    parser = argparse.ArgumentParser(prog=f"python -m services.{app.name}", description=app.about)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run", help="serve until SIGTERM")
    verbs.add_parser("migrate", help="make collections and indexes")
    ops.add_parser(verbs)
    for name in app.commands:
        verbs.add_parser(name, help="see its own --help", add_help=False)
    chosen = parser.parse_args(words)
    settings = load(app.settings)
    configure_logging(app.name, settings.log_level)
    if chosen.verb == "migrate":
        return asyncio.run(_migrate(app, settings))
    if chosen.verb == "ops":
        return asyncio.run(_operate(app, settings, chosen))
    asyncio.run(Server(app, settings).run())
    return 0


async def _migrate(app: App, settings: Settings) -> int:
    """Wait for the database, then make what is missing."""
    async with _database(app, settings) as database:
        made = await _until(lambda: migrate(database, app.all_indexes, app.all_collections))
        log.info("migrated", made=made)
    return 0


async def _operate(app: App, settings: Settings, chosen: argparse.Namespace) -> int:
    async with _database(app, settings) as database:
        if chosen.act not in ops.WITH_BROKER:
            # Lanes can be held and released while the broker is away: then most of all.
            dead = DeadLetters(settings.brokers, app.name)
            return await ops.operate(ops.Stores(database, documents_of(app.name), dead, now), chosen)
        bus = Bus(settings.brokers, app.name)
        try:
            parts = app.build(settings, database, Desk(settings.command_seconds))
            runtime = await _wired(app, settings, parts, (database, bus, Metrics(app.name)))
            means = ops.Means(runtime, documents_of(app.name), parts.states, settings.brokers)
            return await ops.work(means, chosen)
        finally:
            await bus.stop()


@contextlib.asynccontextmanager
async def _database(app: App, settings: Settings) -> AsyncIterator[MongoDatabase]:
    database = MongoDatabase(settings.mongo, f"lianyi_{app.name}", by=settings.mongo_driver)
    try:
        yield database
    finally:
        await database.close()


async def _wired(app: App, settings: Settings, parts: Parts, world: tuple[MongoDatabase, Bus, Metrics]) -> Runtime:
    database, bus, metrics = world
    owned = [t for t in TOPICS.values() if t.owner == app.name]
    read = topics_read_by(app.name)
    counts = await bus.connect({t.name for t in (*owned, *read, dead_topic(app.name))})
    lanes: dict[str, int] = {}
    for topic in read:
        if lanes.setdefault(topic.key, counts[topic.name]) != counts[topic.name]:
            raise SystemExit(f"topics of key {topic.key} differ in partitions: {topic.name} has {counts[topic.name]}")
    return Runtime(
        router=parts.router,
        database=database,
        publisher=bus,
        metrics=metrics,
        now=now,
        scope=Scope(app.name, {t.name: counts[t.name] for t in owned}, lanes, parts.views),
        limits=Limits(inputs=settings.batch_inputs),
        poison=Poison(settings.dead_share, settings.dead_window_seconds, settings.dead_least),
        views=parts.views,
    )


async def _until(attempt: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await attempt()
        except Transient as error:
            log.warning("waiting_for_mongo", reason=error.reason)
            await asyncio.sleep(WAIT)


class Server:
    """One process of a service, from the first probe to the last record sent."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._metrics = Metrics(app.name)
        self._database = MongoDatabase(settings.mongo, f"lianyi_{app.name}", by=settings.mongo_driver)
        self._bus = Bus(settings.brokers, app.name, settings.instance)
        self._desk = Desk(settings.command_seconds)
        self._process: Process | None = None
        self._readiness = Readiness(self._metrics.ready, self._database.ping, self._bus.reachable)
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        # The default thresholds rescan all live objects many times a second: half of the lane's CPU.
        gc.set_threshold(50_000, 50, 100)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        parts = self._app.build(self._settings, self._database, self._desk)
        # The scrape runs on the loop too: it reads the lanes, which nothing else may change meanwhile.
        told = self._readiness.before(make_asgi_app(self._metrics.registry))
        scrape = self._listen(told, self._settings.metrics_port)
        scraping = asyncio.create_task(scrape.serve(), name="metrics")
        http = self._listen(self._api(parts), self._settings.port)
        serving = asyncio.create_task(http.serve(), name="http")
        starting = asyncio.create_task(self._start(parts), name="start")
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({serving, starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            log.info("stopping")
            http.should_exit = True
            starting.cancel()
            stopped.cancel()
            await asyncio.gather(serving, starting, stopped, return_exceptions=True)
            await asyncio.gather(*(follower.stop() for follower in parts.followers))
            await self._close()
            scrape.should_exit = True
            await asyncio.gather(scraping, return_exceptions=True)
            log.info("stopped")

    async def _start(self, parts: Parts) -> None:
        self._readiness.waiting = "the database does not answer, or refuses us"
        while not await _until(self._migrated):
            self._readiness.waiting = "migrations are not done"
            log.warning("waiting_for_migrations")
            await asyncio.sleep(WAIT)
        self._readiness.waiting = "the broker does not answer, or topics are missing"
        runtime = await _wired(self._app, self._settings, parts, (self._database, self._bus, self._metrics))
        reads: dict[str, list[str]] = {}
        for topic in topics_read_by(self._app.name):
            reads.setdefault(topic.key, []).append(topic.name)
        self._readiness.waiting = "what is kept in memory is being read"
        try:
            await _until(lambda: reading.begun(runtime))
        except Exception:
            # One document may not decode: who reads a view says so and tries again, lane by lane, and the rest goes on.
            log.exception("views_not_read")
        process = Process(runtime, reads, self._settings.api_slots)
        for gauges in (LaneGauges(process.reports, runtime.scope.lanes), *parts.gauges):
            self._metrics.registry.register(gauges)
        process.start()
        self._process = self._readiness.process = process
        self._desk.slots = process.slots
        await self._bus.consume(process)
        for follower in parts.followers:
            follower.start(self._settings.brokers)
        log.info("started", lanes=runtime.scope.lanes, port=self._settings.port)

    async def _close(self) -> None:
        if self._process is not None:
            await self._process.stop(self._settings.grace_seconds)
        try:
            await asyncio.wait_for(self._bus.stop(), self._settings.grace_seconds / 2)
        except TimeoutError:
            log.warning("kafka_left_open")
        await self._database.close()

    async def _migrated(self) -> bool:
        return await migrated(self._database, self._app.all_indexes, self._app.all_collections)

    # -- HTTP ----------------------------------------------------------------------------------------------

    def _api(self, parts: Parts) -> FastAPI:
        settings = self._settings
        api = application(
            f"Lianyi {self._app.name}",
            VERSION,
            self._app.about,
            authenticator=Authenticator(settings.jwks, settings.issuer, settings.audience),
            metrics=Red(self._metrics.http_requests, self._metrics.http_seconds),
        )
        api.take(parts.routes)
        api.add_api_route("/livez", self._livez, include_in_schema=False)
        api.add_api_route("/readyz", self._readyz, include_in_schema=False)
        api.add_api_route("/docs", lambda: HTMLResponse(docpage.page(api.openapi())), include_in_schema=False)
        return api

    def _listen(self, app: Any, port: int) -> Http:
        return listening(app, self._settings.host, port, self._settings.grace_seconds)

    async def _livez(self) -> Response:
        stuck = self._process.stuck() if self._process else []
        return JSONResponse({"stuck": stuck}, 503 if stuck else 200)

    async def _readyz(self) -> Response:
        missing = await self._readiness.missing()
        return JSONResponse({"missing": missing}, 503 if missing else 200)
