"""Restored: before a lane starts on a database from a backup, the timeline that was lost is shut out and told over."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from shared.errors import Rejected

from . import floor
from .control import Control, read_control
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

    From here on each state event is above whatever the lost timeline told, and no process that owned a lane before
    commits anything: neither one of the lost timeline, whose epoch may come round again (the session is another
    one), nor one from before the snapshot (the epoch is another one). Stopped half way it is run again.

    Raises:
        Rejected: the clock stands before the last restore; nothing was done. Transient, Conflict: run it again; a
            rebuild that the snapshot was taken in must end first, with the service running, then republish.
    """
    database = runtime.database
    # The floor first: whoever claims a lane after it was fenced reads it.
    await _raise(database, runtime.now())
    told("raised")
    for document in await database.find(LANES, {}, fields=("session",)):
        await _fence(database, read_control(document["_id"], document))
        told("fenced")
    if await progress(database):
        raise Conflict("a rebuild is going on: let the service end it, then republish")
    return await republish(runtime, states)


async def _raise(database: Database, now: datetime) -> None:
    """Microseconds since 1970: 16 digits, exact in a double, and no document is changed once in each of them."""
    sequence = (now - _BEGAN) // timedelta(microseconds=1)
    before = await floor.stored(database)
    if sequence < before:
        raise Rejected("clock-is-behind", 409, detail="The clock stands before the last restore of this database.")
    where: Json = {"_id": "floor", "sequence": before} if before else {"_id": "floor"}
    if await database.modify(RESTORED, where, {"$set": {"sequence": sequence}}, upsert=not before) is None and before:
        raise Conflict("floor")


async def _fence(database: Database, before: Control) -> None:
    """Nobody owns it; its position, its outbox and what holds it stay. A republication begins anew: all that it had
    still to send is told over.
    """
    if before.session is not None:
        await database.kill_session(before.session)  # what it left open would lock the document for a minute
    anew = before.lane.startswith("republish:")
    change: Json = {
        "$inc": {"epoch": 1},
        "$unset": {"session": "", **({"held": ""} if anew else {})},
        "$set": {"lease": None, **({"next": [], "outbox": []} if anew else {})},
    }
    await database.modify(LANES, {"_id": before.lane}, change)
