"""JSON Schemas of all event versions: ``python -m shared.contracts.generate`` writes them, ``--check`` compares.

A schema says what a reader may rely on: required is what every event of that version carries, however old.
``released.json`` has the schemas of the last release, a line each. Against it ``--check`` finds what would break
readers, and ``--release`` writes it. A version that nobody reads any more goes when its line is taken out by hand.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from .changes import Breaking, breaking
from .event import Event
from .samples import published
from .words import described

FOLDER = Path(__file__).parent / "schemas"
RELEASED = Path(__file__).parent / "released.json"


class _Plain(GenerateJsonSchema):
    """No titles on fields: pydantic would only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema(model: type[Event]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one event version, each field with its meaning, its routing in ``x-lianyi``."""
    topic = model.TOPIC
    return {
        **described(model.model_json_schema(schema_generator=_Plain)),
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"urn:lianyi:schema:{model.TYPE}",
        "x-lianyi": {
            "topic": topic.name,
            "key": topic.key,
            "key_field": topic.key_field,
            "owner": topic.owner,
            "readers": list(topic.readers),
            "order": model.ORDER,
        },
    }


def render() -> dict[str, str]:
    """Text of every schema file by its name: sorted keys, a newline at the end, the same on every machine."""
    return {
        f"{type_}.json": json.dumps(schema(model), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        for type_, model in published().items()
    }


def stale(folder: Path = FOLDER) -> list[str]:
    """Files of ``folder`` that differ from the models, each with what is wrong; empty when all agree."""
    wanted = render()
    found = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    missing = [f"{name}: missing" for name in wanted.keys() - found.keys()]
    orphaned = [f"{name}: no such event" for name in found.keys() - wanted.keys()]
    both = wanted.keys() & found.keys()
    changed = [f"{name}: out of date" for name in both if wanted[name].encode() != found[name]]
    return sorted(missing + orphaned + changed)


def write(folder: Path = FOLDER) -> None:
    """Make ``folder`` hold exactly the schemas of the models."""
    wanted = render()
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_bytes(text.encode())


def broken(released: Path = RELEASED) -> list[Breaking]:
    """What the models break of the last release."""
    today = {type_: schema(model) for type_, model in published().items()}
    return breaking(json.loads(released.read_text("utf-8")), today)


def release(released: Path = RELEASED) -> None:
    """Make the schemas of today those of the last release."""
    lines = (
        f"{json.dumps(type_)}: {json.dumps(schema(model), ensure_ascii=False, separators=(',', ':'), sort_keys=True)}"
        for type_, model in published().items()
    )
    released.write_bytes(("{\n" + ",\n".join(lines) + "\n}\n").encode())


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER, released: Path = RELEASED) -> int:
    """Exit code 0, or 1 when a file is not what the models say or the models break readers of the last release."""
    parser = argparse.ArgumentParser(prog="generate", description="JSON Schemas of all event versions.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if files are stale or readers break"
    )
    what.add_argument("--release", action="store_true", help="take today's schemas as released, unless readers break")
    chosen = parser.parse_args(argv)
    if not (chosen.check or chosen.release):
        write(folder)
        return 0
    problems = [*stale(folder), *(f"breaking: {found}" for found in broken(released))]
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    if chosen.release and not problems:
        release(released)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
