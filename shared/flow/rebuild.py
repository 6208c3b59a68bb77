"""Rebuild: projections are taken away and folded again from the topics, mute up to where each lane had come."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from shared.errors import Rejected

from . import control
from .documents import INBOX, LANES, Document, from_mongo, to_mongo
from .ports import Conflict, Database, Json, Replace, Write
from .rewrite import Writer, emptied, pages, writer
from .runtime import Runtime

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one lane that is mute: records folded again, and to be folded in all, counted from offset 0."""

    lane: str
    done: int
    total: int


async def rebuild(
    runtime: Runtime, kinds: Iterable[type[Document]], told: Callable[[str], None] = lambda step: None
) -> None:
    """Reset what the kinds declare as ``REBUILT`` and let every key lane begin anew; returns when they may.

    All key lanes stop first and their owners are fenced, in whatever process they are; api lanes work on. Outboxes,
    batch numbers, timers and dead letters stay. Stopped half way it has let nobody go on: run it again. Run while
    a rebuild is going on it begins again, mute as far as the first one was.

    Raises:
        Rejected: a lane is held by an operator or an alarm, or a kind does not declare ``REBUILT`` itself; nothing
            was done. Transient, Conflict: run it again.
    """
    database, kinds = runtime.database, list(kinds)
    if unsaid := [kind.__name__ for kind in kinds if "REBUILT" not in vars(kind)]:
        # Kept and counted by events, it would be counted twice.
        raise Rejected("rebuild-is-not-declared", 409, detail=f"Not said of: {', '.join(unsaid)}.")
    lanes = [f"{key}:{i}" for key, count in sorted(runtime.scope.lanes.items()) for i in range(count)]
    held = [c.lane for c in await _controls(database, lanes) if c.held not in ("", control.REBUILD)]
    if held:
        raise Rejected("lanes-are-held", 409, detail=f"Release them first: {', '.join(held)}.")
    for lane in lanes:
        await _stop(database, lane)
        told("stopped")
    await _stop_helpers(database)
    async with writer(database) as write:
        for kind in kinds:
            if kind.REBUILT:
                log.info("rebuild_resets", collection=kind.COLLECTION, reset=kind.REBUILT)
            await _reset(database, write, kind)
            told("reset")
        await emptied(database, write, INBOX)
        told("emptied")
    for lane in lanes:
        await database.modify(LANES, {"_id": lane, "held": control.REBUILD}, {"$unset": {"held": ""}})
        told("released")


async def progress(database: Database) -> list[Progress]:
    """How far each lane is that still folds again; empty when the rebuild is done."""
    found = await database.find(LANES, {"mute": {"$exists": True}}, fields=("next", "mute"), sort=[("_id", 1)])
    lanes = (control.read_control(stored["_id"], stored) for stored in found)
    return [
        Progress(lane.lane, sum(min(lane.next.get(t, 0), end) for t, end in lane.mute.items()), sum(lane.mute.values()))
        for lane in lanes
    ]


async def _stop(database: Database, lane: str) -> None:
    """Fence the lane's owner, and set it back to the beginning with its old position as the mute."""
    await control.make(database, lane)
    (before,) = await _controls(database, [lane])
    if before.held != control.REBUILD:
        if before.session is not None:
            await database.kill_session(before.session)
        fence: Json = {"$inc": {"epoch": 1}, "$set": {"held": control.REBUILD}}
        if await database.modify(LANES, {"_id": lane, "held": {"$exists": False}}, fence) is None:
            raise Conflict(lane)
        (before,) = await _controls(database, [lane])
    # From here on nobody commits. Of a rebuild in a rebuild the higher position holds: what it tells was told.
    topics = {**before.mute, **before.next}
    mute = [[t, max(before.mute.get(t, 0), before.next.get(t, 0))] for t in sorted(topics)]
    change: Json = {"$set": {"next": [], "skip": False, **({"mute": mute} if mute else {})}}
    if await database.modify(LANES, {"_id": lane, "held": control.REBUILD}, change) is None:
        raise Conflict(lane)


async def _stop_helpers(database: Database) -> None:
    """Fence replays and republications: they would read and change what is being reset."""
    for stored in await database.find(LANES, {}, fields=("epoch",)):
        if stored["_id"].startswith(("replay:", "republish:")):
            await database.modify(LANES, {"_id": stored["_id"]}, {"$inc": {"epoch": 1}})


async def _controls(database: Database, lanes: Sequence[str]) -> list[control.Control]:
    stored = {document["_id"]: document for document in await database.load(LANES, lanes)}
    return [control.read_control(lane, stored.get(lane)) for lane in lanes]


async def _reset(database: Database, write: Writer, kind: type[Document]) -> None:
    if kind.REBUILT is True:
        await emptied(database, write, kind.COLLECTION)
    elif kind.REBUILT:
        blank = defaults(kind, kind.REBUILT)
        async for page in pages(database, kind.COLLECTION):
            ids = [stored["_id"] for stored in page]

            async def make(ids: Sequence[str] = ids) -> list[Write]:
                documents = [from_mongo(kind, stored) for stored in await database.load(kind.COLLECTION, ids)]
                return [_blanked(d, blank) for d in documents if any(getattr(d, f) != blank[f] for f in blank)]

            await write(make)


def _blanked(document: Document, blank: Mapping[str, Any]) -> Write:
    after = msgspec.structs.replace(document, v=document.v + 1, **blank)
    return Replace(document.COLLECTION, document.id, document.v, to_mongo(after))


def defaults(kind: type[Document], fields: Iterable[str]) -> dict[str, Any]:
    """What these fields of a kind begin with. Raises TypeError for a field that must be given."""
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    made: dict[str, Any] = {}
    for name in fields:
        field = known[name]
        if field.default_factory is not msgspec.NODEFAULT:
            made[name] = field.default_factory()
        elif field.default is not msgspec.NODEFAULT:
            made[name] = field.default
        else:
            raise TypeError(f"{kind.__name__}.{name} has no default to begin with")
    return made
