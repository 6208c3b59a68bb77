"""The control document of a lane: who owns it, how far it is, and what it still has to send.

    {_id: lane, epoch, batch, next: [[topic, offset]...], session, outbox: [{b, r: records, at}...], held, skip,
     lease, mute: [[topic, offset]...]}

Every commit of the lane matches {epoch, batch, session}, so a former owner changes nothing after a claim.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from shared.contracts import Envelope

from .documents import LANES
from .ports import Conflict, Database, Fence, Json, Record, Session


@dataclass(frozen=True)
class Batch:
    """Records of one batch that have to be published; ``size`` in bytes, roughly.

    ``at`` is the time of the commit; None for a batch that is to be sent whatever its age.
    """

    number: int
    records: tuple[Record, ...]
    size: int
    at: datetime | None = None

    @cached_property
    def packed(self) -> bytes:
        """Its records as they are stored, by every commit until they are sent."""
        return packed(map(_stored, self.records))


@dataclass(frozen=True, slots=True)
class Control:
    """A control document as it was read."""

    lane: str
    epoch: int = 0
    batch: int = 0
    next: Mapping[str, int] = field(default_factory=dict)
    session: bytes | None = None
    outbox: tuple[Batch, ...] = ()
    held: str = ""
    skip: bool = False
    lease: datetime | None = None
    mute: Mapping[str, int] = field(default_factory=dict)
    """During a rebuild: the position from before it. What lies below was told once, and is not told again."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """What an owner must match: the epoch it made, its session, and the last batch it knows of."""

    lane: str
    epoch: int
    session: Session

    def where(self, batch: int | None = None) -> Json:
        """Filter on the control document; with ``batch`` for a commit."""
        found: Json = {"_id": self.lane, "epoch": self.epoch, "session": self.session.id}
        if batch is not None:
            found["batch"] = batch
        return found


GAP = "gap: "
"""How the reason of a hold begins that a release may go past."""
REBUILD = "rebuild"
"""The reason of a hold that only ``rebuild`` itself ends."""
HORIZON = "horizon: "
"""How it begins where the outbox is older than what readers remember; a release sends it all the same."""
DYING = "dying: "
"""How it begins where most inputs die; after a release counting starts anew."""
_FRESH: Json = {"batch": 0, "next": [], "outbox": []}


def read_control(lane: str, stored: Json | None) -> Control:
    """The control document from what the database returned; a new lane's where there was none."""
    if stored is None:
        return Control(lane)
    return Control(
        lane=lane,
        epoch=stored.get("epoch", 0),
        batch=stored.get("batch", 0),
        next=dict(stored.get("next", [])),
        session=stored.get("session"),
        outbox=tuple(_batch(entry) for entry in stored.get("outbox", [])),
        held=stored.get("held") or "",
        skip=bool(stored.get("skip")),
        lease=stored.get("lease"),
        mute=dict(stored.get("mute") or []),
    )


async def claim(
    database: Database, lane: str, session: Session, free: int | None = None, lease: datetime | None = None
) -> tuple[Control, Ownership]:
    """Take a lane over: from here on a former owner is fenced. Returns the document as it was before.

    A transaction that a dead owner left open would block the claim for a minute, so its session is killed
    first. With ``free`` the claim holds only if the epoch is still that one (a slot that others want too), and
    ``lease`` is its lease from the same moment: else others would still find it free.

    Raises:
        Conflict: somebody else claimed first. Transient: not done; or done without our knowing, so claim again.
    """
    stored = await database.load(LANES, [lane])
    before = read_control(lane, stored[0] if stored else None)
    if free not in (None, before.epoch):
        raise Conflict(lane)  # before the kill: the session is that of a living owner
    if before.session is not None:
        await database.kill_session(before.session)
    where: Json = {"_id": lane} if free is None else {"_id": lane, "epoch": free}
    change: Json = {
        "$inc": {"epoch": 1},
        "$set": {"session": session.id, **({"lease": lease} if lease else {})},
        "$setOnInsert": _FRESH,
    }
    found = await database.modify(LANES, where, change, upsert=free is None)
    if found is None and free is not None:
        raise Conflict(lane)
    control = read_control(lane, found)
    return control, Ownership(lane, control.epoch + 1, session)


async def make(database: Database, lane: str) -> None:
    """Make a control document without an owner, if there is none. Raises Conflict when others do, too."""
    fresh: Json = {"$setOnInsert": {"epoch": 0, **_FRESH}}
    await database.modify(LANES, {"_id": lane}, fresh, upsert=True)


