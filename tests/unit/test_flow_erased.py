"""An erasure of words that stand inside a list, beside those of others."""

import random
from argparse import Namespace
from typing import ClassVar

import msgspec
import pytest

from shared.contracts import EVENTS
from shared.errors import Transient
from shared.flow.control import packed, unpacked
from shared.flow.documents import LANES, Document, Texts, to_mongo
from shared.flow.erased import erase
from shared.flow.ports import Insert
from shared.ops import Stores, operate
from tests.fakes.broker import Broker, FakeDeadTopic
from tests.fakes.clock import wall
from tests.fakes.database import FakeDatabase, Server
from tests.suites.dead import SECRET, kept, of, words
from tests.suites.erase import EACH_FORM


class Remark(msgspec.Struct, frozen=True):
    author_id: str
    text: str
    votes: int = 0


class Talk(Document, frozen=True, kw_only=True):
    COLLECTION: ClassVar[str] = "talks"
    REBUILT: ClassVar[bool] = False
    TEXTS: ClassVar[Texts] = {"author_id": ("topics",), "remarks.author_id": ("text",)}

    author_id: str
    topics: tuple[str, ...]
    remarks: tuple[Remark, ...]


def nothing() -> FakeDeadTopic:
    """A dead topic with no letter in it."""
    return FakeDeadTopic(Broker(random.Random(0)), "notes")


async def test_entries_of_a_list_lose_only_that_persons_words() -> None:
    """The entry of the person stays with its numbers, the others keep their words; the version moves once."""
    server = Server()
    database = FakeDatabase(server)
    session = await database.open_session()
    kept = Talk(id="1", v=4, author_id="ann", topics=("a",), remarks=(Remark("bob", "hi", 2), Remark("ann", "ho")))
    other = Talk(id="2", v=1, author_id="bob", topics=("b", "c"), remarks=(Remark("ann", "yes"),))
    await database.transact(session, [Insert("talks", to_mongo(talk)) for talk in (kept, other)])
    await erase(database, nothing(), [Talk], "bob", wall)
    found = server.dump("talks")
    assert [r["text"] for r in found["1"]["remarks"]] == ["", "ho"]
    assert (found["1"]["remarks"][0]["votes"], found["1"]["topics"], found["1"]["v"]) == (2, ["a"], 5)
    assert (found["2"]["topics"], found["2"]["remarks"][0]["text"], found["2"]["v"]) == ([], "yes", 2)


@EACH_FORM
async def test_what_only_a_later_release_can_read_is_not_called_erased(lists: bool) -> None:
    """An outbox with an unknown event that names the person leaves the command unfinished; of others it stays."""
    server = Server()
    database = FakeDatabase(server)
    envelope = ["id", "lianyi.notes.sung.v1", "n", wall()]
    record = ["lianyi.notes.later.v1", 0, "n", b'{"author_id":"bob","text":"la"}', envelope]
    batch = {"b": 1, "r": [record] if lists else packed([record])}
    lane = {"$set": {"epoch": 1, "batch": 1, "next": [], "outbox": [batch]}}
    await database.modify(LANES, {"_id": "note:0"}, lane, upsert=True)
    await erase(database, nothing(), [Talk], "ann", wall)
    assert [unpacked(batch) for batch in server.dump(LANES)["note:0"]["outbox"]] == [[record]]
    with pytest.raises(Transient):
        await erase(database, nothing(), [Talk], "bob", wall)


def test_a_letter_that_was_cut_still_names_who_speaks() -> None:
    """In each event the person stands before the words: what is left of a large one cannot hold these alone."""
    speaking = [event for event in EVENTS.values() if event.TEXTS]
    assert speaking
    for event in speaking:
        order = list(event.model_fields)
        for who, texts in event.TEXTS.items():
            assert all(order.index(who) < order.index(text) for text in texts), event.TYPE


async def test_while_the_broker_is_away_all_else_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what is left and that it must be run again; when the broker is back that run ends it."""
    server, broker = Server(), Broker(random.Random(0))
    database = FakeDatabase(server)
    session = await database.open_session()
    talk = Talk(id="1", v=1, author_id="bob", topics=("a",), remarks=())
    await database.transact(session, [Insert("talks", to_mongo(talk))])
    stores = Stores(database, [Talk], FakeDeadTopic(broker, "notes"), wall)
    await stores.dead.tell([of("bob")])
    broker.away = True
    assert await operate(stores, Namespace(act="erase", person="bob")) == 75
    assert server.dump("talks")["1"]["topics"] == []
    broker.away = False
    assert await operate(stores, Namespace(act="erase", person="bob")) == 0
    assert not any(SECRET in text for text in words(await kept(stores.dead)))
    away, done = capsys.readouterr().out.splitlines()
    assert "the broker is away" in away
    assert '"letters told again": 1' in done
