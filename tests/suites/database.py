"""What ``shared.flow.ports.Database`` promises: run on the fake and on the real client over a server."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import Transient
from shared.flow import control
from shared.flow.ports import (
    Conflict,
    Database,
    Delete,
    Fence,
    Fenced,
    Insert,
    Json,
    Replace,
    Session,
    Upsert,
    Write,
)

PLACE = "things"
LANES = "lanes"
OTHER = "timers"
AT = datetime(2026, 5, 4, 8, 0, 0, 123_000, tzinfo=UTC)


class Bench(ABC):
    """One empty database, two clients of it, and a process that died with a transaction open."""

    database: Database
    other: Database

    @abstractmethod
    async def leave_open(self, writes: Sequence[Write], session: Session | None = None) -> bytes:
        """Write in a transaction of a session, of a new one at need, and never end it; returns the session's id."""

    async def write(self, *writes: Write) -> None:
        session = await self.database.open_session()
        try:
            await self.database.transact(session, writes)
        finally:
            await session.close()

    async def all(self, collection: str = PLACE) -> dict[str, Json]:
        return {d["_id"]: d for d in await self.database.find(collection, {})}


def thing(id_: str, v: int = 1, **fields: object) -> Json:
    return {"_id": id_, "v": v, **fields}


class DatabaseSuite:
    """Behaviours; a subclass gives the fixture ``bench``."""

    # -- reads ---------------------------------------------------------------------------------------------

    async def test_load_leaves_out_what_is_absent(self, bench: Bench) -> None:
        """Documents come by id, each once, and absent ones do not come."""
        await bench.write(Insert(PLACE, thing("a")), Insert(PLACE, thing("b")))
        found = await bench.database.load(PLACE, ["b", "a", "x", "a"])
        assert sorted(d["_id"] for d in found) == ["a", "b"]
        assert await bench.database.load(PLACE, []) == []

    async def test_values_come_back_as_bson_keeps_them(self, bench: Bench) -> None:
        """Times are UTC in whole milliseconds, tuples are lists, bytes are bytes, and nothing is shared."""
        inner = [1]
        late = AT.astimezone(tz=None) + timedelta(microseconds=456)
        stored = thing("a", at=late, pair=(1, 2.5), raw=b"\0\xff", none=None, yes=True, deep={"x": inner})
        await bench.write(Insert(PLACE, stored))
        inner.append(2)
        (found,) = await bench.database.load(PLACE, ["a"])
        assert found == thing("a", at=AT, pair=[1, 2.5], raw=b"\0\xff", none=None, yes=True, deep={"x": [1]})
        assert found["at"].utcoffset() == timedelta(0)
        assert isinstance(found["raw"], bytes)
        found["deep"]["x"].append(3)
        assert (await bench.all())["a"]["deep"] == {"x": [1]}

    @pytest.mark.parametrize(
        ("where", "ids"),
        [
            ({}, "abcd"),
            ({"n": 1}, "a"),
            ({"n": {"$in": [1, 3]}}, "ac"),
            ({"n": {"$ne": 1}}, "bcd"),
            ({"n": {"$lt": 2}}, "a"),
            ({"n": {"$lte": 2}}, "ab"),
            ({"n": {"$gt": 2}}, "c"),
            ({"n": {"$gte": 2, "$lt": 3}}, "b"),
            ({"n": {"$exists": True}}, "abc"),
            ({"n": {"$exists": False}}, "d"),
            ({"n": None}, "d"),
            ({"at": {"$lte": AT}}, "a"),
            ({"$or": [{"n": 1}, {"ids": b"2"}]}, "ab"),
            ({"$or": [{"n": 1}, {"n": 2}], "at": {"$lt": AT + timedelta(milliseconds=1)}}, "a"),
            ({"ids": {"$in": [b"1", b"9"]}}, "a"),
            ({"ids": {"$ne": []}}, "abd"),
            ({"ids": []}, "c"),
            ({"_id": {"$gt": "b"}}, "cd"),
            ({"deep.x": 1}, "d"),
        ],
    )
    async def test_filters(self, bench: Bench, where: Json, ids: str) -> None:
        """Every operator of the subset finds what MongoDB finds, in arrays too."""
        await bench.write(
            Insert(PLACE, thing("a", n=1, at=AT, ids=[b"1"])),
            Insert(PLACE, thing("b", n=2, at=AT + timedelta(milliseconds=1), ids=[b"2", b"3"])),
            Insert(PLACE, thing("c", n=3, ids=[])),
            Insert(PLACE, thing("d", deep={"x": 1})),
        )
        assert "".join(sorted(d["_id"] for d in await bench.database.find(PLACE, where))) == ids

    async def test_find_sorts_limits_and_narrows(self, bench: Bench) -> None:
        """Sorted by the first field, then the second; cut; narrowed to the fields asked for."""
        for id_, n, m in (("a", 1, 1), ("b", 0, 1), ("c", 1, 0), ("d", 2, 0)):
            await bench.write(Insert(PLACE, thing(id_, n=n, m=m)))
        found = await bench.database.find(PLACE, {}, sort=[("n", -1), ("m", 1)], limit=3, fields=["m"])
        assert found == [{"_id": "d", "m": 0}, {"_id": "c", "m": 0}, {"_id": "a", "m": 1}]

    async def test_pages_come_by_id_each_document_once(self, bench: Bench) -> None:
        """So many at a time, the rest last; nothing of a collection that is empty."""
        for id_ in "caebd":
            await bench.write(Insert(PLACE, thing(id_)))
        pages = [[d["_id"] for d in page] async for page in bench.database.pages(PLACE, 2)]
        assert pages == [["a", "b"], ["c", "d"], ["e"]]
        assert [page async for page in bench.database.pages("nothing", 2)] == []

    # -- modify --------------------------------------------------------------------------------------------

    async def test_modify_returns_what_was_there(self, bench: Bench) -> None:
        """The pre-image comes back; a filter that matches nothing changes nothing and gives None."""
        await bench.write(Insert(PLACE, thing("a", n=1)))
        assert await bench.database.modify(PLACE, {"_id": "a", "n": 1}, {"$inc": {"n": 2}}) == thing("a", n=1)
        assert await bench.database.modify(PLACE, {"_id": "a", "n": 1}, {"$inc": {"n": 2}}) is None
        assert await bench.all() == {"a": thing("a", n=3)}

    async def test_modify_upserts(self, bench: Bench) -> None:
        """An upsert makes the document of filter, set, inc and setOnInsert; a second one leaves the last alone."""
        change: Json = {"$inc": {"n": 1}, "$set": {"s": "x"}, "$setOnInsert": {"made": True}}
        assert await bench.database.modify(PLACE, {"_id": "a"}, change, upsert=True) is None
        change["$setOnInsert"] = {"made": False}
        before = await bench.database.modify(PLACE, {"_id": "a"}, change, upsert=True)
        assert before == {"_id": "a", "n": 1, "s": "x", "made": True}
        assert await bench.all() == {"a": {"_id": "a", "n": 2, "s": "x", "made": True}}

    async def test_modify_unsets_and_pulls(self, bench: Bench) -> None:
        """Fields go away, and elements that meet the condition leave their array."""
        await bench.write(Insert(PLACE, thing("a", gone=1, outbox=[{"b": 1}, {"b": 2}, {"b": 3}])))
        change = {"$unset": {"gone": ""}, "$pull": {"outbox": {"b": {"$lte": 2}}}}
        await bench.database.modify(PLACE, {"_id": "a"}, change)
        assert await bench.all() == {"a": thing("a", outbox=[{"b": 3}])}

    async def test_modifies_do_not_lose_each_other(self, bench: Bench) -> None:
        """Increments from two clients at once all count."""
        await bench.write(Insert(PLACE, thing("a", n=0)))
        clients = (bench.database, bench.other) * 10
        await asyncio.gather(*(c.modify(PLACE, {"_id": "a"}, {"$inc": {"n": 1}}) for c in clients))
        assert (await bench.all())["a"]["n"] == 20

    # -- transactions --------------------------------------------------------------------------------------

    async def test_a_transaction_writes_all(self, bench: Bench) -> None:
        """Insert, replace, upsert, delete and fence in one transaction."""
        await bench.write(
            Insert(PLACE, thing("a")), Insert(PLACE, thing("gone")), Insert(LANES, {"_id": "l", "epoch": 1, "n": 0})
        )
        await bench.write(
            Replace(PLACE, "a", 1, thing("a", 2)),
            Insert(PLACE, thing("b")),
            Upsert(OTHER, thing("t")),
            Delete(PLACE, {"_id": "gone"}),
            Fence(LANES, {"_id": "l", "epoch": 1}, {"$set": {"n": 5}}),
        )
        assert await bench.all() == {"a": thing("a", 2), "b": thing("b")}
        assert await bench.all(OTHER) == {"t": thing("t")}
        assert await bench.all(LANES) == {"l": {"_id": "l", "epoch": 1, "n": 5}}

    @pytest.mark.parametrize(
        ("last", "error"),
        [
            (Insert(PLACE, thing("a")), Conflict),
            (Replace(PLACE, "a", 7, thing("a", 8)), Conflict),
            (Replace(PLACE, "absent", 1, thing("absent", 2)), Conflict),
            (Delete(PLACE, {"_id": "a", "v": 7}, must=True), Conflict),
            (Fence(LANES, {"_id": "l", "epoch": 2}, {"$set": {"n": 5}}), Fenced),
            (Fence(LANES, {"_id": "absent"}, {"$set": {"n": 5}}), Fenced),
        ],
        ids=["insert", "replace", "replace-absent", "delete", "fence", "fence-absent"],
    )
    async def test_what_does_not_match_undoes_all(self, bench: Bench, last: Write, error: type[Exception]) -> None:
        """One write that does not match, and nothing of the transaction is there; the session goes on."""
        await bench.write(Insert(PLACE, thing("a")), Insert(LANES, {"_id": "l", "epoch": 1}))
        session = await bench.database.open_session()
        with pytest.raises(error):
            await bench.database.transact(session, [Upsert(OTHER, thing("t")), Insert(PLACE, thing("new")), last])
        assert await bench.all() == {"a": thing("a")}
        assert await bench.all(OTHER) == {}
        await bench.database.transact(session, [Insert(PLACE, thing("new"))])
        assert set(await bench.all()) == {"a", "new"}
        await session.close()

    async def test_a_delete_that_must_is_not_covered_by_another(self, bench: Bench) -> None:
        """A timer that somebody moved is a conflict, even when the same batch cancels one that is there."""
        await bench.write(Insert(OTHER, thing("there")), Insert(OTHER, thing("moved", due=2)))
        with pytest.raises(Conflict):
            await bench.write(
                Delete(OTHER, {"_id": "moved", "due": 1}, must=True),
                Delete(OTHER, {"_id": "there"}),
            )
        assert set(await bench.all(OTHER)) == {"there", "moved"}

    async def test_a_delete_before_an_upsert_of_the_same_document(self, bench: Bench) -> None:
        """Writes go in order: a timer is used up and set anew in one transaction."""
        await bench.write(Insert(OTHER, thing("t", due=1)))
        await bench.write(Delete(OTHER, {"_id": "t", "due": 1}, must=True), Upsert(OTHER, thing("t", due=2)))
        assert await bench.all(OTHER) == {"t": thing("t", due=2)}

    async def test_many_deletes_before_an_upsert_of_one_of_the_same_documents(self, bench: Bench) -> None:
        """The same where there are so many that they go another way."""
        due = [f"t{n}" for n in range(40)]
        await bench.write(*(Insert(OTHER, thing(id_, due=1)) for id_ in due))
        used = [Delete(OTHER, {"_id": id_, "due": 1}, must=True) for id_ in due]
        await bench.write(*used, Upsert(OTHER, thing("t0", due=2)))
        assert await bench.all(OTHER) == {"t0": thing("t0", due=2)}

    async def test_an_unwanted_value_is_a_bug_and_leaves_nothing(self, bench: Bench) -> None:
        """A number that BSON cannot hold is neither Conflict nor Transient, and undoes the transaction."""
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the driver calls it
            await bench.write(Insert(PLACE, thing("a")), Insert(PLACE, thing("b", n=2**70)))
        assert not isinstance(caught.value, Conflict | Fenced | Transient)
        assert await bench.all() == {}

    async def test_of_two_writers_one_conflicts(self, bench: Bench) -> None:
        """Two transactions that read one version: one commits, the other is told and changes nothing."""
        await bench.write(Insert(PLACE, thing("a", 0, by=[])))

        async def attempt(client: Database, name: str) -> str:
            session = await client.open_session()
            try:
                for _ in range(50):
                    (found,) = await client.load(PLACE, ["a"])
                    new = thing("a", found["v"] + 1, by=[*found["by"], name])
                    try:
                        await client.transact(session, [Replace(PLACE, "a", found["v"], new)])
                    except Conflict:
                        await asyncio.sleep(0.01)
                    else:
                        return name
                raise AssertionError("conflict without end")
            finally:
                await session.close()

        clients = [bench.database, bench.other] * 3
        names = await asyncio.gather(*(attempt(c, str(i)) for i, c in enumerate(clients)))
        found = (await bench.all())["a"]
        assert sorted(found["by"]) == sorted(names)
        assert found["v"] == len(clients)

    async def test_of_two_inserts_one_conflicts(self, bench: Bench) -> None:
        """Two new documents with one id: exactly one is there."""

        async def attempt(client: Database) -> bool:
            session = await client.open_session()
            try:
                await client.transact(session, [Insert(PLACE, thing("a")), Upsert(OTHER, thing("t"))])
            except Conflict:
                return False
            finally:
                await session.close()
            return True

        results = await asyncio.gather(*(attempt(c) for c in (bench.database, bench.other, bench.database)))
        assert results.count(True) == 1

    # -- sessions ------------------------------------------------------------------------------------------

    async def test_sessions_differ_and_unknown_ones_are_killed_in_peace(self, bench: Bench) -> None:
        """Every session has an id of its own; killing one that is not there is no error."""
        sessions: list[Session] = [await bench.database.open_session() for _ in range(3)]
        assert len({s.id for s in sessions}) == 3
        for session in sessions:
            await session.close()
        await bench.database.kill_session(b"\x07" * 16)

    async def test_an_open_transaction_is_not_seen(self, bench: Bench) -> None:
        """Reads are of committed data and do not wait for a writer."""
        await bench.write(Insert(PLACE, thing("a", n=1)))
        orphan = await bench.leave_open([Replace(PLACE, "a", 1, thing("a", 2, n=2))])
        assert await bench.all() == {"a": thing("a", n=1)}
        await bench.database.kill_session(orphan)

    async def test_a_lock_makes_modify_give_up_in_time(self, bench: Bench) -> None:
        """A document in a dead owner's transaction is Transient within seconds, not a minute."""
        await bench.write(Insert(PLACE, thing("a")))
        orphan = await bench.leave_open([Replace(PLACE, "a", 1, thing("a", 2))])
        with pytest.raises(Transient):
            async with asyncio.timeout(10):
                await bench.other.modify(PLACE, {"_id": "a"}, {"$inc": {"n": 1}})
        await bench.other.kill_session(orphan)

    async def test_a_killed_session_frees_what_it_wrote(self, bench: Bench) -> None:
        """After the kill the document stands as it was and can be changed at once."""
        await bench.write(Insert(PLACE, thing("a")))
        orphan = await bench.leave_open([Replace(PLACE, "a", 1, thing("a", 2))])
        await bench.other.kill_session(orphan)
        async with asyncio.timeout(2):
            assert await bench.other.modify(PLACE, {"_id": "a"}, {"$set": {"n": 1}}) == thing("a")

    async def test_a_dead_owners_transaction_does_not_block_the_claim(self, bench: Bench) -> None:
        """A lane whose owner died between write and commit is claimed in less than 5 s."""
        session = await bench.database.open_session()
        _, own = await control.claim(bench.database, "note:0", session)
        await bench.leave_open([Fence(LANES, own.where(0), {"$set": {"batch": 1}})], session)
        begun = asyncio.get_running_loop().time()
        successor = await bench.other.open_session()
        before, _ = await control.claim(bench.other, "note:0", successor)
        assert (before.epoch, before.batch) == (1, 0)
        assert asyncio.get_running_loop().time() - begun < 5
        await session.close()
        await successor.close()

    async def test_a_session_killed_in_its_step_is_told(self, bench: Bench) -> None:
        """An owner whose session a successor has killed learns it at its next commit, by the fence."""
        session = await bench.database.open_session()
        _, own = await control.claim(bench.database, "note:0", session)
        other = await bench.other.open_session()
        _, new = await control.claim(bench.other, "note:0", other)
        with pytest.raises((Fenced, Conflict)):
            await bench.database.transact(session, [Insert(PLACE, thing("a")), control.advance(own, 0, {}, [], None)])
        assert await bench.all() == {}
        await bench.other.transact(other, [Insert(PLACE, thing("b")), control.advance(new, 0, {}, [], None)])
        assert set(await bench.all()) == {"b"}
        await session.close()
        await other.close()
