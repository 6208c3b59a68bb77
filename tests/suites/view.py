"""What views of a collection promise, as lanes of several processes change it: on the fakes and on the stack."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import msgspec
import pytest

from shared.errors import Transient
from shared.flow import reading
from shared.flow.documents import ERASED, RESTORED, to_mongo
from shared.flow.erased import Erased
from shared.flow.floor import Floor
from shared.flow.ports import Database, Delete, Insert, Json, Upsert
from shared.flow.runtime import Runtime
from shared.flow.view import CollectionView
from tests.suites.toy import EditNote, Note, Tally
from tests.suites.world import Node, World


class Watched:
    """A database that counts the documents it gives out, and may hold back the notes that it has read. It goes away
    after so many pages, or answers nothing of one collection."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.read: Counter[str] = Counter()
        self.open = asyncio.Event()
        self.open.set()
        self.behind = asyncio.Event()
        self.pages_left = 9
        self.without = ""
        self.closed = asyncio.Event()

    async def load(self, collection: str, ids: Collection[str]) -> list[Json]:
        return await self._given(collection, await self._inner.load(collection, ids))

    async def find(
        self,
        collection: str,
        where: Json,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        fields: Collection[str] = (),
    ) -> list[Json]:
        if collection == self.without:
            raise Transient("away")
        found = await self._inner.find(collection, where, sort=sort, limit=limit, fields=fields)
        return await self._given(collection, found)

    async def pages(self, collection: str, size: int) -> AsyncGenerator[list[Json], None]:
        try:
            async with aclosing(self._inner.pages(collection, size)) as pages:
                async for page in pages:
                    yield await self._given(collection, page)
                    self.pages_left -= 1
                    if not self.pages_left:
                        raise Transient("away in the middle")
        finally:
            self.closed.set()

    async def _given(self, collection: str, found: list[Json]) -> list[Json]:
        self.read[collection] += len(found)
        if collection == "notes" and not self.open.is_set():
            self.behind.set()
            await self.open.wait()
        return found


class NotesView(CollectionView[Note]):
    """Notes by id, in pages of two; a note whose title is ``gone`` is of no use."""

    page = 2

    def keeps(self, document: Note) -> bool:
        return document.title != "gone"


class TalliesView(CollectionView[Tally]):
    """A collection without stamps; it notes how many there were each time that all had been put."""

    def __init__(self, database: Database, kind: type[Tally], seconds: float) -> None:
        super().__init__(database, kind, seconds)
        self.loads: list[int] = []

    def loaded(self) -> None:
        self.loads.append(len(self.documents))


def note(title: str, v: int = 7, *, id_: str = "a") -> Note:
    return Note(id=id_, v=v, author_id="p", title=title)


