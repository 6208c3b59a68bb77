"""JSON Schemas of all event versions: ``python -m shared.contracts.generate`` writes them, ``--check`` compares.

A schema says what a reader may rely on: required is what every event of that version carries, however old.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from .event import Event
from .samples import published

FOLDER = Path(__file__).parent / "schemas"


class _Plain(GenerateJsonSchema):
    """No titles on fields: pydantic would only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema(model: type[Event]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one event version, with its routing under ``x-lianyi``."""
    topic = model.TOPIC
    return {
        **model.model_json_schema(schema_generator=_Plain),
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


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Exit code 0, or 1 when ``--check`` finds a file that is not what the models say."""
    parser = argparse.ArgumentParser(prog="generate", description="JSON Schemas of all event versions.")
    parser.add_argument("--check", action="store_true", help="write nothing; name stale files and exit with 1")
    if not parser.parse_args(argv).check:
        write(folder)
        return 0
    problems = stale(folder)
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
