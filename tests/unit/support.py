"""One service over a dict for a database: what is asked and told goes through the real decode and fold."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from shared.contracts import KEYS, TOPICS, Envelope, Event, event_type, partition_of, topics_read_by
from shared.errors import Rejected
from shared.flow.documents import Document, Timer, from_mongo
from shared.flow.fold import Folded, Limits, fold
from shared.flow.inputs import Asked, Input, of_command, of_record, of_timer
from shared.flow.ports import Delete, Incoming, Record, Upsert
from shared.flow.router import Command, Reply, Router
from shared.flow.work import Cause, Scope, Work

D = TypeVar("D", bound=Document)
E = TypeVar("E", bound=Event)
V = TypeVar("V")


def _future() -> "asyncio.Future[Reply]":
    """What a caller would wait for. Nobody does: the answer is taken from the fold."""
    loop = asyncio.new_event_loop()
    future: asyncio.Future[Reply] = loop.create_future()
    loop.close()
    return future


NOBODY_WAITS = _future()
START = datetime(2026, 5, 4, 8, tzinfo=UTC)
PARTITIONS = 4


class Told(list[Event]):
    """Events in the order in which they were emitted."""

    def of(self, kind: type[E]) -> list[E]:
        """Those of one kind."""
        return [event for event in self if isinstance(event, kind)]


class World:
    """One service, its documents, timers and inbox.

    ``ask`` folds a command, ``hear`` an event of another service, ``settle`` what the service tells itself,
    ``wait`` moves the clock and fires what is due. Each input is a batch of its own.
    """

    def __init__(self, router: Router, views: Sequence[Any] = ()) -> None:
        self.router = router
        self.service = router.service
        self.now = START
        self.documents: dict[tuple[str, str], Document] = {}
        self.marks: set[bytes] = set()
        self.records: list[Record] = []
        self.pending: list[Record] = []
        self.outcomes: list[str] = []
        self.ahead: Any = None
        """What was found by the last look ahead."""
        self._views = tuple(views)
        self._scope = Scope(
            self.service,
            {name: PARTITIONS for name, topic in TOPICS.items() if topic.owner == self.service},
            dict.fromkeys(KEYS, PARTITIONS),
            self._views,
        )
        self._reads = {topic.name for topic in topics_read_by(self.service)}
        self._causes = 0

    # -- what goes in --------------------------------------------------------------------------------------

    def ask(self, command: Command, key: str | None = None) -> Reply:
        """Fold a command; its reply, or the Rejected that it raised."""
        (answer,) = self.ask_at_once([command], key)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask_at_once(self, commands: Sequence[Command], key: str | None = None) -> list[Reply | Exception]:
        """Fold commands as one batch; what each caller is told."""
        causes = (Cause(f"cmd:{key or self._next()}", self.now, "chain") for _ in commands)
        asked = Asked(NOBODY_WAITS, key)
        inputs = [of_command(c, cause, asked, self.router) for c, cause in zip(commands, causes, strict=True)]
        return [answer for _, answer in self.fold(inputs).answers]

    def hear(self, event: Event, sequence: int = 1, id_: str = "") -> str:
        """Fold an event as another service (or an earlier release) tells it; its outcome."""
        return self.take([self.record(event, sequence, id_)])[-1]

    def hear_at_once(self, events: Iterable[Event]) -> None:
        """Fold events of other services as one batch."""
        found = [of_record(self.record(event), self.router, self.now, self._scope.lanes) for event in events]
        self.fold([input_ for input_ in found if input_ is not None])

    def take(self, records: Iterable[Incoming]) -> list[str]:
        """Fold records as they stand on the wire, one by one; the outcomes of those that anybody handles."""
        before = len(self.outcomes)
        for record in records:
            if (input_ := of_record(record, self.router, self.now, self._scope.lanes)) is not None:
                self.fold([input_])
        return self.outcomes[before:]

    def settle(self) -> None:
        """Fold what the service has told on topics that it reads itself, until it says nothing more."""
        while self.pending:
            self.deliver()

    def deliver(self, index: int = 0) -> None:
        """Fold one of the records that wait in the service's own topics."""
        self.take([wire(self.pending.pop(index))])

    def wait(self, **span: float) -> None:
        """Let time pass; timers fire when they are due, in their order, and what they tell is settled."""
        until = self.now + timedelta(**span)
        while due := [timer for timer in self.timers if timer.due <= until]:
            self.now = max(self.now, due[0].due)
            self.fold([of_timer(due[0], self.router)])
            self.settle()
        self.now = until

    def fold(self, inputs: Sequence[Input]) -> Folded:
        """Fold inputs as one batch and keep what they came to."""
        places = {(kind.COLLECTION, id_) for input_ in inputs for kind, id_ in input_.refs}
        loaded = {place: self.documents.get(place) for place in places}
        work = Work(self._scope, loaded)
        folded = fold(self.service, work, inputs, self.marks, Limits())
        assert folded.taken == len(inputs)
        self.ahead = work.ahead if work.ahead is not None else self.ahead
        self.documents.update(work.changed())
        for write in work.writes():
            if isinstance(write, Upsert):
                self.documents[write.collection, write.document["_id"]] = from_mongo(Timer, write.document)
            elif isinstance(write, Delete):
                self.documents.pop((write.collection, write.where["_id"]), None)
        for view in self._views:
            view.committed(work.changed())
        self.marks.update(folded.marks)
        self.records += work.records
        self.pending += [record for record in work.records if record.topic in self._reads]
        self.outcomes += [ended[1] for ended in folded.outcomes]
        return folded

    # -- what came out -------------------------------------------------------------------------------------

    @property
    def timers(self) -> list[Timer]:
        """What is still to fire, in its order."""
        return sorted((d for d in self.documents.values() if isinstance(d, Timer)), key=lambda t: (t.due, t.id))

    @property
    def told(self) -> Told:
        """All events so far."""
        return told(self.records)

    def get(self, kind: type[D], id_: str) -> D:
        """A document that is there."""
        found = self.documents[kind.COLLECTION, id_]
        assert isinstance(found, kind)
        return found

    def view(self, kind: type[V]) -> V:
        """One of its views."""
        return next(view for view in self._views if isinstance(view, kind))

    def state(self) -> dict[tuple[str, str], Document]:
        """All documents, without the versions, which count the inputs and so their order's accidents."""
        return {place: replace(document, v=0) for place, document in self.documents.items()}

    def record(self, event: Event, sequence: int = 1, id_: str = "") -> Incoming:
        """An event as it stands on the wire."""
        id_ = id_ or f"e-{self._next()}"
        envelope = Envelope(id_, event.TYPE, event.source, self.now, event.key, sequence, "chain", "cause")
        partition = partition_of(event.key, PARTITIONS)
        value = event.model_dump_json().encode()
        return Incoming(event.TOPIC.name, partition, 0, event.key.encode(), value, tuple(envelope.headers()))

    def _next(self) -> int:
        self._causes += 1
        return self._causes


def told(records: Iterable[Record]) -> Told:
    """The events of records, in their order."""
    return Told(event_type(r.envelope.type).model_validate_json(r.value) for r in records)


def wire(record: Record) -> Incoming:
    """A published record as its readers get it."""
    return Incoming(
        record.topic, record.partition, 0, record.key.encode(), record.value, tuple(record.envelope.headers())
    )


def refused(slug: str, status: int) -> "pytest.RaisesExc[Rejected]":
    """That the block is refused, with this type and status."""
    return pytest.raises(Rejected, check=lambda error: (error.type, error.status) == (slug, status))
