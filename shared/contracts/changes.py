"""What a change of the schemas would break inside a version, and for whom.

Both sides count. A reader of yesterday gets the events of today, so nothing that it relies on may go and nothing
may come that its schema refuses. A reader of today gets the events of yesterday, which stay in the topics, so
nothing may be asked of them that they do not have. What is left are additions: a type, or a field with a default.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
Change = tuple[str, str]
"""Where, as ``reasons[].weight``, and what."""

ROUTING = ("topic", "key", "key_field", "owner", "order")
_WORDS = frozenset({"$schema", "$id", "$defs", "$ref", "title", "description", "examples", "discriminator", "x-lianyi"})
"""Says nothing of what a value may be."""
_PARTS = frozenset({"properties", "required", "items", "prefixItems", "anyOf", "oneOf", "enum", "const", "default"})
"""Compared part by part; of any other keyword it is enough that it differs."""


@dataclass(frozen=True, slots=True)
class Breaking:
    """A change that needs a new version of the type. ``readers`` are the services that read its topic."""

    type: str
    field: str
    what: str
    readers: tuple[str, ...]

    def __str__(self) -> str:
        place = f"{self.type} {self.field}".rstrip()
        readers = ", ".join(self.readers) or "no service of ours, but others may"
        return f"{place}: {self.what}; read by {readers}"


def breaking(released: Mapping[str, Schema], today: Mapping[str, Schema]) -> list[Breaking]:
    """Changes that break readers of the released schemas, by type. Both are schemas by ``ce_type``."""
    found = []
    for type_, old in released.items():
        new = today.get(type_)
        readers = {*old["x-lianyi"]["readers"], *(new["x-lianyi"]["readers"] if new else ())}
        changes = _Comparison(old, new).all() if new else [("", "the type is gone")]
        found += [Breaking(type_, field, what, tuple(sorted(readers))) for field, what in changes]
    return found


class _Comparison:
    """Two schemas of one type, side by side."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._roots = old, new
        self._met: set[tuple[str, str]] = set()

    def all(self) -> Iterator[Change]:
        """Every change that breaks."""
        old, new = self._roots
        for name in ROUTING:
            yield from _if_other(name, old["x-lianyi"][name], new["x-lianyi"][name], "")
        yield from self._values(old, new, "")

    def _values(self, old: Schema, new: Schema, at: str) -> Iterator[Change]:
        pair = str(old.get("$ref", "")), str(new.get("$ref", ""))
        if any(pair):
            if pair in self._met:  # what holds itself was compared when it was met first
                return
            self._met.add(pair)
        olds, news = self._branches(old, 0), self._branches(new, 1)
        if olds.keys() != news.keys():
            yield at, f"the type was {' or '.join(sorted(olds))} and is {' or '.join(sorted(news))}"
        for name in sorted(olds.keys() & news.keys()):
            yield from self._branch(olds[name], news[name], at)

    def _branch(self, old: Schema, new: Schema, at: str) -> Iterator[Change]:
        for name in sorted((old.keys() | new.keys()) - _WORDS - _PARTS):
            yield from _if_other(name, old.get(name), new.get(name), at)
        yield from _enumerated(old, new, at)
        yield from self._fields(old, new, at)
        if "items" in old and "items" in new:
            yield from self._values(old["items"], new["items"], f"{at}[]")
        else:
            yield from _if_other("items", old.get("items"), new.get("items"), at)
        places = old.get("prefixItems", []), new.get("prefixItems", [])
        yield from _if_other("length", len(places[0]), len(places[1]), at)
        for number, pair in enumerate(zip(*places, strict=False)):
            yield from self._values(*pair, f"{at}[{number}]")

    def _fields(self, old: Schema, new: Schema, at: str) -> Iterator[Change]:
        fields = old.get("properties", {}), new.get("properties", {})
        required = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(fields[0].keys() | fields[1].keys()):
            place = f"{at}.{name}".lstrip(".")
            if name not in fields[1]:
                yield place, "the field is gone or has another name"
            elif name not in fields[0]:
                if name in required[1]:
                    yield place, "a new field is required, which the events sent before lack"
            elif name in required[0] - required[1]:
                yield place, "the field is required no more, and readers rely on it"
            elif name in required[1] - required[0]:
                yield place, "the field is required now, and events sent before may lack it"
            if name in fields[0] and name in fields[1]:
                was, is_ = (side[name] for side in fields)
                if "default" in was and "default" in is_:
                    yield from _if_other("default", was["default"], is_["default"], place)
                yield from self._values(was, is_, place)

    def _branches(self, schema: Schema, side: int) -> dict[str, Schema]:
        """What a value may be, by type: of ``anyOf [string, null]`` both; a second object by its title too."""
        schema = self._resolved(schema, side)
        named: dict[str, Schema] = {}
        for part in schema.get("anyOf") or schema.get("oneOf") or [schema]:
            branch = self._resolved(part, side)
            kind = str(branch.get("type", "anything"))
            named[f"{kind} {branch.get('title', len(named))}" if kind in named else kind] = branch
        return named

    def _resolved(self, schema: Schema, side: int) -> Schema:
        ref = schema.get("$ref")
        if ref is None:
            return schema
        target: Schema = self._roots[side]["$defs"][ref.rpartition("/")[2]]
        return {**target, **schema}


def _enumerated(old: Schema, new: Schema, at: str) -> Iterator[Change]:
    was, is_ = _values_of(old), _values_of(new)
    if was is None or is_ is None:
        yield from _if_other("the list of values", was, is_, at)
        return
    for value in sorted(was - is_):
        yield at, f"the value {value} is gone"
    for value in sorted(is_ - was):
        yield at, f"the value {value} is new, and the list was closed"


def _values_of(schema: Schema) -> set[str] | None:
    if "const" in schema:
        return {repr(schema["const"])}
    return {repr(value) for value in schema["enum"]} if "enum" in schema else None


def _if_other(name: str, old: object, new: object, at: str) -> Iterator[Change]:
    if old != new:
        yield at, f"{name} was {_shown(old)} and is {_shown(new)}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
