"""A service whose broker or database is away: it waits, says so, and goes on by itself."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from local import kafka
from local.client import Client, NoAnswerError, Wire, minted
from local.database import Database
from local.fleet import PARTITIONS, Service, World
from local.issuer import Issuer
from local.journal import Journal
from local.processes import Child, together, until, wait_for
from local.stack import Kind, Stack, asleep, running
from local.witness import Witness, reading
from services.recommend.core import GroupProfile
from shared.admin import make_topics
from shared.brokers import Brokers
from shared.flow.documents import to_mongo

pytestmark = pytest.mark.stack
needs_kafka = pytest.mark.skipif(
    kafka.missing() is not None, reason=f"no Apache Kafka on this machine: {kafka.missing()}"
)
SOON = 30.0
AGAIN = 60.0
NOTE = {"title": "A note", "text": "Said while something was away."}


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer() as issuer:
        yield issuer


@asynccontextmanager
async def ended(*parts: Any) -> AsyncIterator[None]:
    """Servers, services and children that are gone after the block, however it ends."""
    try:
        yield
    finally:
        await together(*(part.kill() for part in parts))


async def readyz(service: Service) -> tuple[int, str]:
    """Status and body; (0, "") before anything answers."""
    async with httpx.AsyncClient(timeout=10.0) as http:
        try:
            answer = await http.get(f"{service.url}/readyz")
        except httpx.HTTPError:
            return 0, ""
        return answer.status_code, answer.text


async def says(service: Service, what: str) -> None:
    """Waits until /readyz is a 503 that names it; the process lives all the time, and its metrics say not ready."""

    async def named() -> bool:
        status, body = await readyz(service)
        return status == 503 and what in body

    await wait_for(named, SOON, f"/readyz names {what!r}", service.child)
    async with httpx.AsyncClient(timeout=10.0) as http:
        assert (await http.get(f"{service.url}/livez")).status_code == 200
        assert "\nlianyi_service_ready 0.0\n" in (await http.get(service.metrics)).text


async def logs(child: Child, *words: str) -> None:
    """Waits until its log has one of these; it must not die meanwhile."""

    async def logged() -> bool:
        return any(f'"{word}"' in child.log.read_text() for word in words)

    await wait_for(logged, SOON, f"the log says {' or '.join(words)}", child)


async def ready(service: Service) -> None:
    """Waits until it is ready; dying meanwhile is a failure."""
    await wait_for(service.ready, AGAIN, f"{service.name} is ready", service.child)
    async with httpx.AsyncClient(timeout=10.0) as http:
        assert "\nlianyi_service_ready 1.0\n" in (await http.get(service.metrics)).text


class Posting:
    """One person who posts notes through a service, and a reader of the topics that knows of each."""

    def __init__(self, stack: Stack, issuer: Issuer, service: Service, patience: float = 60.0) -> None:
        self.journal = Journal()
        self.witness = Witness(self.journal, PARTITIONS)
        self.accepted: list[str] = []
        self._stack = stack
        self._wire = Wire({service.name: service.url}, minted(issuer.token), self.journal, patience)

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[Client]:
        async with self._wire, reading(self._stack.kafka, self.witness):
            yield Client(self._wire)

    async def post(self, client: Client) -> str:
        self.accepted.append(await client.note("ann", NOTE))
        return self.accepted[-1]

    async def all_published(self) -> bool:
        """Waits until every accepted note is in its topic."""
        return await self.witness.until(self._published, SOON)

    def _published(self) -> bool:
        return all(self.witness.ledger.book.seen("NotePosted", note) for note in self.accepted)


# -- at the start ------------------------------------------------------------------------------------------------


@needs_kafka
@pytest.mark.kafka
async def test_broker_and_topics_absent_at_the_start_are_waited_for(issuer: Issuer, tmp_path: Path) -> None:
    """Without a broker, then without topics, the service waits with a log line each; then it serves."""
    stack = asleep("local", "a test's", tmp_path)
    notes = Service("notes", World(stack, issuer), tmp_path)
    async with ended(notes.child, stack.broker, stack.database):
        await stack.database.start()
        await notes.migrate()
        notes.child.start()
        await logs(notes.child, "waiting_for_kafka")
        await says(notes, "")
        await stack.broker.start()
        await logs(notes.child, "waiting_for_topics", "UnknownTopicOrPartitionError")
        await make_topics(Brokers(stack.kafka), partitions=PARTITIONS)
        await ready(notes)
        posting = Posting(stack, issuer, notes)
        async with posting.begun() as client:
            await posting.post(client)
            assert await posting.all_published()


async def test_database_and_migrations_absent_at_the_start_are_waited_for(issuer: Issuer, tmp_path: Path) -> None:
    """Without a database, then without migrations, the service waits with a log line each; `migrate` waits too."""
    stack = asleep("embedded", "a test's", tmp_path)
    async with ended(stack.broker, stack.database):
        await stack.broker.start()
        notes = Service("notes", World(stack, issuer), tmp_path)
        early = migration(notes, tmp_path)
        async with ended(notes.child, early):
            notes.child.start()
            await logs(notes.child, "waiting_for_mongo")
            await says(notes, "")
            await stack.database.start()
            await logs(notes.child, "waiting_for_migrations")
            await stack.database.kill()
            early.start()
            await logs(early, "waiting_for_mongo")
            await stack.database.start()
            async with asyncio.timeout(SOON):
                await until(lambda: not early.alive)
            assert early.status == 0
            await ready(notes)


def migration(service: Service, directory: Path) -> Child:
    argv = [*service.child.argv[:-1], "migrate"]
    return Child("migrate", argv, service.child.env, directory / "early.log")


async def test_readyz_of_a_starting_service_names_what_it_waits_for(issuer: Issuer, tmp_path: Path) -> None:
    """Before the first connection, too, /readyz says what is missing: the database, later the migrations."""
    stack = asleep("embedded", "a test's", tmp_path)
    async with ended(stack.broker, stack.database):
        await stack.broker.start()
        notes = Service("notes", World(stack, issuer), tmp_path)
        async with ended(notes.child):
            notes.child.start()
            await logs(notes.child, "waiting_for_mongo")
            assert "database" in (await readyz(notes))[1]
            await stack.database.start()
            await logs(notes.child, "waiting_for_migrations")
            assert "migrations" in (await readyz(notes))[1]


async def test_a_process_that_reads_for_long_is_alive_and_not_ready(issuer: Issuer, tmp_path: Path) -> None:
    """Over groups that take seconds to read recommend says what it does, and each /livez is answered within the 3 s
    that the kubelet gives it."""
    async with running("embedded") as stack:
        recommend = Service("recommend", World(stack, issuer), tmp_path)
        await recommend.migrate()
        await many_groups(stack, 1_500)
        said: set[str] = set()
        async with ended(recommend.child), httpx.AsyncClient(timeout=3.0) as http:
            recommend.child.start()
            await listens(recommend)

            async def ready() -> bool:
                assert (await http.get(f"{recommend.url}/livez")).status_code == 200
                answer = await http.get(f"{recommend.url}/readyz")
                said.update(answer.json()["missing"])
                return answer.status_code == 200

            await wait_for(ready, AGAIN, "recommend is ready", recommend.child)
        assert "what is kept in memory is being read" in said


async def test_a_document_that_nobody_can_read_ends_no_process(issuer: Issuer, tmp_path: Path) -> None:
    """The start says that a view is not read, and goes on to the lanes: the process is up and claims them."""
    async with running("embedded") as stack:
        recommend = Service("recommend", World(stack, issuer), tmp_path)
        await recommend.migrate()
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(stack.mongo)
        async with client, ended(recommend.child):
            await client["lianyi_recommend"]["profiles"].insert_one({"_id": "g", "v": "none", "terms": 7})
            recommend.child.start()
            await logs(recommend.child, "views_not_read")
            await ready(recommend)


async def many_groups(stack: Stack, many: int) -> None:
    """So many groups in the database of recommend, of 4,000 terms each, as a lane would have left them."""
    terms = " ".join(f"t{n} 1" for n in sorted(range(4_000), key=str))
    group = to_mongo(GroupProfile(id="", v=1, terms=terms)) | {"_lane": "group:0", "_batch": 1}
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(stack.mongo)
    async with client:
        await client["lianyi_recommend"]["profiles"].insert_many([group | {"_id": f"g{n}"} for n in range(many)])


async def listens(service: Service) -> None:
    """Waits until it answers anything at all."""

    async def answers() -> bool:
        return (await readyz(service))[0] > 0

    await wait_for(answers, SOON, f"{service.name} answers", service.child)


@asynccontextmanager
async def guarded(directory: Path) -> AsyncIterator[Database]:
    """A database that lets nobody in but the user `notes` with the password `opensesame`."""
    database = Database(directory / "database")
    async with ended(database):
        await database.start()
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(database.address)
        async with client:
            await client.admin.command("createUser", "notes", pwd="opensesame", roles=["root"])
        await database.kill()
        (child,) = database.children
        child.argv.append("--auth")
        await database.start()
        yield database


async def test_a_database_that_refuses_is_waited_for(issuer: Issuer, tmp_path: Path) -> None:
    """No user, or another password: a line that names the setting and nothing in it; `run` and `migrate` live on."""
    async with guarded(tmp_path) as database:
        stack = replace(asleep("embedded", "a test's", tmp_path), database=database)
        async with ended(stack.broker):
            await stack.broker.start()
            for number, user in enumerate(("", "notes:openbarley@")):
                (directory := tmp_path / str(number)).mkdir()
                notes, early = logging_in(user, stack, issuer, directory)
                async with ended(notes.child, early):
                    notes.child.start()
                    early.start()
                    await says(notes, "database")
                    for child in (notes.child, early):
                        await logs(child, "waiting_for_mongo")
                        (line, *_) = child.log.read_text().splitlines()
                        assert "LIANYI_MONGO" in json.loads(line)["reason"]
                        assert "openbarley" not in child.log.read_text()
                        assert child.alive
            _, right = logging_in("notes:opensesame@", stack, issuer, tmp_path)
            await right.finish(SOON)


def logging_in(user: str, stack: Stack, issuer: Issuer, directory: Path) -> tuple[Service, Child]:
    """`run` and `migrate` of notes, told this user of the database."""
    notes = Service("notes", World(stack, issuer), directory)
    notes.child.env["LIANYI_MONGO"] = stack.mongo.replace("//", f"//{user}")
    return notes, migration(notes, directory)


# -- later -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(kind: Kind, issuer: Issuer, directory: Path) -> AsyncIterator[tuple[Stack, Service]]:
    """A stack, and notes ready on it."""
    async with running(kind) as stack:
        notes = Service("notes", World(stack, issuer), directory)
        notes.child.env["LIANYI_COMMAND_SECONDS"] = "3"
        async with ended(notes.child):
            if kind == "local":
                await make_topics(Brokers(stack.kafka), partitions=PARTITIONS)
            await notes.migrate()
            await notes.start()
            yield stack, notes


async def test_a_database_that_is_lost_is_waited_for(issuer: Issuer, tmp_path: Path) -> None:
    """Meanwhile callers get 503 and nothing is written; afterwards the same request passes, once."""
    async with serving("embedded", issuer, tmp_path) as (stack, notes):
        posting = Posting(stack, issuer, notes)
        async with posting.begun() as client:
            await posting.post(client)
            await stack.database.kill()
            await says(notes, "database")
            await logs(notes.child, "lane_trouble")
            patient = asyncio.create_task(posting.post(client))  # tries again, with its Idempotency-Key
            await until(lambda: posting.journal.waits > 0 or patient.done())
            assert not patient.done()
            await stack.database.start()
            await patient
            await ready(notes)
            assert await posting.all_published()
            assert not (await posting.witness.settle(0)).doubled


BROKERS = [
    pytest.param("embedded", id="hangs"),
    pytest.param("local", id="dies", marks=[pytest.mark.kafka, needs_kafka]),
]


@pytest.mark.parametrize("kind", BROKERS)
async def test_a_broker_that_is_lost_is_waited_for(kind: Kind, issuer: Issuer, tmp_path: Path) -> None:
    """Meanwhile commands are taken, their events wait in the outbox; when it is back all of them are sent."""
    async with serving(kind, issuer, tmp_path) as (stack, notes):
        posting = Posting(stack, issuer, notes)
        async with posting.begun() as client:
            await posting.post(client)
            if kind == "local":
                await stack.broker.kill()
            else:
                await stack.broker.pause()
            await says(notes, "broker")
            for _ in range(5):
                await posting.post(client)
            if kind == "local":
                await stack.broker.start()
            else:
                stack.broker.resume()
            await ready(notes)
            assert await posting.all_published()


# -- settings ----------------------------------------------------------------------------------------------------

GOOD = {
    "LIANYI_KAFKA": "127.0.0.1:1",
    "LIANYI_MONGO": "mongodb://127.0.0.1:1",
    "LIANYI_JWKS": "http://127.0.0.1:1/jwks.json",
    "LIANYI_ISSUER": "lianyi-local",
}
FAULTS: list[tuple[str, dict[str, str | None]]] = [
    ("notes", {"LIANYI_KAFKA": None}),
    ("groups", {"LIANYI_MONGO": "localhost:27017"}),
    ("recommend", {"LIANYI_JWKS": ""}),
    ("moderation", {"LIANYI_PORT": "eighty"}),
]
NO_JSON: list[tuple[str, dict[str, str | None]]] = [("notes", {"LIANYI_NEED_STEPS": "[soon]"})]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any setting of ours."""
    for name in [name for name in os.environ if name.startswith("LIANYI_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(FAULTS, id="plain"),
        pytest.param(
            NO_JSON,
            id="no JSON",
        ),
    ],
)
async def test_a_wrong_setting_ends_the_process_with_its_name(
    faults: list[tuple[str, dict[str, str | None]]], tmp_path: Path
) -> None:
    """Missing or malformed: exit status 2 and one line that names the variable, without its value."""
    children = [broken(service, change, tmp_path / str(n)) for n, (service, change) in enumerate(faults)]
    async with ended(*children):
        for child in children:
            child.start()
        async with asyncio.timeout(AGAIN):
            await until(lambda: not any(child.alive for child in children))
    for child, (_, change) in zip(children, faults, strict=True):
        (name, value) = next(iter(change.items()))
        told = child.log.read_text()
        assert (child.status, name in told, len(told.splitlines())) == (2, True, 1), told
        assert not value or value not in told


