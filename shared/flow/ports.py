"""What a lane needs from the world, as narrow protocols: a database, a publisher, a source of records.

The real ones are in ``shared.mongo`` and ``shared.bus``; the tests' in-memory ones pass the same suites.
All of them turn faults into three errors: ``Transient`` (of ``shared.errors``), ``Conflict`` and
``UnknownCommit``; a commit that is refused because another owner has the lane is ``Fenced``.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from shared.contracts import Envelope

Json = dict[str, Any]
Now = Callable[[], datetime]
"""The wall clock: UTC, whole milliseconds (MongoDB keeps no more)."""


class Conflict(Exception):
    """Another lane changed or made one of the documents first: load and fold again."""


class Fenced(Exception):
    """Another owner has claimed the lane: drop everything that is not committed."""


class UnknownCommit(Exception):
    """The commit was sent and its result never came: only a new claim can tell."""


class Incoming(msgspec.Struct, frozen=True):
    """One record as it was read; nothing in it is validated."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Letter(Incoming, frozen=True):
    """A record of a dead topic, with all that it takes to tell it again."""

    timestamp: int
    """When it was made, by its producer: milliseconds, and what its retention counts from."""


class Record(NamedTuple):
    """One record to publish. The partition was computed in the fold."""

    topic: str
    partition: int
    key: str
    value: bytes
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Insert:
    """A new document; an existing ``_id`` is a Conflict."""

    collection: str
    document: Json


@dataclass(frozen=True, slots=True)
class Replace:
    """The document's next version; nothing found at ``{_id, v}`` is a Conflict."""

    collection: str
    id: str
    v: int
    document: Json


@dataclass(frozen=True, slots=True)
class Upsert:
    """A document whatever was there."""

    collection: str
    document: Json


@dataclass(frozen=True, slots=True)
class Delete:
    """Take away the document; with ``must`` nothing found at ``where`` is a Conflict."""

    collection: str
    where: Json
    must: bool = False


@dataclass(frozen=True, slots=True)
class Fence:
    """Change the one document at ``where``; nothing found means Fenced."""

    collection: str
    where: Json
    change: Json


Write = Insert | Replace | Upsert | Delete | Fence


class Session(Protocol):
    """A server session; its id stands in the control document, so that a successor can kill it."""

    @property
    def id(self) -> bytes: ...

    async def close(self) -> None: ...


class Database(Protocol):
    """The few things asked of MongoDB; filters and updates are its own documents.

    Filters: equality, ``$in``, ``$lt``, ``$lte``, ``$gt``, ``$gte``, ``$ne``, ``$exists``, ``$or``.
    Updates: ``$set``, ``$unset``, ``$inc``, ``$setOnInsert``, ``$pull`` with one condition.
    Reads are of majority-committed data from the primary; writes are majority and journalled.
    """

    async def load(self, collection: str, ids: Collection[str]) -> list[Json]:
        """Documents by ``_id``, in any order, absent ones left out: one query."""
        ...

    async def find(
        self,
        collection: str,
        where: Json,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        fields: Collection[str] = (),
    ) -> list[Json]:
        """Documents that match; ``fields`` narrows them (``_id`` always comes)."""
        ...

    def pages(self, collection: str, size: int) -> AsyncGenerator[list[Json], None]:
        """All documents, by ``_id``, so many at a time: each that is there throughout comes once, as it is then."""
        ...

    async def modify(self, collection: str, where: Json, change: Json, *, upsert: bool = False) -> Json | None:
        """Find one and modify it, atomically and with a time limit; returns it as it was before, or None."""
        ...

    async def open_session(self) -> Session: ...

    async def kill_session(self, id_: bytes) -> None:
        """Abort what the session has open. An unknown session is no error."""
        ...

    async def transact(self, session: Session, writes: Sequence[Write]) -> None:
        """All writes or none, in one transaction, in order.

        Raises:
            Conflict, Fenced: nothing was written.
            Transient: nothing was written, or it will be rolled back; the same writes may be tried again.
            UnknownCommit: nobody knows.
        """
        ...


class Publisher(Protocol):
    """The way out to Kafka."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Send all, in order for each partition; returns when every one is acknowledged.

        Raises:
            Transient: at least one is not acknowledged; any of them may be in the topic.
        """
        ...


class DeadTopic(Protocol):
    """The dead topic of a service, for what replays letters and what erases them. All of it raises Transient."""

    def letters(self, ends: Mapping[int, int] | None = None) -> AsyncIterator[Letter]:
        """Those from the first that is kept to the last that is there now, in order for each partition; with ``ends``
        those below them, and of no other partition."""
        ...

    async def tell(self, letters: Sequence[Letter]) -> None:
        """Send all, in order, each to its partition with its key, headers and time; returns when every one is
        acknowledged. At an error any of them may be in the topic."""
        ...

    async def forget(self, ends: Mapping[int, int]) -> None:
        """Those below, by partition, can be read by nobody any more. Again it does nothing."""
        ...


class Source(Protocol):
    """The consumer behind a key lane, for one partition number of all its topics.

    Where the broker no longer has the record that is next, the consumer goes on with the oldest it has.
    """

    async def beginning(self, topic: str, partition: int) -> int:
        """Offset of the oldest record that is still there, or of the next one to come."""
        ...

    async def ends(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Offset of the next record to come, by (topic, partition), asked of the broker now. Raises Transient."""
        ...

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on with the first record at or after ``offset``. One delivery that is on its way may still come."""
        ...

    def high(self, topic: str, partition: int) -> int | None:
        """Offset of the next record to come, as last heard; None while unknown."""
        ...

    def pause(self, topics: Iterable[str], partition: int) -> None: ...

    def resume(self, topics: Iterable[str], partition: int) -> None: ...


class View(Protocol):
    """State of many documents kept in memory for the fold (group profiles, a model).

    A handler's decision by a view puts the view's version into the event, because a replay sees another one.
    """

    async def refresh(self) -> None:
        """Called in the load of every batch; catches up with the collections when it is due. Raises Transient."""
        ...

    def forget(self) -> None:
        """Read everything anew at the next refresh: the collection is being rebuilt, or a person was erased."""
        ...

    def committed(self, documents: Mapping[tuple[str, str], Any]) -> None:
        """Documents that a lane of this process has just committed, by (collection, id)."""
        ...
