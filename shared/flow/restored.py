"""Restored: before a lane starts on a database from a backup, the timeline that was lost is shut out and told over."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts import EVENTS
from shared.errors import Rejected

from . import floor
from .control import packed, read_control, unpacked
from .documents import LANES, RESTORED
from .ports import Conflict, Database, Json
from .rebuild import progress
from .runtime import Runtime
from .states import State, republish

_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)


async def restored(
    runtime: Runtime, states: Sequence[State], told: Callable[[str], None] = lambda step: None
) -> dict[str, int]:
    """Raise the floor of all sequences, fence every lane, and republish; returns what republication did.

    From here on each state event, also one that waits in an outbox, is above whatever the lost timeline told, and no
    process that owned a lane before commits anything: neither one of the lost timeline, whose epoch may come round
    again (the session is another one), nor one from before the snapshot (the epoch is another one). Stopped half way
    it is run again.

    Raises:
        Rejected: the clock stands before the last restore, or an outbox holds what only a later release knows;
            nothing was done. Transient, Conflict: run it again; a rebuild that the snapshot was taken in must end
            first, with the service running, then republish.
    """
    database = runtime.database
    _waiting(await database.find(LANES, {}, fields=("outbox",)))
    # The floor first: whoever claims a lane after it was fenced reads it.
    sequence = await _raise(database, runtime.now())
    told("raised")
    stored = await database.find(LANES, {})
    above = _above(stored, sequence)
    for lane in (document["_id"] for document in stored):
        while not await _fence(database, lane, above, sequence):
            continue
        told("fenced")
    if await progress(database):
        raise Conflict("a rebuild is going on: let the service end it, then republish")
    return await republish(runtime, states)


async def _raise(database: Database, now: datetime) -> int:
    """Microseconds since 1970: 16 digits, exact in a double, and no document is changed once in each of them."""
    sequence = (now - _BEGAN) // timedelta(microseconds=1)
    before = await floor.stored(database)
    if sequence < before:
        raise Rejected("clock-is-behind", 409, detail="The clock stands before the last restore of this database.")
    where: Json = {"_id": "floor", "sequence": before} if before else {"_id": "floor"}
    if await database.modify(RESTORED, where, {"$set": {"sequence": sequence}}, upsert=not before) is None and before:
        raise Conflict("floor")
    return sequence


def _above(stored: Iterable[Json], sequence: int) -> Mapping[int, int]:
    """A new sequence for each that waits in an outbox with a state, in the same order, just below the floor.

    The snapshot may have been taken after a rebuild, and the state be nowhere else: nothing would tell it over. Where
    it is in the database too, what is told over, at the floor, is the newer one.
    """
    waiting = _waiting(stored)
    return {before: sequence - len(waiting) + n for n, before in enumerate(sorted(waiting))}


def _waiting(stored: Iterable[Json]) -> set[int]:
    """The sequences of all states in outboxes."""
    records = (record for lane in stored for batch in lane["outbox"] for record in unpacked(batch))
    return {record[4][5] for record in records if _is_state(record)}


def _is_state(record: Sequence[Any]) -> bool:
    if (type_ := record[4][1]) not in EVENTS:
        raise Rejected("unknown-event", 409, detail=f"Run it with the release that knows {type_}: an outbox holds one.")
    return EVENTS[type_].ORDER == "state"


def _lifted(record: Sequence[Any], above: Mapping[int, int], last: int) -> Sequence[Any]:
    """The record with a sequence, and hence an id, that the lost timeline has not used; ``last`` is for a state that an
    owner from before the snapshot has added since.
    """
    *place, (id_, type_, source, time, subject, before, *rest) = record
    sequence = above.get(before, last)
    renamed = str(uuid.uuid5(uuid.UUID(id_), str(sequence)))
    return [*place, [renamed, type_, source, time, subject, sequence, *rest]]


async def _fence(database: Database, lane: str, above: Mapping[int, int], sequence: int) -> bool:
    """Nobody owns it; its position and what holds it stay, its outbox is lifted. A republication begins anew: all that
    it had still to send is told over. False if an owner from before the snapshot was first.
    """
    (stored,) = await database.load(LANES, [lane])
    before = read_control(lane, stored)
    if before.session is not None:
        await database.kill_session(before.session)  # what it left open would lock the document for a minute
    anew = lane.startswith("republish:")
    lifted = [
        {**batch, "r": packed(_lifted(r, above, sequence - 1) if _is_state(r) else r for r in unpacked(batch))}
        for batch in stored["outbox"]
    ]
    change: Json = {
        "$inc": {"epoch": 1},
        "$unset": {"session": "", **({"held": ""} if anew else {})},
        "$set": {"lease": None, "outbox": [] if anew else lifted, **({"next": []} if anew else {})},
    }
    where: Json = {"_id": lane, "epoch": before.epoch, "batch": before.batch}
    return await database.modify(LANES, where, change) is not None
