"""The published JSON Schemas are those of the models."""

import json
from pathlib import Path

import pytest

from shared.contracts import Event
from shared.contracts.generate import FOLDER, main, render, schema, stale
from shared.contracts.samples import published
from tests.contracts.drafts import problems

EACH_EVENT = pytest.mark.parametrize("model", published().values(), ids=published().keys())


def test_the_schemas_of_the_tree_are_not_stale() -> None:
    """schemas/ is what the generator writes today; if not: python -m shared.contracts.generate."""
    assert stale() == []
    assert main(["--check"]) == 0


def test_generating_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """The output depends on nothing but the models, and each file ends with one newline."""
    assert main([], tmp_path) == main([], tmp_path) == 0
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert all(text.endswith(b"}\n") for text in written.values())


def test_a_stale_schema_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check names a file that is missing, altered or without an event, writes nothing, and exits with 1."""
    main([], tmp_path)
    gone, altered = sorted(render())[:2]
    (tmp_path / gone).unlink()
    (tmp_path / altered).write_text("{}\n")
    (tmp_path / "stray.json").write_text("{}\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["--check"], tmp_path) == 1
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(
        [f"{gone}: missing", f"{altered}: out of date", "stray.json: no such event"]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_generating_mends_a_stale_folder(tmp_path: Path) -> None:
    """Writing restores what is missing or altered and removes what has no event."""
    (tmp_path / "stray.json").write_text("{}\n")
    (tmp_path / next(iter(render()))).write_text("{}\n")
    main([], tmp_path)
    assert stale(tmp_path) == []


@EACH_EVENT
def test_a_schema_names_its_event_and_its_routing(model: type[Event]) -> None:
    """A schema is valid draft 2020-12 and says id, title, description, topic, key, owner, readers and order."""
    found = json.loads((FOLDER / f"{model.TYPE}.json").read_text("utf-8"))
    assert problems(found, {}) != []
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"urn:lianyi:schema:{model.TYPE}"
    assert found["title"] == model.__name__
    assert found["description"].endswith(".")
    assert found["x-lianyi"] == {
        "topic": model.TOPIC.name,
        "key": model.TOPIC.key,
        "key_field": model.TOPIC.key_field,
        "owner": model.TOPIC.owner,
        "readers": list(model.TOPIC.readers),
        "order": model.ORDER,
    }


@EACH_EVENT
def test_a_schema_lets_unknown_fields_pass(model: type[Event]) -> None:
    """No object of a schema is closed, so a version can grow without breaking those who validate."""
    assert "additionalProperties" not in json.dumps(schema(model))
