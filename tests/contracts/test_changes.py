"""A change of a schema that would break readers inside a version is found, and its readers are named."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from shared.contracts import Event
from shared.contracts.changes import Schema, breaking
from shared.contracts.event import EVENTS
from shared.contracts.generate import FOLDER, RELEASED, broken, main, release, schema
from shared.contracts.notes import NotePosted
from shared.contracts.topics import NOTE

Json = dict[str, Any]
Plant = Callable[[Json], object]
POSTED = NotePosted.TYPE
JUDGED = "lianyi.moderation.content_judged.v1"
RELEASE: Json = json.loads(RELEASED.read_text("utf-8"))
READERS = {type_: ", ".join(sorted(old["x-lianyi"]["readers"])) for type_, old in RELEASE.items()}


def fields(schemas: Json, type_: str = POSTED) -> Json:
    found: Json = schemas[type_]["properties"]
    return found


def reason(schemas: Json) -> Json:
    found: Json = schemas[JUDGED]["$defs"]["VerdictReason"]
    return found


def planted(plant: Plant) -> list[str]:
    today = copy.deepcopy(RELEASE)
    plant(today)
    return [str(found) for found in breaking(RELEASE, today)]


PLANTS: dict[str, tuple[Plant, str, str]] = {
    "type gone": (lambda s: s.pop(POSTED), "", "the type is gone"),
    "field gone": (lambda s: fields(s).pop("place"), " place", "the field is gone or has another name"),
    "field renamed": (
        lambda s: fields(s).update(city=fields(s).pop("place")),
        " place",
        "the field is gone or has another name",
    ),
    "new required field": (
        lambda s: (fields(s).update(mood={"type": "string"}), s[POSTED]["required"].append("mood")),
        " mood",
        "a new field is required, which the events sent before lack",
    ),
    "required now": (
        lambda s: s[POSTED]["required"].append("place"),
        " place",
        "the field is required now, and events sent before may lack it",
    ),
    "required no more": (
        lambda s: s[POSTED]["required"].remove("title"),
        " title",
        "the field is required no more, and readers rely on it",
    ),
    "another type": (
        lambda s: fields(s)["title"].update(type="integer"),
        " title",
        "the type was string and is integer",
    ),
    "null no more": (
        lambda s: fields(s)["place"]["anyOf"].pop(),
        " place",
        "the type was null or string and is string",
    ),
    "limit tightened": (
        lambda s: fields(s)["text"].update(maxLength=100),
        " text",
        "maxLength was 20000 and is 100",
    ),
    "limit new": (lambda s: fields(s)["text"].update(minLength=1), " text", "minLength was none and is 1"),
    "another pattern": (
        lambda s: fields(s)["note_id"].update(pattern="^x$"),
        " note_id",
        r"pattern was ^[A-Za-z0-9_.:\-]{1,128}$ and is ^x$",
    ),
    "value gone": (
        lambda s: fields(s)["intent"]["anyOf"][0]["enum"].remove("offers"),
        " intent",
        "the value 'offers' is gone",
    ),
    "value new in a closed list": (
        lambda s: fields(s)["intent"]["anyOf"][0]["enum"].append("sells"),
        " intent",
        "the value 'sells' is new, and the list was closed",
    ),
    "another default": (
        lambda s: fields(s)["place"].update(default="here"),
        " place",
        "default was none and is here",
    ),
    "another topic": (
        lambda s: s[POSTED]["x-lianyi"].update(topic="elsewhere"),
        "",
        f"topic was {NOTE.name} and is elsewhere",
    ),
    "another order": (lambda s: s[POSTED]["x-lianyi"].update(order="count"), "", "order was fact and is count"),
}
GROWTH: dict[str, Plant] = {
    "a type": lambda s: s.update(new=s[POSTED]),
    "a field with a default": lambda s: fields(s).update(mood={"type": "string", "default": ""}),
    "a field with a default, further in": lambda s: reason(s)["properties"].update(why={"type": "string"}),
    "a reader": lambda s: s[POSTED]["x-lianyi"]["readers"].append("digest"),
    "a reader less": lambda s: s[POSTED]["x-lianyi"]["readers"].clear(),
    "other words": lambda s: (s[POSTED].update(description="…"), reason(s).update(description="…", title="Why")),
}


@pytest.mark.parametrize(("plant", "place", "what"), PLANTS.values(), ids=PLANTS)
def test_a_breaking_change_names_event_field_and_readers(plant: Plant, place: str, what: str) -> None:
    """Each sort of breaking change is told once, with the event, the field, and who reads the topic."""
    assert planted(plant) == [f"{POSTED}{place}: {what}; read by {READERS[POSTED]}"]


def test_a_change_inside_a_list_is_named_by_its_path() -> None:
    """What a field holds is compared too, through references."""
    told = planted(lambda s: reason(s)["properties"]["weight"].update(type="string"))
    assert told == [f"{JUDGED} reasons[].weight: the type was number and is string; read by {READERS[JUDGED]}"]


def test_readers_of_then_and_now_are_named() -> None:
    """A reader that left the table meanwhile may still run; one that came may be new to the change."""
    told = planted(lambda s: (fields(s, JUDGED).pop("score"), s[JUDGED]["x-lianyi"].update(readers=["a-new-one"])))
    assert told == [f"{JUDGED} score: the field is gone or has another name; read by a-new-one, {READERS[JUDGED]}"]


@pytest.mark.parametrize("plant", GROWTH.values(), ids=GROWTH)
def test_a_version_may_grow(plant: Plant) -> None:
    """Additions break nobody, nor do words."""
    assert planted(plant) == []


def leaves(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to all values that are neither an object nor a list."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*path, key))
    else:
        yield path


def test_no_value_of_a_released_schema_changes_unseen() -> None:
    """Whatever single value of whatever schema is altered, words and readers aside: it is found."""
    unseen = []
    for type_, old in RELEASE.items():
        for path in leaves(old):
            if {"description", "title", "$schema", "$id", "readers"} & set(path[-2:] if path[-1] != "type" else ()):
                continue
            new = copy.deepcopy(old)
            place: Any = new
            for key in path[:-1]:
                place = place[key]
            if path[-1] == "$ref":
                new["$defs"]["Other"] = {"type": "null"}
            place[path[-1]] = "#/$defs/Other" if path[-1] == "$ref" else "altered"
            if not breaking({type_: old}, {type_: new}):
                unseen.append((type_, path))
    assert unseen == []


class Tree(BaseModel):
    """A value that holds its like."""

    label: str = Field(description="What it is called.")
    parts: tuple["Tree", ...] = Field(default=(), description="What it holds.")


@pytest.fixture(name="grown")
def grown_() -> Iterator[Schema]:
    class Grown(Event, topic=NOTE, name="grown", order="fact"):
        """Something with a tree in it."""

        note_id: str
        tree: Tree = Field(description="Its tree.")

    yield schema(Grown)
    del EVENTS[Grown.TYPE]


def test_a_value_that_holds_itself_is_compared_once(grown: Schema) -> None:
    """A recursive schema ends, and its changes are found."""
    new: Any = copy.deepcopy(grown)
    assert breaking({"grown": grown}, {"grown": new}) == []
    new["$defs"]["Tree"]["properties"]["label"]["type"] = "integer"
    (found,) = breaking({"grown": grown}, {"grown": new})
    assert (found.field, found.what) == ("tree.label", "the type was string and is integer")


def test_this_tree_breaks_nobody() -> None:
    """The models of today keep what the last release promised; if not, make a new version beside the old one."""
    assert broken() == []


def test_check_fails_on_a_breaking_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check tells and exits with 1; --release does not take what breaks, and leaves the file."""
    older = copy.deepcopy(RELEASE)
    fields(older)["mood"] = {"type": "string"}
    file = tmp_path / "released.json"
    file.write_text(json.dumps(older))
    for option in ("--check", "--release"):
        assert main([option], FOLDER, file) == 1
        assert capsys.readouterr().err.startswith(f"breaking: {POSTED} mood: the field is gone")
    assert json.loads(file.read_text()) == older


def test_a_release_takes_additions(tmp_path: Path) -> None:
    """--release writes a line for each type of today, and the next --check compares with these."""
    file = tmp_path / "released.json"
    file.write_text(json.dumps({POSTED: RELEASE[POSTED]}))
    assert main(["--release"], FOLDER, file) == 0
    written = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    assert json.loads(file.read_text("utf-8")) == written
    assert len(file.read_text("utf-8").splitlines()) == len(written) + 2
    again = tmp_path / "again.json"
    release(again)
    assert again.read_bytes() == file.read_bytes()
