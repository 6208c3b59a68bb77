"""samples/consumer.py as its users run it, against what the notes service tells by its own publisher.

What it has to come to is not computed here: it is what the documents of the service say.
"""

import asyncio
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from confluent_kafka import Producer

from local.embedded import Embedded
from local.kafka import Kafka, missing
from local.places import workspace
from local.processes import ROOT, Child, until, wait_for
from local.server import Server
from services.notes.core import Comment, Need, Note, need_id
from services.notes.handlers import router
from services.notes.handlers.commands import AcceptAnswer, DeleteComment, PostComment, PostNote, React, TakeAdvice
from services.notes.settings import Settings
from shared.admin import make_topics
from shared.brokers import Brokers
from shared.bus import Bus
from shared.contracts.notes import NeedAnswered, NoteReacted
from shared.contracts.topics import NOTE
from shared.flow.ports import Record
from tests.unit.support import PARTITIONS, World

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", need_steps=(3_600, 7_200))
NOTES = 40
needs_kafka = pytest.mark.skipif(missing() is not None, reason=f"no Apache Kafka on this machine: {missing()}")
BROKERS = ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, needs_kafka])]
REFUSED = "CREATE TABLE IF NOT EXISTS refused (topic, partition, place, why, PRIMARY KEY (topic, partition, place))"
READ = 60.0
"""Seconds in which the consumer joins its group and reads all, on a busy machine."""


def story() -> World:
    """Notes with questions that wait, are answered, escalated or taken back; advice taken; likes, also withdrawn."""
    chance, world = random.Random(7), World(router(SETTINGS))
    for number in range(NOTES):
        note = f"n{number}"
        world.ask(PostNote(person_id="ann", note_id=note, title="t", text="x", topic=None, place=None, intent=None))
        for asks in (f"{note}qa", f"{note}qb", f"{note}qc"):
            comment(world, note, asks, person_id="bob", text="请问周日下午需要预约吗?")
            comment(world, note, f"{asks}-a", person_id="cat", text="不用, 直接去就行.", parent_id=asks)
        for person in ("bob", "cat", "dan"):
            for on in (True, False, True)[: chance.randint(1, 3)]:
                world.ask(React(person_id=person, note_id=note, kind=chance.choice(("like", "save")), on=on))
        world.settle()
        world.ask(AcceptAnswer(person_id="bob", need_id=need_id(f"{note}qa"), comment_id=f"{note}qa-a"))
        world.wait(seconds=4_000)
        world.ask(DeleteComment(person_id="bob", comment_id=f"{note}qb", any_comment=False))
        if chance.random() < 0.5:
            world.ask(TakeAdvice(person_id="ann", comment_id=f"{note}qa-a"))
        world.settle()
    return world


def comment(world: World, note: str, id_: str, *, person_id: str, text: str, parent_id: str | None = None) -> None:
    world.ask(PostComment(person_id=person_id, comment_id=id_, note_id=note, text=text, parent_id=parent_id))
    world.settle()


def hard(world: World) -> list[Record]:
    """All that the service has told, twice, with types and fields of a later release, in no order at all."""
    told = [record for record in world.records if record.topic == NOTE.name]
    later = told[0]._replace(value=b"{}", envelope=told[0].envelope._replace(type="lianyi.notes.note_pinned.v1"))
    grown = [r._replace(value=r.value[:-1] + b',"of_tomorrow":{"x":[1]}}') for r in told]
    records = [*told, *grown, later]
    random.Random(8).shuffle(records)
    return records


def spoil(servers: str, answered: Record) -> int:
    """What no reader of ours could read: in each partition one, and the last record that there is."""
    producer = Producer({"bootstrap.servers": servers})
    headers = answered.envelope.headers()
    bad: list[dict[str, Any]] = [
        {"value": b"hello"},
        {"value": b"{", "headers": headers},
        {"value": b'{"note_id": 1}', "headers": headers},
        {"value": answered.value, "headers": [(name, None) for name, _ in headers]},
    ]
    for number in range(PARTITIONS):
        producer.produce(NOTE.name, partition=number, key=b"k", **bad[number % len(bad)])
    assert producer.flush(READ) == 0
    return PARTITIONS