def advance(
    own: Ownership, batch: int, next_: Mapping[str, int], outbox: Sequence[Batch], lease: datetime | None
) -> Fence:
    """The first write of a batch's transaction: batch + 1, the new position, what is still to be sent."""
    change: Json = {
        "batch": batch + 1,
        "next": [[topic, offset] for topic, offset in sorted(next_.items())],
        "outbox": [{"b": b.number, "r": b.packed, "at": b.at} for b in outbox],
        "skip": False,
    }
    if lease is not None:
        change["lease"] = lease
    return Fence(LANES, own.where(batch), {"$set": change})


async def trim(database: Database, own: Ownership, acknowledged: int) -> bool:
    """Drop acknowledged batches from the stored outbox; False if the lane is no longer ours.

    It compares with the document and not with memory: an acknowledgement that came between a commit and its
    reply is not in the list that the commit wrote.
    """
    change: Json = {"$pull": {"outbox": {"b": {"$lte": acknowledged}}}}
    return await database.modify(LANES, own.where(), change) is not None


async def move(database: Database, own: Ownership, batch: int, next_: Mapping[str, int]) -> bool:
    """Store a position that no commit stored; False if the lane is no longer ours."""
    change: Json = {"$set": {"next": [[topic, offset] for topic, offset in sorted(next_.items())], "skip": False}}
    return await database.modify(LANES, own.where(batch), change) is not None


async def speak(database: Database, own: Ownership) -> bool:
    """End the mute of a rebuild; False if the lane is no longer ours."""
    return await database.modify(LANES, own.where(), {"$unset": {"mute": ""}}) is not None


async def renew(database: Database, own: Ownership, lease: datetime | None) -> bool:
    """Set the lease of a slot (None gives it back); False if it is no longer ours."""
    return await database.modify(LANES, own.where(), {"$set": {"lease": lease}}) is not None


async def hold(database: Database, lane: str, reason: str) -> bool:
    """Stop a lane, whoever owns it: the epoch moves on, and an owner that claims again finds the reason.

    False for a lane that nobody has ever claimed. Raises Conflict while a rebuild holds it: a release of this hold
    would start a lane that is reset by half.
    """
    where: Json = {"_id": lane, "held": {"$ne": REBUILD}}
    if await database.modify(LANES, where, _held(reason)) is not None:
        return True
    if await database.load(LANES, [lane]):
        raise Conflict(f"{lane}: a rebuild holds it")
    return False


async def hold_own(database: Database, own: Ownership, reason: str) -> None:
    """Stop a lane by its own alarm; one that is no longer ours is left alone."""
    await database.modify(LANES, own.where(), _held(reason))


def _held(reason: str) -> Json:
    return {"$inc": {"epoch": 1}, "$set": {"held": reason[:200]}}


async def release(database: Database, lane: str) -> bool:
    """Let a held lane go on, past a gap or with an old outbox if that held it; False for one that is not held.

    ``skip`` stands until the lane has stored a position behind the gap, so a crash in between costs nothing.
    Raises Conflict when it was held anew for something else meanwhile, or half of it is reset by a rebuild.
    """
    stored = await database.load(LANES, [lane])
    held = read_control(lane, stored[0] if stored else None).held
    if not held:
        return False
    if held == REBUILD:
        raise Conflict(f"{lane}: a rebuild was stopped half way, run it again")
    change: Json = {"$unset": {"held": ""}, "$set": {"skip": held.startswith(GAP)}}
    if held.startswith(HORIZON):
        change["$set"]["outbox"] = [{"b": entry["b"], "r": entry["r"]} for entry in stored[0]["outbox"]]
    # The epoch, too: an erasure cleans the outbox of a held lane, and what was read before must not come back.
    if await database.modify(LANES, {"_id": lane, "held": held, "epoch": stored[0]["epoch"]}, change) is None:
        raise Conflict(lane)
    return True


def packed(records: Iterable[Sequence[Any]]) -> bytes:
    """The records of a batch as they are stored: one MessagePack, since a server takes apart what is none, though it
    never looks at them."""
    return msgspec.msgpack.encode(list(records))


def unpacked(stored: Json) -> list[list[Any]]:
    """The records of a stored batch, each [topic, partition, key, value, [id, type, source, time, subject, sequence,
    correlation, causation, traceparent]]. What an earlier release has stored is such a list itself."""
    kept = stored["r"]
    found: list[list[Any]] = msgspec.msgpack.decode(kept) if isinstance(kept, bytes) else kept
    return found


def _stored(record: Record) -> list[Any]:
    e = record.envelope
    known = [e.id, e.type, e.source, e.time, e.subject, e.sequence, e.correlation, e.causation, e.traceparent]
    return [record.topic, record.partition, record.key, record.value, known]


def _batch(entry: Json) -> Batch:
    records = tuple(Record(t, p, k, bytes(value), Envelope(*known)) for t, p, k, value, known in unpacked(entry))
    return Batch(entry["b"], records, sum(len(r.value) + 300 for r in records), entry.get("at"))
