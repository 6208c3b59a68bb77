"""The subset of MongoDB's filters and updates that ``shared.flow.ports.Database`` names."""

from collections.abc import Callable, Sequence
from typing import Any

from shared.flow.ports import Json

_ABSENT = object()


def _same(found: Any, wanted: Any) -> bool:
    if wanted is None:
        return found is None or found is _ABSENT
    return bool(found == wanted or (isinstance(found, list) and wanted in found))


def _ordered(found: Any, wanted: Any, holds: Callable[[Any, Any], bool]) -> bool:
    # Values of another kind, and absent ones, are neither below nor above.
    kinds = (int, float)
    alike = type(found) is type(wanted) or (isinstance(found, kinds) and isinstance(wanted, kinds))
    return alike and holds(found, wanted)


_CONDITIONS: dict[str, Callable[[Any, Any], bool]] = {
    "$in": lambda found, wanted: any(_same(found, w) for w in wanted),
    "$ne": lambda found, wanted: not _same(found, wanted),
    "$exists": lambda found, wanted: (found is not _ABSENT) == bool(wanted),
    "$lt": lambda found, wanted: _ordered(found, wanted, lambda a, b: a < b),
    "$lte": lambda found, wanted: _ordered(found, wanted, lambda a, b: a <= b),
    "$gt": lambda found, wanted: _ordered(found, wanted, lambda a, b: a > b),
    "$gte": lambda found, wanted: _ordered(found, wanted, lambda a, b: a >= b),
}


def matches(document: Json, where: Json) -> bool:
    """Whether a document matches a filter. KeyError for an operator outside the subset."""
    for field, wanted in where.items():
        if field == "$or":
            if not any(matches(document, branch) for branch in wanted):
                return False
        elif field.startswith("$"):
            raise KeyError(field)
        elif isinstance(wanted, dict) and any(name.startswith("$") for name in wanted):
            found = _at(document, field)
            if not all(_CONDITIONS[name](found, value) for name, value in wanted.items()):
                return False
        elif not _same(_at(document, field), wanted):
            return False
    return True


def _at(document: Any, path: str) -> Any:
    """What a path leads to; through a list it leads to all that its entries have there."""
    if isinstance(document, list):
        return [found for part in document if (found := _at(part, path)) is not _ABSENT]
    name, _, rest = path.partition(".")
    if not isinstance(document, dict) or name not in document:
        return _ABSENT
    return _at(document[name], rest) if rest else document[name]


def seeded(where: Json) -> Json:
    """The document that an upsert starts with: the filter's equalities."""
    return {f: v for f, v in where.items() if not f.startswith("$") and not isinstance(v, dict)}


def changed(document: Json, change: Json, *, inserted: bool = False) -> Json:
    """The document after an update. KeyError for an operator outside the subset."""
    after = dict(document)
    for operator, fields in change.items():
        for field, value in fields.items():
            _UPDATES[operator](after, field, value, inserted)
    return after


def _pull(document: Json, field: str, condition: Any, _: bool) -> None:
    def goes(item: Any) -> bool:
        return matches(item, condition) if isinstance(condition, dict) and isinstance(item, dict) else item == condition

    if field in document:
        document[field] = [item for item in document[field] if not goes(item)]


def _set(document: Json, field: str, value: Any, _: bool) -> None:
    document[field] = value


def _unset(document: Json, field: str, _value: Any, _: bool) -> None:
    document.pop(field, None)


def _inc(document: Json, field: str, value: Any, _: bool) -> None:
    document[field] = document.get(field, 0) + value


def _on_insert(document: Json, field: str, value: Any, inserted: bool) -> None:
    if inserted:
        document[field] = value


_UPDATES: dict[str, Callable[[Json, str, Any, bool], None]] = {
    "$set": _set,
    "$unset": _unset,
    "$inc": _inc,
    "$setOnInsert": _on_insert,
    "$pull": _pull,
}


def order(documents: list[Json], sort: Sequence[tuple[str, int]]) -> list[Json]:
    """Sorted by the fields, the first one first; absent values come before all others."""
    for field, direction in reversed(sort):
        documents = sorted(documents, key=lambda d: _rank(_at(d, field)), reverse=direction < 0)
    return documents


def _rank(value: Any) -> tuple[bool, Any]:
    return (False, 0) if value is None or value is _ABSENT else (True, value)
