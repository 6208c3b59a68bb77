"""What a field of an event may hold, in words, read from its JSON Schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from .event import Id

Json = Mapping[str, Any]
Row = tuple[str, str, str]
_ID = TypeAdapter(Id).json_schema()["pattern"]


def fields(schema: Json) -> Iterator[Row]:
    """Field, what it may hold and its meaning, for each field of an event; those of a part follow their whole."""
    return _fields(schema, schema, "")


def _fields(whole: Json, part: Json, at: str) -> Iterator[Row]:
    required = part.get("required", ())
    for name, field in part["properties"].items():
        place = f"{at}{name}"
        value, inner, where = _value(whole, field, place)
        if name not in required:
            value = f"{value}; {_json(field['default'])} if left out"
        yield f"`{place}`", value, prose(field["description"])
        if inner:
            yield from _fields(whole, inner, f"{where}.")


def _value(whole: Json, field: Json, place: str) -> tuple[str, Json | None, str]:
    """What a value may be, in words; the object that it holds, if any, and the path to its fields."""
    if "$ref" in field:
        return "object", whole["$defs"][field["$ref"].rpartition("/")[2]], place
    if "anyOf" in field:
        parts = [_value(whole, part, place) for part in field["anyOf"]]
        return " or ".join(said for said, _, _ in parts), next((p for _, p, _ in parts if p), None), place
    if "prefixItems" in field:
        return f"[{', '.join(_value(whole, one, place)[0] for one in field['prefixItems'])}]", None, place
    if "items" in field:
        said, inner, where = _value(whole, field["items"], f"{place}[]")
        return f"list of {said}{_most(field, 'maxItems', '')}", inner, where
    return _scalar(field), None, place


def _scalar(field: Json) -> str:
    if "enum" in field or "const" in field:
        return "one of " + ", ".join(f"`{one}`" for one in field.get("enum", [field.get("const")]))
    if field["type"] in ("integer", "number"):
        return f"{field['type']}{_range(field)}"
    if field.get("format") == "date-time":
        return "time"
    if "pattern" in field:
        return "id" if field["pattern"] == _ID else f"`{field['pattern']}`"
    kind = "true or false" if field["type"] == "boolean" else field["type"]
    return f"{kind}{_most(field, 'maxLength', ' characters')}"


def _range(field: Json) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if high is None:
        return "" if low is None else f", at least {low}"
    return f", {low} to {high}"


def _most(field: Json, limit: str, unit: str) -> str:
    return f", at most {field[limit]}{unit}" if limit in field else ""


def _json(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def prose(text: str) -> str:
    """A docstring's words as Markdown, a paragraph a line."""
    return "\n\n".join(" ".join(part.split()) for part in text.replace("``", "`").split("\n\n"))
