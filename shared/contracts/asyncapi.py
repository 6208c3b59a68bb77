"""The published language as one AsyncAPI 3.0 document: a channel for each topic, a message for each event version.

AsyncAPI's own schemas are JSON Schema draft-07, ours draft 2020-12: what the two write differently is put over here.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .event import Event
from .generate import schema
from .samples import Sample, examples, published
from .topics import TOPICS, Topic
from .values import prose
from .words import HEADERS, ORDERS

Json = dict[str, Any]
BINDING = "0.5.0"
"""Version of the Kafka bindings."""
_DAY_MS = 86_400_000
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$-]*")
_ABOUT = """What the services of Lianyi tell each other, and whoever else subscribes. Delivery is at least once; what \
a reader does about doubles and order stands with each message, the rest in README.md beside this file."""

_SCRAM = "#/components/securitySchemes/scram"
_SERVERS: Json = {
    "one_machine": {
        "host": "localhost:29092",
        "protocol": "kafka",
        "description": "The broker of docker-compose, for programs of the host. It asks nobody who comes.",
    },
    "cluster": {
        "host": "kafka-kafka-bootstrap.lianyi.svc:9093",
        "protocol": "kafka-secure",
        "description": "The broker of the manifests, by TLS: its CA is in the Secret `kafka-cluster-ca-cert`.",
        "security": [{"$ref": _SCRAM}],
    },
}
_USERS: Json = {
    "type": "scramSha512",
    "description": "A KafkaUser for each subscriber: samples/subscriber.yaml is one to copy.",
}


def document() -> Json:
    """The whole document; the same on every machine."""
    project = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text("utf-8"))["project"]
    schemas: Json = {"headers": _headers()}
    for type_, model in published().items():
        whole = schema(model)
        parts = {**whole.pop("$defs", {}), type_: whole}
        for name, part in parts.items():
            if schemas.setdefault(name, _draft_07(part)) != _draft_07(part):
                raise ValueError(f"two parts of events are called {name}")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Lianyi", "version": project["version"], "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": _SERVERS,
        "channels": {name: _channel(topic) for name, topic in TOPICS.items()},
        "operations": {f"{name}.send": _operation(topic) for name, topic in TOPICS.items()},
        "components": {
            "messages": {type_: _message(model) for type_, model in published().items()},
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {_SCRAM.rpartition("/")[2]: _USERS},
        },
    }


def text() -> str:
    """The document as YAML."""
    return "\n".join(_yaml(document(), 0)) + "\n"


def _channel(topic: Topic) -> Json:
    types = [type_ for type_, model in published().items() if topic.name == model.TOPIC.name]
    kept = {"retention.ms": topic.retention_days * _DAY_MS} if topic.cleanup == "delete" else {}
    return {
        "address": topic.name,
        "description": topic.about,
        "tags": [{"name": topic.owner}],
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in types},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": [topic.cleanup], **kept},
                "bindingVersion": BINDING,
            }
        },
    }


def _operation(topic: Topic) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"{topic.owner} tells, {', '.join(topic.readers) or 'none of our services'} read; so may you.",
    }


def _message(model: type[Event]) -> Json:
    """One event version, with its first example."""
    told = schema(model)
    summary, _, more = told["description"].partition("\n\n")
    is_, do = ORDERS[model.ORDER]
    mine = {"ce_type": {"const": model.TYPE}, "ce_source": {"const": f"/lianyi/{model.TOPIC.owner}"}}
    return {
        "name": model.TYPE,
        "title": model.__name__,
        "summary": prose(summary),
        "description": prose(f"{more}\n\n**{model.ORDER}**: it {is_}. {do}".strip()),
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": {"allOf": [{"$ref": "#/components/schemas/headers"}, {"properties": mine}]},
        "payload": {"$ref": f"#/components/schemas/{model.TYPE}"},
        "bindings": {"kafka": {"key": _key(told, model.TOPIC), "bindingVersion": BINDING}},
        "examples": [_example(examples(model.TYPE)[0])],
        "x-lianyi": told["x-lianyi"],
    }


def _key(told: Json, topic: Topic) -> Json:
    field = _draft_07(told["properties"][topic.key_field])
    return {**field, "description": f"The event's `{topic.key_field}`, in UTF-8."}


def _example(sample: Sample) -> Json:
    headers = {name: value.decode() for name, value in sample.headers}
    return {"name": sample.name, "headers": headers, "payload": sample.data}


def _headers() -> Json:
    """CloudEvents 1.0 in binary mode, as ``Envelope`` writes and reads it."""
    more: Mapping[str, Json] = {
        "ce_specversion": {"const": "1.0"},
        "ce_time": {"format": "date-time"},
        "ce_sequence": {"pattern": "^[0-9]{1,18}$"},
        "content-type": {"const": "application/json"},
    }
    base = {"type": "string", "minLength": 1, "maxLength": 256}
    return {
        "type": "object",
        "required": [name for name in HEADERS if name != "traceparent"],
        "properties": {name: {**base, **more.get(name, {}), "description": says} for name, says in HEADERS.items()},
    }


def _draft_07(part: Any) -> Any:
    """A schema as draft-07 writes it, where nothing may stand beside ``$ref`` and a tuple is a list of ``items``."""
    if isinstance(part, list):
        return [_draft_07(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {name: _draft_07(value) for name, value in part.items() if name not in ("$schema", "$id", "x-lianyi")}
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")
    if "$ref" in made:
        ref = {"$ref": made.pop("$ref").replace("#/$defs/", "#/components/schemas/")}
        return {"allOf": [ref], **made} if made else ref
    return made


def _yaml(value: Any, depth: int) -> Iterator[str]:
    """Lines of a mapping in block style. Scalars and empty or flat lists are JSON, which is YAML too."""
    for name, inner in value.items():
        key = f"{'  ' * depth}{name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)}:"
        if isinstance(inner, dict) and inner:
            yield key
            yield from _yaml(inner, depth + 1)
        elif isinstance(inner, list) and any(isinstance(one, dict) and one for one in inner):
            yield key
            for one in inner:
                first, *rest = _yaml(one, depth + 2)
                yield f"{'  ' * (depth + 1)}- {first.lstrip()}"
                yield from rest
        else:
            yield f"{key} {json.dumps(inner, ensure_ascii=False)}"
