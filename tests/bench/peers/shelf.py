"""A database that answers from memory at once: what is left of the lane's cost when the database costs nothing."""

from collections.abc import AsyncGenerator, Collection, Sequence

from shared.flow.documents import INBOX
from shared.flow.ports import Conflict, Delete, Fence, Fenced, Insert, Json, Replace, Session, Upsert, Write


class Ticket:
    """A session."""

    id = b"0123456789abcdef"

    async def close(self) -> None:
        """Nothing to end."""


class Shelf:
    """``shared.flow.ports.Database`` for one process whose lanes share no document. Inbox pages are forgotten, or
    memory would grow by what a real server keeps on disk."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Json]] = {}

    async def load(self, collection: str, ids: Collection[str]) -> list[Json]:
        """Documents by id."""
        there = self._kept.setdefault(collection, {})
        return [there[id_] for id_ in ids if id_ in there]

    async def find(
        self,
        collection: str,
        where: Json,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        fields: Collection[str] = (),
    ) -> list[Json]:
        """Nothing is looked for here but doubles and timers, and there are none."""
        return []

    async def pages(self, collection: str, size: int) -> AsyncGenerator[list[Json], None]:
        """Nothing, for the same reason."""
        if page := list[Json]():
            yield page

    async def modify(self, collection: str, where: Json, change: Json, *, upsert: bool = False) -> Json | None:
        """A claim, a lease, a trim."""
        there = self._kept.setdefault(collection, {})
        before = there.get(where["_id"])
        if before is None and not upsert:
            return None
        after: Json = {**change.get("$setOnInsert", {}), "_id": where["_id"]} if before is None else dict(before)
        after |= change.get("$set", {})
        for name, more in change.get("$inc", {}).items():
            after[name] = after.get(name, 0) + more
        if pulled := change.get("$pull", {}).get("outbox"):
            after["outbox"] = [entry for entry in after["outbox"] if entry["b"] > pulled["b"]["$lte"]]
        there[where["_id"]] = after
        return before

    async def open_session(self) -> Session:
        """One for all."""
        return Ticket()

    async def kill_session(self, id_: bytes) -> None:
        """Nobody has anything open."""

    async def transact(self, session: Session, writes: Sequence[Write]) -> None:
        """With the comparisons of a real one. A conflict of lanes would be a mistake of the benchmark."""
        for write in writes:
            there = self._kept.setdefault(write.collection, {})
            match write:
                case Insert(collection, document):
                    if collection == INBOX:
                        continue
                    if document["_id"] in there:
                        raise Conflict(collection)
                    there[document["_id"]] = document
                case Upsert(_, document):
                    there[document["_id"]] = document
                case Replace(collection, id_, v, document):
                    if there[id_]["v"] != v:
                        raise Conflict(collection)
                    there[id_] = document
                case Delete(_, where, _):
                    there.pop(where["_id"], None)
                case Fence(collection, where, change):
                    found = there[where["_id"]]
                    if any(found.get(name) != value for name, value in where.items()):
                        raise Fenced(collection)
                    found |= change["$set"]
