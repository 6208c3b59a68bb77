"""docs/events/asyncapi.yaml: the contracts once more, as tools of other teams read them."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from local.places import CACHE
from shared.contracts import TOPICS
from shared.contracts.asyncapi import document
from shared.contracts.catalogue import FOLDER
from shared.contracts.samples import Sample, all_examples, published

HERE = Path(__file__).parent
NEWER = "asyncapi-latest-version"
"""The parser likes 3.1 better; all that is said here is the same in both."""


def load() -> Any:
    """The committed document, as a YAML library reads it."""
    return yaml.safe_load((FOLDER / "asyncapi.yaml").read_text("utf-8"))


DOCUMENT = load()


def problems(type_: str, data: object, headers: object) -> list[str]:
    """What a message of the committed document does not allow."""
    message, parts = DOCUMENT["components"]["messages"][type_], DOCUMENT["components"]
    found = []
    for part, value in ((message["payload"], data), (message["headers"], headers)):
        found += Draft7Validator({"allOf": [part], "components": parts}).iter_errors(value)
    return [error.message for error in found]


@pytest.fixture(scope="module")
def parser() -> Path:
    """A folder with the official parser, as package-lock.json pins it; made once in .cache for each lock."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("the official AsyncAPI parser needs node and npm")
    folder, lock = CACHE / "asyncapi", (HERE / "package-lock.json").read_text("utf-8")
    made = folder / "made-from.json"
    for name in ("package.json", "package-lock.json", "parse.mjs"):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / name, folder / name)
    if not made.exists() or made.read_text("utf-8") != lock:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if re.search(r"npm error code (ENOTFOUND|ECONN\w+|ETIMEDOUT|EAI_AGAIN|ENETUNREACH)", done.stderr):
            pytest.skip("npm reaches no registry for the official AsyncAPI parser")
        assert done.returncode == 0, done.stderr
        made.write_text(lock, "utf-8")
    return folder


def parse(parser: Path, text: str) -> dict[str, Any]:
    """What the official parser finds in a document."""
    command = ["node", "parse.mjs"]
    done = subprocess.run(command, cwd=parser, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_file_holds_the_document() -> None:
    """A YAML library reads from the file exactly what the contracts made."""
    assert document() == DOCUMENT


def test_the_official_parser_accepts_the_document(parser: Path) -> None:
    """No error and no warning; it finds every topic and every event version. (Of version 3 it checks no examples.)"""
    found = parse(parser, (FOLDER / "asyncapi.yaml").read_text("utf-8"))
    assert [one for one in found["diagnostics"] if one["code"] != NEWER] == []
    assert set(found["channels"]) == set(TOPICS)
    assert set(found["messages"]) == set(published())
    assert set(found["operations"]) == {f"{name}.send" for name in TOPICS}


def _text(whole: Any) -> None:
    whole["components"]["schemas"]["lianyi.notes.note_posted.v1"]["properties"]["text"]["type"] = "words"


def _bindings(whole: Any) -> None:
    next(iter(whole["channels"].values()))["bindings"]["kafka"]["partitions"] = 0


def _messages(whole: Any) -> None:
    next(iter(whole["channels"].values()))["messages"]["stray"] = {"$ref": "#/components/messages/stray"}


@pytest.mark.parametrize("spoil", [_text, _bindings, _messages])
def test_the_official_parser_refuses_what_is_wrong(parser: Path, spoil: Callable[[Any], None]) -> None:
    """It looks at schemas, bindings and references: spoil one and it says where."""
    broken = deepcopy(DOCUMENT)
    spoil(broken)
    wrong = [one for one in parse(parser, json.dumps(broken))["diagnostics"] if one["severity"] == 0]
    assert any(spoil.__name__[1:] in "/".join(map(str, one["path"])) for one in wrong)


@pytest.mark.parametrize("sample", all_examples(), ids=lambda s: f"{s.type}-{s.name}")
def test_every_example_fits_its_message(sample: Sample) -> None:
    """Headers and body of each committed example, not only the one shown, are what its message allows."""
    assert problems(sample.type, sample.data, {name: value.decode() for name, value in sample.headers}) == []


@pytest.mark.parametrize(
    ("type_", "field", "value"),
    [
        ("lianyi.groups.group_opened.v1", "charter", {"purpose": "x"}),
        ("lianyi.recommend.profile_taught.v1", "terms", [[1, "抱石"]]),
        ("lianyi.recommend.profile_taught.v1", "terms", [["抱石"]]),
        ("lianyi.recommend.groups_suggested.v1", "suggestions", [{"group_id": "g", "score": 2, "reasons": []}]),
        ("lianyi.notes.note_reacted.v1", "change", 0),
    ],
)
def test_parts_tuples_and_limits_survive(type_: str, field: str, value: object) -> None:
    """What draft 2020-12 refuses in a part, a tuple or a limit the document refuses as well."""
    sample = next(one for one in all_examples() if one.type == type_)
    headers = {name: value.decode() for name, value in sample.headers}
    assert problems(type_, {**sample.data, field: value}, headers)


def test_a_message_has_the_headers_of_its_type() -> None:
    """The type and source of another event are refused, and so is a sequence that is no number."""
    sample = all_examples()[0]
    headers = {name: value.decode() for name, value in sample.headers}
    for name in ("ce_type", "ce_source", "ce_sequence", "ce_specversion"):
        assert problems(sample.type, sample.data, {**headers, name: "other"})
        assert problems(sample.type, sample.data, {n: v for n, v in headers.items() if n != name})


def test_the_lock_names_no_registry() -> None:
    """npm takes packages from wherever it is told to, and holds each against its checksum."""
    lock = json.loads((HERE / "package-lock.json").read_text("utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    (wanted,) = lock["packages"][""]["dependencies"].items()
    assert wanted == ("@asyncapi/parser", "3.6.0")
    assert packages["node_modules/@asyncapi/parser"]["version"] == wanted[1]