class ViewSuite:
    """Behaviours; a subclass gives the fixture ``world``."""

    def _view(self, world: World, seconds: float = 0.0) -> tuple[NotesView, Watched]:
        watched = Watched(world.database("notes"))
        source: Any = watched
        return NotesView(source, Note, seconds), watched

    async def _edit(self, world: World, node: Node, note_id: str) -> int:
        return int((await world.insist(node, EditNote(person_id="p", note_id=note_id))).body["edits"])

    async def _stored(self, world: World, *writes: Insert | Upsert | Delete) -> None:
        database = world.database("notes")
        session = await database.open_session()
        await database.transact(session, writes)
        await session.close()

    async def test_a_process_sees_its_own_commits_at_once_and_others_at_the_next_look(self, world: World) -> None:
        """Two processes, one collection: after a look both hold the same and say the same version."""
        (mine, _), (theirs, _) = self._view(world, seconds=3_000.0), self._view(world)
        first = await world.start("notes", slots=2, views=(mine,))
        second = await world.start("notes", slots=2, views=(theirs,))
        for n in range(5):
            await self._edit(world, first, f"n{n}")
        assert {i: d.edits for i, d in mine.documents.items()} == {f"n{n}": 1 for n in range(5)}
        await self._edit(world, second, "n0")
        assert theirs.documents["n0"].edits == 2
        assert mine.documents["n0"].edits == 1
        assert mine.version != theirs.version
        fresh, _ = self._view(world)
        await fresh.refresh()
        assert fresh.documents == theirs.documents
        assert fresh.version == theirs.version

    async def test_a_look_reads_only_what_changed(self, world: World) -> None:
        """After the first look no document is read that no lane has written since."""
        node = await world.start("notes")
        for n in range(7):
            await self._edit(world, node, f"n{n}")
        view, watched = self._view(world)
        await view.refresh()
        assert (len(view.documents), watched.read["notes"]) == (7, 7)
        await view.refresh()
        assert watched.read["notes"] == 7
        await self._edit(world, node, "n3")
        await self._edit(world, node, "n3")
        await view.refresh()
        assert watched.read["notes"] == 8
        assert view.documents["n3"].edits == 3

    async def test_a_look_that_read_before_a_commit_does_not_bring_the_old_back(self, world: World) -> None:
        """What was committed here while a look was on its way stays: in its newer version, or away."""
        view, _ = self._view(world)
        node = await world.start("notes", views=(view,))
        await self._edit(world, node, "a")
        await self._edit(world, node, "b")
        late, watched = self._view(world)
        watched.open.clear()
        looking = asyncio.ensure_future(late.refresh())
        await watched.behind.wait()
        await self._edit(world, node, "a")
        late.committed({("notes", "a"): view.documents["a"]})
        late.committed({("notes", "b"): Note(id="b", v=2, author_id="p", title="gone")})
        watched.open.set()
        await looking
        assert {i: d.edits for i, d in late.documents.items()} == {"a": 2}
        assert "b" in view.documents

    @pytest.mark.parametrize("first", [True, False])
    async def test_what_is_to_be_forgotten_during_a_look_is_read_anew(self, world: World, first: bool) -> None:
        """The first look takes its pages as they come, one that forgets takes all in one go; told to forget meanwhile,
        the view reads all once more."""
        node = await world.start("notes")
        for name in ("a", "b", "c"):
            await self._edit(world, node, name)
        late, watched = self._view(world)
        if not first:
            await late.refresh()
            late.forget()
        watched.behind.clear()
        watched.open.clear()
        looking = asyncio.ensure_future(late.refresh())
        await watched.behind.wait()
        late.forget()
        watched.open.set()
        await looking
        seen, watched.read["notes"] = sorted(late.documents), 0
        await late.refresh()
        assert (seen, watched.read["notes"]) == (["a", "b", "c"], 3)

    async def _begins(self, world: World, view: NotesView, watched: Watched) -> Runtime:
        """What a start reads by."""
        node, source = await world.start("notes"), cast("Any", watched)
        return replace(node.runtime, views=(view,), database=source, erased=Erased(), floor=Floor())

    @pytest.mark.parametrize("news", ["restored", "erased"])
    async def test_a_start_that_is_tried_again_keeps_nothing_that_was_taken_back(self, world: World, news: str) -> None:
        """A first try reads page by page, whoever was erased before; one after it forgets what that had read, if the
        database was restored meanwhile, or somebody erased."""
        await self._stored(world, *(Insert("notes", to_mongo(note("newer", id_=name))) for name in "abc"))
        await self._stored(world, Insert(ERASED, {"_id": "somebody"}))
        view, watched = self._view(world)
        runtime = await self._begins(world, view, watched)
        watched.pages_left = 1
        with pytest.raises(Transient):
            await reading.begun(runtime)
        assert sorted(view.documents) == ["a", "b"]
        await self._stored(world, Upsert("notes", to_mongo(note("older", v=3))), Delete("notes", {"_id": "b"}))
        told = Insert(ERASED, {"_id": "p"}) if news == "erased" else Insert(RESTORED, {"_id": "floor", "sequence": 9})
        await self._stored(world, told)
        watched.pages_left = 9
        await reading.begun(runtime)
        assert view.documents == {"a": note("older", v=3), "c": note("newer", id_="c")}

    async def test_what_was_learned_of_a_restore_is_not_lost_with_the_try(self, world: World) -> None:
        """That try fails at what it reads next, and another finds nothing new: the views are read anew all the same."""
        await self._stored(world, Insert("notes", to_mongo(note("newer"))))
        view, watched = self._view(world)
        runtime = await self._begins(world, view, watched)
        await reading.begun(runtime)
        older = Upsert("notes", to_mongo(note("older", v=3)))
        await self._stored(world, older, Insert(RESTORED, {"_id": "floor", "sequence": 9}))
        watched.without = ERASED
        with pytest.raises(Transient):
            await reading.begun(runtime)
        watched.without = ""
        await reading.begun(runtime)
        assert view.documents == {"a": note("older", v=3)}

    @pytest.mark.parametrize("seen", [False, True])
    async def test_a_look_that_fails_lets_go_of_its_cursor(self, world: World, seen: bool) -> None:
        """At once, whether it is the first or reads all anew: one document that no view can take up ends it."""
        view, watched = self._view(world)
        await self._stored(world, Insert("notes", to_mongo(note("good"))))
        if seen:
            await view.refresh()
            view.forget()
        await self._stored(world, *(Insert("notes", {"_id": name, "v": 1}) for name in "bcd"))
        watched.closed.clear()
        with pytest.raises(msgspec.ValidationError) as told:
            await view.refresh()
        assert watched.closed.is_set(), told

    async def test_what_is_of_no_use_goes_out_of_memory(self, world: World) -> None:
        """A document that the view no longer wants is dropped, and the version is as if it had never come."""
        node = await world.start("notes")
        await self._edit(world, node, "a")
        view, _ = self._view(world)
        await view.refresh()
        before = view.version
        await self._edit(world, node, "b")
        await view.refresh()
        assert set(view.documents) == {"a", "b"}
        view.committed({("notes", "b"): Note(id="b", v=9, author_id="p", title="gone")})
        assert set(view.documents) == {"a"}
        assert view.version == before

    @pytest.mark.parametrize("fault", ["conflict", "applied, reply lost", "not applied, reply lost"])
    async def test_a_commit_in_doubt_is_followed(self, world: World, fault: Any) -> None:
        """Whatever became of a commit or its reply, a view of another process sees what holds in the end."""
        node = await world.start("notes")
        view, _ = self._view(world)
        await self._edit(world, node, "a")
        await view.refresh()
        node.database.commits.append(fault)
        await self._edit(world, node, "a")
        await view.refresh()
        assert view.documents["a"].edits == 2

    async def test_a_collection_without_stamps_is_compared(self, world: World) -> None:
        """Written beside the lanes: what is new, changed or gone is seen, and what is known is not read again."""
        await self._stored(world, *(Insert("tallies", {"_id": f"t{n}", "v": 1, "comments": n}) for n in range(3)))
        watched: Any = Watched(world.database("notes"))
        view = TalliesView(watched, Tally, 0.0)
        await view.refresh()
        assert {i: t.comments for i, t in view.documents.items()} == {"t0": 0, "t1": 1, "t2": 2}
        before = view.version
        await self._stored(world, Upsert("tallies", {"_id": "t1", "v": 2, "comments": 10}))
        await view.refresh()
        assert view.documents["t1"].comments == 10
        assert view.loads == [3]
        assert view.version != before
        assert watched.read["tallies"] == 3 + 3 + 3 + 1
