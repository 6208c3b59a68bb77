"""The working set of a batch: documents loaded, changed and made, events emitted, timers asked for."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec

from shared.contracts import Envelope, Event, partition_of

from .documents import D, Document, Timer, as_rebuilt, to_mongo
from .due import timer
from .ports import Delete, Insert, Record, Replace, Upsert, Write
from .router import Reminder
from .savepoint import Savepoint
from .scope import Cause, Scope, TooLarge, Undeclared, id_of

__all__ = ["Cause", "Scope", "TooLarge", "Undeclared", "Work"]

V = TypeVar("V")

MOST_BYTES = 4_000_000
"""Of events from one handler of one input: the outbox stands in one document, and that takes 16 MB."""


class Work:
    """What a handler sees of the world. All of it is in memory; nothing here waits or fails but by a bug.

    Documents that an earlier input of the batch made or changed are seen by the later ones. Ids, times and
    versions come from the cause and the documents, so folding the same inputs again makes the same events.
    """

    def __init__(self, scope: Scope, loaded: Mapping[tuple[str, str], Document | None], floor: int = 0) -> None:
        self._scope, self.floor = scope, floor
        self._loaded = loaded
        self._documents: dict[tuple[str, str], Document | None] = dict(loaded)
        self._timers: dict[str, Upsert | Delete | None] = {}
        self._fired: dict[str, Delete] = {}
        self._saved = Savepoint()
        self._touched: set[tuple[str, str]] = set()
        self._views: dict[type, Any] = {}
        self._handler, self._index = "", 0
        self._cause: Cause | None = None
        self.past = False
        """Whether this input was folded before a rebuild: what it decided then comes back by the service's own
        topic, and whatever it emits or asks of timers is dropped."""
        self.records: list[Record] = []
        self.bytes = 0
        self.ahead: Any = None
        """What a look ahead has found, for the handlers of the batch."""

    # -- what handlers use ---------------------------------------------------------------------------------

    @property
    def cause(self) -> Cause:
        """The input being folded."""
        assert self._cause is not None
        return self._cause

    @property
    def now(self) -> datetime:
        """The input's own time."""
        return self.cause.at

    def get(self, kind: type[D], id_: str) -> D | None:
        """The document as this input finds it, or None. Raises Undeclared if ``reads`` did not name it."""
        try:
            return cast("D | None", self._documents[kind.COLLECTION, id_])
        except KeyError:
            raise Undeclared(f"{kind.__name__} was not declared in reads") from None

    def guard(self, kind: type[D], id_: str) -> D | None:
        """The document, for a decision that must not outlive it: another lane's change of it is a conflict.

        Its version goes up as if it were written. A document that is not there cannot be guarded. Do not guard
        what is hot: each guard contends with every writer of the document.
        """
        found = self.get(kind, id_)
        return found if found is None else self.put(found)

    def put(self, document: D) -> D:
        """Store a document; returns it with its version, once higher for each input that changes it.

        While ``past`` only what is rebuilt of it is taken: what is kept has been changed by this input already.
        """
        key = (document.COLLECTION, document.id)
        if key not in self._documents:
            raise Undeclared(f"{type(document).__name__} was not declared in reads")
        before = self._saved.documents.setdefault(key, self._documents[key])
        if self.past and before is not None and document.REBUILT is not True:
            document = as_rebuilt(cast("D", before), document)
            if document == before:
                return document
        stored = msgspec.structs.replace(document, v=max(before.v if before else 0, self.floor) + 1)
        self._documents[key] = stored
        self._touched.add(key)
        return stored

    def restore(self, document: D, v: int = 0) -> D:
        """Store what a rebuild reads back, under the version ``v`` of a decision as it was told, if that is higher."""
        self.put(document)
        stored = msgspec.structs.replace(document, v=max(document.v, v))
        self._documents[document.COLLECTION, document.id] = stored
        return stored

    def insert(self, document: D) -> D:
        """Store what is new under an id that nobody could declare: of ``new_id``, or out of a document's counter.

        One that is there after all is a conflict, and the input is folded again. While ``past`` it is there.
        """
        if self.past and document.REBUILT is not True:
            return document
        self._documents.setdefault((document.COLLECTION, document.id), None)
        return self.put(document)

    def new_id(self) -> str:
        """A fresh id that a replay of the cause makes again."""
        self._index += 1
        return id_of(f"{self._scope.service}/{self._handler}/{self.cause.id}/{self._index}")

    def emit(self, event: Event, of: Document | None = None) -> None:
        """Publish an event after the commit; ``of`` is the document it is about: its new version, or the floor.

        A state event's id holds the version, so that after a restore new content never wears an old id.
        """
        topic, cause = event.TOPIC, self.cause
        count = self._scope.partitions.get(topic.name)
        if count is None or topic.owner != self._scope.service:
            raise Undeclared(f"{topic.name} is not a topic of {self._scope.service}")
        self._index += 1
        sequence = max(of.v, self.floor) if of is not None else 0
        name = f"{self._scope.service}/{self._handler}/{cause.id}/{self._index}"
        if event.ORDER == "state":
            if of is None:
                raise Undeclared(f"{event.TYPE} carries state and needs its document")
            name = f"{name}/{sequence}"
        value, key = event.body, event.key
        if len(value) > self._scope.max_event:
            raise TooLarge(f"{event.TYPE} of {len(value)} bytes")
        if self.past:
            return
        envelope = Envelope(
            id=id_of(name),
            type=event.TYPE,
            source=event.source,
            time=cause.at,
            subject=of.id if of is not None else key,
            sequence=sequence,
            correlation=cause.correlation,
            causation=cause.id,
            traceparent=cause.traceparent,
        )
        self.records.append(Record(topic.name, partition_of(key, count), key, value, envelope))
        self.bytes += len(value) + 300
        if self.bytes - self._saved.bytes > MOST_BYTES:
            raise TooLarge(f"more than {MOST_BYTES} bytes of events from one input")

    def remind(self, name: str, due: datetime, payload: Reminder, concerns: tuple[str, str]) -> None:
        """Ask for a timer: ``payload`` is folded after ``due`` in the lane of ``concerns`` = (kind of key, key).

        ``name`` is its id and unique in the service; the same name again replaces it.
        """
        self._set_timer(name, Upsert(Timer.COLLECTION, to_mongo(self._timer(name, due, payload, concerns))))

    def continue_with(self, parts: Iterable[Reminder], concerns: tuple[str, str]) -> None:
        """Have the rest of a large input done by inputs of their own, in the lane of ``concerns``, in their order.

        Each part is folded once, whatever dies in between; other inputs of the lane come between the parts. Cut
        what there is to do with ``parts.cut``. What a part decides is a fact, as with timers: a rebuild makes none.
        """
        base = self.new_id()
        for number, payload in enumerate(parts):
            name = f"part:{base}:{number:06d}"
            made = msgspec.structs.replace(self._timer(name, self.now, payload, concerns), part=True)
            self._set_timer(name, Upsert(Timer.COLLECTION, to_mongo(made)))

    def cancel(self, name: str) -> None:
        """Take a timer back; one that has fired or never was is no error."""
        self._set_timer(name, Delete(Timer.COLLECTION, {"_id": name}))

    def view(self, kind: type[V]) -> V:
        """A declared in-memory view."""
        found = self._views.get(kind) or next((view for view in self._scope.views if isinstance(view, kind)), None)
        if found is None:
            raise Undeclared(f"{kind.__name__} is not a view of {self._scope.service}")
        self._views[kind] = found
        return cast("V", found)

    # -- what the fold uses --------------------------------------------------------------------------------

    def begin(self, handler: str, cause: Cause, *, past: bool = False) -> None:
        """From here on, everything belongs to one handler and one cause."""
        self._handler, self._cause, self._index, self.past = handler, cause, 0, past
        self._saved = Savepoint(records=len(self.records), bytes=self.bytes)

    def rollback(self) -> None:
        """Take back all that the current handler did, and nothing else."""
        self._documents.update(self._saved.documents)
        self._timers.update(self._saved.timers)
        del self.records[self._saved.records :]
        self.bytes = self._saved.bytes

    def fire(self, timer: Timer) -> None:
        """Use up a timer: the commit fails if somebody else did or moved it. Its handler may set it anew."""
        self._fired[timer.id] = Delete(Timer.COLLECTION, {"_id": timer.id, "due": timer.due}, must=True)

    def untouched(self, timer: Timer) -> bool:
        """Whether the timer is there as it was handed over, and nothing in this batch has used or set it."""
        found = self.get(Timer, timer.id)
        untouched = timer.id not in self._fired and self._timers.get(timer.id) is None
        return untouched and found is not None and found.due == timer.due

    def close(self) -> None:
        """After the last input: what changed documents have put off until then is done."""
        self._documents |= {key: document.closed() for key, document in self.changed().items()}

    def changed(self) -> dict[tuple[str, str], Document]:
        """Documents that differ from what was loaded, by (collection, id)."""
        held = self._documents.items()
        return {key: one for key, one in held if one is not None and one is not self._loaded.get(key)}

    def writes(self, lane: str = "", batch: int = 0) -> list[Write]:
        """The batch's changes as writes, compare-and-set on the versions that were loaded.

        What a view follows is stamped with the lane and the batch.
        """
        made: list[Write] = []
        for (collection, id_), document in self.changed().items():
            before = self._loaded.get((collection, id_))
            stored = to_mongo(document)
            if document.FOLLOWED:
                stored |= {"_lane": lane, "_batch": batch}
            made.append(Insert(collection, stored) if before is None else Replace(collection, id_, before.v, stored))
        # The driver sends a request for each run of a kind; what is new may take what a changed document gives up.
        made.sort(key=lambda write: isinstance(write, Insert))
        return [*made, *self._fired.values(), *(write for write in self._timers.values() if write is not None)]

    def size(self) -> int:
        """How many writes the batch has come to, at most."""
        return len(self._timers) + len(self._fired) + len(self._touched)

    def _timer(self, name: str, due: datetime, payload: Reminder, concerns: tuple[str, str]) -> Timer:
        kind, key = concerns
        return timer(name, due, payload, f"{kind}:{partition_of(key, self._scope.lanes[kind])}", self.cause)

    def _set_timer(self, name: str, write: Upsert | Delete) -> None:
        if self.past:
            return  # it was set once, and may have fired
        self._saved.timers.setdefault(name, self._timers.get(name))
        self._timers[name] = write
