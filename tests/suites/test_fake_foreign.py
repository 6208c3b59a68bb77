"""A topic that others write too, in a form of their own: on the fakes."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from shared.contracts import TOPICS, Envelope, Event, partition_of
from shared.contracts.event import EVENTS
from shared.contracts.topics import NOTE, Topic
from shared.errors import Rejected
from shared.flow.ports import Incoming
from shared.flow.router import Foreign, Router
from shared.flow.work import Work
from tests.fakes.world import FakeWorld
from tests.suites import toy
from tests.suites.lane import comments, letters
from tests.suites.toy import Toy, comment
from tests.suites.world import Node

pytestmark = pytest.mark.jumping
PARTNER = Topic(
    name="partner.visits",
    owner="partner",
    key="note",
    readers=("notes",),
    about="Visits of notes, as somebody else counts them.",
    foreign=True,
)


class Visited(Event, topic=PARTNER, name="visited", order="count"):
    """Somebody else's page showed a note."""

    note_id: str
    by: str


EVENTS.pop(Visited.TYPE)  # of this test alone


def decode(record: Incoming) -> Foreign | None:
    said = json.loads(record.value or b"")
    if said["what"] == "noise":
        return None
    if "note" not in said:
        raise Rejected("no-note")
    at = datetime.fromtimestamp(said["at"], UTC)
    return Foreign(Visited(note_id=said["note"], by=said["who"]), at, said.get("id", ""))


def visited(event: Visited, work: Work) -> None:
    work.emit(comment(event.note_id, f"{event.by}-{work.cause.id.rpartition(':')[2]}", work.now.isoformat()))


def router(toy_: Toy) -> Router:
    table = toy.notes(toy_)
    table.on(Visited, visited, lambda e: [])
    table.foreign(PARTNER, decode)
    return table


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeWorld]:
    monkeypatch.setitem(TOPICS, PARTNER.name, PARTNER)
    monkeypatch.setitem(toy.READS, "notes", {"note": [*toy.READS["notes"]["note"], PARTNER.name]})
    made = FakeWorld()
    yield made
    await made.close()


async def start(world: FakeWorld) -> Node:
    return await world.start("notes", router=router(world.toy))


def said(**changes: object) -> bytes:
    return json.dumps({"what": "visit", "note": "n", "who": "w", "at": 1_700_000_000, "id": "1", **changes}).encode()


async def test_a_record_without_our_headers_is_decoded(world: FakeWorld) -> None:
    """Whatever its key and partition: the handler's event goes to the key's own lane, with the stranger's time."""
    await start(world)
    stray = next(n for n in range(world.partitions) if n != partition_of("n", world.partitions))
    await world.raw(PARTNER.name, stray, said(), [("x-source", b"their own")])
    await world.quiet()
    assert await comments(world) == 1
    (told,) = [Envelope.of(r.headers) for r in await world.records(NOTE.name)]
    assert told.time == datetime.fromtimestamp(1_700_000_000, UTC)
    assert told.causation == f"{PARTNER.name}:1"
    assert await letters(world) == []


async def test_a_double_is_known_by_the_strangers_id(world: FakeWorld) -> None:
    """The same id again counts once; records without one count each, and are folded once however often read."""
    first = await start(world)
    for id_ in ("1", "1", "2", "", ""):
        await world.raw(PARTNER.name, 0, said(id=id_))
    await world.quiet()
    assert await comments(world) == 4
    await world.stop(first)
    await start(world)
    await world.quiet()
    assert await comments(world) == 4


async def test_what_nobody_wants_is_passed(world: FakeWorld) -> None:
    """The decoder says so; no letter, no input."""
    node = await start(world)
    await world.raw(PARTNER.name, 0, said(what="noise"))
    await world.quiet()
    assert node.outcomes == {}
    assert await letters(world) == []


async def test_what_makes_no_sense_is_a_letter(world: FakeWorld) -> None:
    """Refused by the decoder, or a bug in it; the neighbours do not notice."""
    await start(world)
    await world.raw(PARTNER.name, 0, b'{"what": "visit"}')
    await world.raw(PARTNER.name, 0, b"no JSON")
    await world.raw(PARTNER.name, 0, said())
    await world.quiet()
    dead = sorted((d.reason, d.topic) for d in await letters(world))
    assert dead == [("body", PARTNER.name), ("bug", PARTNER.name)]
    assert await comments(world) == 1


async def test_everything_else_keeps_its_rule(world: FakeWorld) -> None:
    """Our headers on a foreign topic are read as ours, and no headers on ours are a letter as ever."""
    await start(world)
    number = partition_of("n", world.partitions)
    good = await world.put(comment("n", "c"))
    await world.raw(PARTNER.name, number, comment("n", "d").model_dump_json().encode(), good.headers())
    await world.raw(NOTE.name, number, said())
    await world.quiet()
    assert sorted((d.reason, d.topic) for d in await letters(world)) == [
        ("envelope", NOTE.name),
        ("type", PARTNER.name),
    ]
    assert await comments(world) == 1


def test_only_a_foreign_topic_has_a_decoder() -> None:
    """The table of topics says where strangers write; a service cannot decide it for itself."""
    with pytest.raises(ValueError, match="is not foreign"):
        Router("notes").foreign(NOTE, decode)
