"""A page that lists a service's operations, made from its OpenAPI document; it loads nothing from elsewhere."""

from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "code{background:#f3f3f3;padding:.1em .3em}h2{font-size:1rem;margin:1.6rem 0 .2rem}"
    "td,th{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}"
)


def page(document: dict[str, Any]) -> str:
    """The HTML of an OpenAPI document: every operation with its body's fields and its answers."""
    info = document["info"]
    parts = [
        f"<!doctype html><meta charset=utf-8><title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>",
        "<p>The whole document, for a client generator: <a href=openapi.json>openapi.json</a></p>",
    ]
    for path, operations in sorted(document.get("paths", {}).items()):
        for method, operation in operations.items():
            parts.append(_operation(method.upper(), path, operation, document))
    return "\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    about = escape(operation.get("description") or operation.get("summary") or "")
    answers = "".join(
        f"<tr><td>{escape(status)}<td>{escape(answer.get('description', ''))}"
        for status, answer in sorted(operation.get("responses", {}).items())
    )
    fields = "".join(_field(name, field) for name, field in _fields(operation, document).items())
    body = f"<table><tr><th>field<th>what{fields}</table>" if fields else ""
    return f"<h2><code>{method} {escape(path)}</code></h2><p>{about}</p>{body}<table>{answers}</table>"


def _field(name: str, field: dict[str, Any]) -> str:
    shape = field.get("type") or ", ".join(str(o.get("type", "object")) for o in field.get("anyOf", [])) or "object"
    example = next(iter(field.get("examples", [])), "")
    return f"<tr><td><code>{escape(name)}</code><td>{escape(shape)} {escape(str(example))}"


def _fields(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    for option in (schema, *schema.get("anyOf", [])):
        name = option.get("$ref", "").rpartition("/")[2]
        if name:
            found: dict[str, Any] = document["components"]["schemas"][name].get("properties", {})
            return found
    return {}
