"""The writes of a transaction in the words of MongoDB and its driver."""

from collections.abc import Iterable, Sequence
from typing import Any

from pymongo import DeleteMany, InsertOne, ReplaceOne, UpdateOne

from shared.flow.ports import Delete, Fence, Insert, Json, Replace, Upsert, Write


def at_once(database: str, writes: Sequence[Write]) -> Json:
    """The command that does them all, in order, whatever their collections."""
    spaces = {name: n for n, name in enumerate(dict.fromkeys(write.collection for write in writes))}
    return {
        "bulkWrite": 1,
        "ops": [_step(write, spaces[write.collection]) for write in writes],
        "nsInfo": [{"ns": f"{database}.{name}"} for name in spaces],
    }


def groups(writes: Iterable[Write]) -> list[tuple[str, list[Write]]]:
    """Writes by collection, in the order of first mention.

    Deletes that must find something go apart: in a common count, another delete could stand in for them.
    """
    groups: dict[tuple[str, bool], list[Write]] = {}
    for write in writes:
        groups.setdefault((write.collection, isinstance(write, Delete) and write.must), []).append(write)
    return [(collection, group) for (collection, _), group in groups.items()]


def _step(write: Write, space: int) -> Json:
    """One of a request to several collections."""
    match write:
        case Insert(_, document):
            return {"insert": space, "document": document}
        case Replace(_, id_, v, document):
            return {"update": space, "filter": {"_id": id_, "v": v}, "updateMods": document, "multi": False}
        case Upsert(_, document):
            where = {"_id": document["_id"]}
            return {"update": space, "filter": where, "updateMods": document, "multi": False, "upsert": True}
        case Delete(_, where, _):
            return {"delete": space, "filter": where, "multi": True}
        case Fence(_, where, change):
            # One that finds nothing must fail. To make a document whose id there is does.
            return {"update": space, "filter": where, "updateMods": change, "multi": False, "upsert": True}


def operation(write: Write) -> Any:
    """One of a bulk for one collection."""
    match write:
        case Insert(_, document):
            return InsertOne(document)
        case Replace(_, id_, v, document):
            return ReplaceOne({"_id": id_, "v": v}, document)
        case Upsert(_, document):
            return ReplaceOne({"_id": document["_id"]}, document, upsert=True)
        case Delete(_, where, _):
            return DeleteMany(where)
        case Fence(_, where, change):
            return UpdateOne(where, change)
