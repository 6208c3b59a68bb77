"""The lane's safeguards, each with a switch that takes it away: a simulation that still passes then checks nothing.

Named after what is done instead. Eighteen are those that the design stands on; others are of the fold, holds, restores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from shared.contracts import Event
from shared.contracts.dead import DeadLetter
from shared.flow import alarms, apilane, control, fold, keylane, process, reading, restored
from shared.flow.apilane import ApiLane
from shared.flow.control import Batch, Control, Ownership, packed, unpacked
from shared.flow.documents import LANES, Document, StoredReply, Timer
from shared.flow.due import DueTimers
from shared.flow.echo import Echo
from shared.flow.fold import Folded
from shared.flow.inputs import Input
from shared.flow.outbox import Outbox
from shared.flow.ports import Database, Delete, Fence, Insert, Json, Replace, Upsert, Write
from shared.flow.router import Router
from shared.flow.runtime import Runtime
from shared.flow.slots import Slots
from shared.flow.step import Steps
from shared.flow.view import CollectionView
from shared.flow.work import Work
from tests.fakes.faults import FaultyDatabase
from tests.simulation import operator, services


@contextmanager
def replaced(where: Any, name: str, by: Any) -> Iterator[None]:
    """Something else stands under a name for a while."""
    before = getattr(where, name)
    setattr(where, name, by)
    try:
        yield
    finally:
        setattr(where, name, before)


def _no_fence() -> Any:
    return replaced(Ownership, "where", lambda self, batch=None: {"_id": self.lane})


def _without_the_session() -> Any:
    where = Ownership.where

    def less(self: Ownership, batch: int | None = None) -> Json:
        return {name: value for name, value in where(self, batch).items() if name != "session"}

    return replaced(Ownership, "where", less)


def _publish_before_commit() -> Any:
    commit = Steps._commit

    async def early(self: Steps, folded: Folded, writes: list[Write], taken: Sequence[Input]) -> None:
        records = tuple(folded.work.records)
        folded.work.records.clear()
        if records:
            await self.runtime.publisher.publish(records)
        await commit(self, folded, writes, taken)

    return replaced(Steps, "_commit", early)


def _no_outbox() -> Any:
    advance = control.advance

    def forgetful(own: Ownership, batch: int, next_: Mapping[str, int], outbox: Sequence[Batch], lease: Any) -> Fence:
        return advance(own, batch, next_, (), lease)

    return replaced(control, "advance", forgetful)


def _no_sending_on_claim() -> Any:
    restore = Outbox.restore
    return replaced(Outbox, "restore", lambda self, batches: restore(self, ()))


class _Unforgetting(Echo):
    """Goes on with what the owner before it remembers: one lane of one process has one router and one partition."""

    def __init__(self, router: Router, partition: int) -> None:
        super().__init__(router, partition)
        self._told = vars(router).setdefault("told", {}).setdefault(partition, {})


def _decisions_known_over_a_claim() -> Any:
    return replaced(keylane, "Echo", _Unforgetting)


def _no_inbox() -> Any:
    async def nothing(runtime: Runtime, inputs: Sequence[Input]) -> set[bytes]:
        return set()

    return replaced(reading, "seen", nothing)


@contextmanager
def _inbox_first() -> Iterator[None]:
    documents, seen = reading.documents, reading.seen
    found: ContextVar[set[bytes]] = ContextVar("found")

    async def after(runtime: Runtime, inputs: Sequence[Input]) -> Any:
        found.set(await seen(runtime, inputs))
        return await documents(runtime, inputs)

    async def before(runtime: Runtime, inputs: Sequence[Input]) -> set[bytes]:
        return found.get()

    with replaced(reading, "documents", after), replaced(reading, "seen", before):
        yield


def _no_compare_and_set() -> Any:
    writes = Work.writes

    def blind(self: Work, lane: str = "", batch: int = 0) -> list[Write]:
        made = writes(self, lane, batch)
        return [Upsert(w.collection, w.document) if isinstance(w, Replace) else w for w in made]

    return replaced(Work, "writes", blind)


def _no_guard() -> Any:
    return replaced(Work, "guard", Work.get)


def _outside(late: Callable[[Write], bool]) -> Callable[[], Any]:
    """What is of this kind is written by a transaction of its own, after the others."""

    def taken_away() -> Any:
        transact = FaultyDatabase.transact

        async def twice(self: FaultyDatabase, session: Any, writes: Sequence[Write]) -> None:
            for part in ([w for w in writes if not late(w)], [w for w in writes if late(w)]):
                if part:
                    await transact(self, session, part)

        return replaced(FaultyDatabase, "transact", twice)

    return taken_away


def _fence_last() -> Any:
    transact = FaultyDatabase.transact

    async def turned(self: FaultyDatabase, session: Any, writes: Sequence[Write]) -> None:
        await transact(self, session, sorted(writes, key=lambda write: isinstance(write, Fence)))

    return replaced(FaultyDatabase, "transact", turned)


def _deletes_a_timer(write: Write) -> bool:
    return isinstance(write, Delete) and write.collection == Timer.COLLECTION


def _stores_a_reply(write: Write) -> bool:
    return isinstance(write, Insert | Replace) and write.collection == StoredReply.COLLECTION


def _no_slot_taken_over() -> Any:
    free = Slots._free

    async def given_back(self: Slots, *, orphans: bool) -> Control | None:
        found = await free(self, orphans=orphans)
        return found if found is not None and found.lease is None else None

    return replaced(Slots, "_free", given_back)


def _unknown_is_success() -> Any:
    async def applied(self: ApiLane, own: Ownership) -> None:
        await self.claim()

    return replaced(ApiLane, "resolve", applied)


def _order_by_offset() -> Any:
    return replaced(services, "BY_SEQUENCE", False)


def _no_claim_after_a_fence() -> Any:
    return replaced(keylane.KeyLane, "reclaims", lambda self: False)


def _timers_ignore_the_lag() -> Any:
    return replaced(process, "DueTimers", lambda timers, ends: DueTimers(timers, {}))


def _timers_ignore_the_outbox() -> Any:
    async def nothing(self: process.Process, names: Sequence[str]) -> dict[str, Any]:
        return {}

    return replaced(process.Process, "_oldest_unsent", nothing)


def _doubles_in_a_batch() -> Any:
    deliver = fold._deliver
    return replaced(fold, "_deliver", lambda s, f, i, known: deliver(s, f, i, set(known)))


def _letters_without_a_note() -> Any:
    noted = reading.as_noted

    async def all_letters(runtime: Runtime, inputs: Sequence[Input]) -> Sequence[Input]:
        return [i if i.letter else known for i, known in zip(inputs, await noted(runtime, inputs), strict=True)]

    return replaced(reading, "as_noted", all_letters)


def _replies_of_others() -> Any:
    settled = ApiLane.settled

    def turned(self: ApiLane, folded: Folded, inputs: Sequence[Input]) -> None:
        asked, answers = [i for i, _ in folded.answers], [a for _, a in folded.answers]
        folded.answers[:] = zip(asked, answers[1:] + answers[:1], strict=True)
        settled(self, folded, inputs)

    return replaced(ApiLane, "settled", turned)


def _letters_twice() -> Any:
    emit = Work.emit

    def twice(self: Work, event: Event, of: Document | None = None) -> None:
        for _ in range(2 if isinstance(event, DeadLetter) else 1):
            emit(self, event, of)

    return replaced(Work, "emit", twice)


def _no_second_look() -> Any:
    refresh = CollectionView.refresh

    async def once(self: CollectionView[Any]) -> None:
        if self._looked is None:
            await refresh(self)

    return replaced(CollectionView, "refresh", once)


def _held_in_name() -> Any:
    return replaced(control, "_held", lambda reason: {"$set": {"held": reason}})


def _no_alarm_of_deaths() -> Any:
    return replaced(alarms.Deaths, "alarm", lambda self: "")


def _no_floor() -> Any:
    async def nothing(*arguments: Any) -> None:
        return None

    return replaced(restored, "_raise", nothing)


def _no_rebuild() -> Any:
    async def nothing(*arguments: Any) -> None:
        return None

    return replaced(operator, "rebuild", nothing)


def _restored_without_a_fence() -> Any:
    async def lifts(database: Database, lane: str, above: Mapping[int, int], floor: int) -> bool:
        (stored,) = await database.load(LANES, [lane])
        batches = [{**b, "r": packed(_lifted(r, above, floor - 1) for r in unpacked(b))} for b in stored["outbox"]]
        return await database.modify(LANES, {"_id": lane}, {"$set": {"outbox": batches}}) is not None

    return replaced(restored, "_fence", lifts)


def _lifted(record: Sequence[Any], above: Mapping[int, int], last: int) -> Sequence[Any]:
    return restored._lifted(record, above, last) if restored._is_state(record) else record


def _sessions_left_open() -> Any:
    async def nothing(self: FaultyDatabase, id_: bytes) -> None:
        return None

    return replaced(FaultyDatabase, "kill_session", nothing)


def _long_leases() -> Any:
    return replaced(apilane, "LEASE", timedelta(seconds=60))


def _no_rollback() -> Any:
    return replaced(Work, "rollback", lambda self: None)


MUTANTS: dict[str, Callable[[], Any]] = {
    "no fence": _no_fence,
    "publish before commit": _publish_before_commit,
    "no outbox": _no_outbox,
    "outbox not re-sent on claim": _no_sending_on_claim,
    "no inbox": _no_inbox,
    "no compare-and-set on documents": _no_compare_and_set,
    "no guard on read invariants": _no_guard,
    "control document outside the transaction": _outside(lambda write: isinstance(write, Fence)),
    "timer deleted outside the transaction": _outside(_deletes_a_timer),
    "reply outside the transaction": _outside(_stores_a_reply),
    "slots never taken over": _no_slot_taken_over,
    "timer that ignores the topic lag": _timers_ignore_the_lag,
    "unknown commit taken for success": _unknown_is_success,
    "order by offset instead of sequence": _order_by_offset,
    "inbox read before the documents": _inbox_first,
    "control document compared without the session": _without_the_session,
    "no new claim after a fence": _no_claim_after_a_fence,
    "timer that ignores the service's own outbox": _timers_ignore_the_outbox,
    "doubles in a batch folded": _doubles_in_a_batch,
    "no rollback": _no_rollback,
    "no floor after a restore": _no_floor,
    "callers of a batch told of each other": _replies_of_others,
    "letters told twice": _letters_twice,
    "view that looks once": _no_second_look,
    "hold that fences nobody": _held_in_name,
    "no alarm of deaths": _no_alarm_of_deaths,
    "letter replayed without a note of it": _letters_without_a_note,
    "no rebuild": _no_rebuild,
    "restore that fences nobody": _restored_without_a_fence,
    "sessions of the dead left open": _sessions_left_open,
    "leases of a minute": _long_leases,
    "control document last in the transaction": _fence_last,
    "own decisions known over a claim": _decisions_known_over_a_claim,
}
"""By name: what makes the lane so, as a context manager."""