@dataclass
class Scene:
    """A broker with everything on it, and what a reader must come to."""

    servers: str
    place: Path
    world: World
    refused: int

    def expected(self) -> dict[str, dict[Any, Any]]:
        """The tables of a reader that has understood, from the documents of the service."""
        documents = list(self.world.documents.values())
        liked = {e.note_id for e in self.world.told.of(NoteReacted) if e.kind == "like"}
        return {
            "needs": {d.id: (d.v, d.state) for d in documents if isinstance(d, Need)},
            "likes": {d.id: (d.likes,) for d in documents if isinstance(d, Note) and d.id in liked},
            "thanks": {d.id: (d.author_id,) for d in documents if isinstance(d, Comment) and d.advice},
        }

    def consumer(self, database: Path, group: str) -> Child:
        """The sample as a process; it finds the contracts where ``pip install`` would have put them."""
        argv = [sys.executable, str(ROOT / "samples/consumer.py"), "--kafka", self.servers]
        argv += ["--database", str(database), "--group", group]
        return Child("the sample", argv, {"PYTHONPATH": str(self.place)}, database.with_suffix(".log"))

    async def read(self, database: Path, group: str) -> None:
        """Let it read all there is, and stop it as an operator would."""
        with opened(database) as db:
            db.execute(REFUSED)
            db.execute("DELETE FROM refused")  # what was read before does not tell that it is read again
        child = self.consumer(database, group)

        async def all_read() -> bool:
            return len(places(database)) == self.refused

        child.start()
        try:
            await wait_for(all_read, READ, "all is read", child)
        finally:
            await child.stop()
        assert child.status == 0, child.tail()


@contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """The reader's database; what is done is committed."""
    db = sqlite3.connect(database, timeout=30)
    try:
        with db:
            yield db
    finally:
        db.close()


def rows(database: Path, table: str) -> dict[Any, tuple[Any, ...]]:
    """A table by its first column; empty before it is made."""
    with opened(database) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
            return {}
        return {row[0]: row[1:] for row in db.execute(f"SELECT * FROM {table}")}  # noqa: S608


def places(database: Path) -> list[tuple[Any, ...]]:
    """Where the records stand that were put aside: the last one of each partition is among them."""
    with opened(database) as db:
        return db.execute("SELECT topic, partition FROM refused").fetchall()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=BROKERS)
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    async with workspace() as directory:
        home = directory / "broker"
        home.mkdir()
        broker: Server = Kafka(home) if request.param == "kafka" else Embedded(home)
        await broker.start()
        brokers = Brokers(broker.address)
        if request.param == "kafka":  # the mock cluster makes a topic at its first use
            await make_topics(brokers, PARTITIONS)
        (directory / "lianyi_contracts").symlink_to(ROOT / "shared/contracts")
        bus = Bus(brokers, "notes")
        try:
            assert (await bus.connect([NOTE.name])) == {NOTE.name: PARTITIONS}
            world = story()
            await bus.publish(hard(world))
            answered = next(r for r in world.records if r.envelope.type == NeedAnswered.TYPE)
            yield Scene(broker.address, directory, world, spoil(broker.address, answered))
        finally:
            await bus.stop()
            await broker.kill()


async def test_it_comes_to_what_the_service_knows(scene: Scene) -> None:
    """Doubled, out of order, of types and fields unknown: needs, likes and thanks are those of the service.

    What cannot be read is put aside and nothing else is; one record each, the last of its partition.
    """
    database = scene.place / "helpdesk.db"
    await scene.read(database, "helpdesk")
    expected = scene.expected()
    assert {table: rows(database, table) for table in expected} == expected
    assert sorted(places(database)) == [(NOTE.name, number) for number in range(PARTITIONS)]
    assert {state for _, state in expected["needs"].values()} == {"open", "answered", "withdrawn"}
    assert min(map(len, expected.values())) > NOTES / 3


async def test_killed_and_reading_all_again_it_comes_to_the_same(scene: Scene) -> None:
    """Killed -9 on its way and started without its offsets, so that all is heard again, it counts nothing twice."""
    database = scene.place / "killed.db"
    child = scene.consumer(database, "killed")
    child.start()
    await until(lambda: not child.alive or bool(rows(database, "needs")))
    await child.kill()
    await scene.read(database, "killed again")
    assert {table: rows(database, table) for table in scene.expected()} == scene.expected()


async def test_what_it_could_not_store_it_reads_again(scene: Scene) -> None:
    """When its database refuses a row it ends, keeps nothing of the batch, and the offsets do not pass it by."""
    database = scene.place / "full.db"
    with opened(database) as db:
        db.execute("CREATE TABLE thanks (comment_id PRIMARY KEY, adviser_id)")
        db.execute("CREATE TRIGGER full BEFORE INSERT ON thanks BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    child = scene.consumer(database, "full")
    child.start()
    async with asyncio.timeout(READ):
        await until(lambda: not child.alive)
    assert child.status == 1
    assert "disk full" in child.tail()
    assert rows(database, "thanks") == {}
    with opened(database) as db:
        db.execute("DROP TRIGGER full")
    await scene.read(database, "full")
    assert {table: rows(database, table) for table in scene.expected()} == scene.expected()
