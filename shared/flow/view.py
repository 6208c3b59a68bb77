"""Views: a whole collection kept in memory for the fold, in every process, and kept up to date.

A view over documents that lanes change, in three places of the service:

    class GroupProfile(Document, frozen=True, kw_only=True):          # core: the lanes stamp what they write of it
        FOLLOWED: ClassVar[bool] = True

    INDEXES = (Index(GroupProfile.COLLECTION, FOLLOW_KEYS),)          # store: the index that the view reads by

    class ProfilesView(CollectionView[GroupProfile]): ...             # the view: override keeps, put, drop
    Parts(router, routes, views=(ProfilesView(database, GroupProfile, seconds=2.0),))    # app.py

    profiles = work.view(ProfilesView)                                # a handler; it puts profiles.version into
                                                                      # the event that it decided by them

For a small collection that is also written beside the lanes (a model that a command line trains) leave
``FOLLOWED`` out: each look then compares the ids and versions of all its documents.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Generic

from .documents import LANES, D, Document, from_mongo
from .ports import Database, Json


class CollectionView(Generic[D]):
    """``ports.View`` of one collection: every document that ``keeps`` wants, each in its newest known version.

    Guarantees: what a lane of this process commits is seen by its next batch; what others commit is seen by the
    first batch that loads more than ``seconds`` later; a document never goes back to an older version. A look
    costs one read of the lanes' batch numbers, and of the documents only those that changed since the last look.
    Memory is what ``put`` keeps, and an id with a version for each of these documents.

    Why nothing is missed: a followed document carries the lane and batch that wrote it last, and a batch commits
    its documents together with its number. Numbers are read first, so what is not in the documents read after
    them has a higher number, and the next look asks for it.
    """

    page = 500
    """Documents in one read."""

    def __init__(self, database: Database, kind: type[D], seconds: float) -> None:
        self._database = database
        self._kind = kind
        self._seconds = seconds
        self._looked: float | None = None
        self._looking = asyncio.Lock()
        self._batches: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        self._digest = 0
        self._anew = False
        self.documents: dict[str, D] = {}
        """What the default ``put`` keeps, by id."""

    # -- what a view of a service may override -------------------------------------------------------------

    def keeps(self, document: D) -> bool:
        """Whether the document is of use; one that no longer is goes out of memory."""
        return True

    def put(self, document: D) -> None:
        """Take up a document, or its newer version."""
        self.documents[document.id] = document

    def drop(self, id_: str) -> None:
        """Let a document go that was put before."""
        del self.documents[id_]

    def loaded(self) -> None:
        """All documents have been put: what is cheaper done once for all of them is done now."""

    # -- what handlers and lanes use -----------------------------------------------------------------------

    @property
    def version(self) -> str:
        """Sixteen hex digits of what is in the view: processes that hold the same documents say the same."""
        return f"{self._digest:016x}"

    async def refresh(self) -> None:
        """Catch up with the collection, if the last look is too old. Raises Transient."""
        async with self._looking:
            time = asyncio.get_running_loop().time()
            if self._looked is not None and time - self._looked < self._seconds:
                return
            look = self._follow if self._kind.FOLLOWED else self._compare
            await look(self._looked is None)
            self._looked = None if self._anew else time  # it was to be forgotten while we looked

    def forget(self) -> None:
        """Read everything anew at the next look, older versions too."""
        # What nobody can have seen anything of may still come page by page: a start reads so who was erased.
        known = self._looked is not None or self._looking.locked() or bool(self._versions or self._dropped)
        self._looked, self._anew = None, self._anew or known

    def committed(self, documents: Mapping[tuple[str, str], Any]) -> None:
        """Take up what a lane of this process has just committed."""
        self._take(document for document in documents.values() if isinstance(document, self._kind))

    # -- looks ---------------------------------------------------------------------------------------------

    async def _follow(self, first: bool) -> None:
        # Needed for the length of a look, which may have read what was dropped meanwhile in an older version.
        self._dropped.clear()
        found = await self._database.find(LANES, {}, fields=("batch",))
        batches = {lane["_id"]: lane.get("batch", 0) for lane in found}
        if first:
            await self._take_all()
        else:
            moved = [name for name, batch in batches.items() if batch > self._batches.get(name, 0)]
            since: list[Json] = [{"_lane": name, "_batch": {"$gt": self._batches.get(name, 0)}} for name in moved]
            if since:
                self._take(self._read(await self._database.find(self._kind.COLLECTION, {"$or": since})))
        self._batches = batches

    async def _take_all(self) -> None:
        async with aclosing(self._database.pages(self._kind.COLLECTION, self.page)) as pages:
            if not self._anew:  # nobody has seen anything of this view: page by page, and others get their turn between
                async for page in pages:
                    self._take(self._read(page))
                self.loaded()
                return
            # In one go: whoever loaded the view before this look still folds by all of the old one.
            self._anew = False  # before it reads: who has it forget meanwhile means what comes after
            try:
                read = [document async for page in pages for document in self._read(page)]
            except BaseException:
                self._anew = True
                raise
        for id_ in list(self._versions):
            self._forget(id_)
        self._take(read)
        self.loaded()

    async def _compare(self, first: bool) -> None:
        if self._anew:
            await self._take_all()
            return
        before = {**self._dropped, **self._versions}
        found = {d["_id"]: d["v"] for d in await self._database.find(self._kind.COLLECTION, {}, fields=("v",))}
        for id_ in before.keys() - found.keys():
            self._forget(id_)
        changed = [id_ for id_, v in found.items() if before.get(id_, -1) < v]
        for start in range(0, len(changed), self.page):
            self._take(self._read(await self._database.load(self._kind.COLLECTION, changed[start : start + self.page])))
        if first:
            self.loaded()

    def _read(self, stored: Sequence[Json]) -> Iterable[D]:
        return (from_mongo(self._kind, document) for document in stored)

    # -- what is known -------------------------------------------------------------------------------------

    def _take(self, documents: Iterable[D]) -> None:
        for document in documents:
            known = max(self._versions.get(document.id, -1), self._dropped.get(document.id, -1))
            if document.v <= known:
                continue
            if self.keeps(document):
                self.put(document)
                self._know(document)
            else:
                self._forget(document.id)
                self._dropped[document.id] = document.v

    def _know(self, document: Document) -> None:
        before = self._versions.get(document.id)
        if before is not None:
            self._digest ^= _hash(document.id, before)
        self._versions[document.id] = document.v
        self._digest ^= _hash(document.id, document.v)

    def _forget(self, id_: str) -> None:
        self._dropped.pop(id_, None)
        before = self._versions.pop(id_, None)
        if before is not None:
            self._digest ^= _hash(id_, before)
            self.drop(id_)


def _hash(id_: str, v: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{id_}|{v}".encode(), digest_size=8).digest(), "big")