def broken(service: str, change: dict[str, str | None], log: Path) -> Child:
    env = {name: value for name, value in (GOOD | change).items() if value is not None}
    return Child(service, [sys.executable, "-m", f"services.{service}", "run"], env, log)


# -- the end -----------------------------------------------------------------------------------------------------


async def test_sigterm_under_load_ends_in_order(issuer: Issuer, tmp_path: Path) -> None:
    """Exit status 0, and every command that was answered with 2xx is in its topic, once."""
    async with serving("embedded", issuer, tmp_path) as (stack, notes):
        posting = Posting(stack, issuer, notes, patience=3.0)
        async with posting.begun() as client:
            load = [asyncio.create_task(busy(posting, client)) for _ in range(20)]
            await until(lambda: len(posting.accepted) > 100)
            os.kill(notes.child.pid, signal.SIGTERM)
            async with asyncio.timeout(SOON):
                await until(lambda: not notes.child.alive)
            assert notes.child.status == 0, notes.child.tail()
            await asyncio.gather(*load)
            assert await posting.all_published()
            assert not posting.witness.ledger.book.doubled


async def busy(posting: Posting, client: Client) -> None:
    """Posts until nobody answers any more."""
    try:
        while True:
            await posting.post(client)
    except NoAnswerError:
        return


@pytest.mark.parametrize("away", ["database", "broker"])
async def test_sigterm_while_it_waits_ends_it(away: str, issuer: Issuer, tmp_path: Path) -> None:
    """A service that waits for the world can be stopped: exit status 0, within its grace."""
    stack = asleep("embedded", "a test's", tmp_path)
    async with ended(stack.broker, stack.database):
        await stack.broker.start()  # only then is its address known
        notes = Service("notes", World(stack, issuer), tmp_path)
        async with ended(notes.child):
            if away == "broker":
                await stack.database.start()
                await notes.migrate()
                await stack.broker.kill()
            notes.child.start()
            await logs(notes.child, "waiting_for_mongo" if away == "database" else "waiting_for_kafka")
            os.kill(notes.child.pid, signal.SIGTERM)
            async with asyncio.timeout(SOON):
                await until(lambda: not notes.child.alive)
            assert notes.child.status == 0, notes.child.tail()
