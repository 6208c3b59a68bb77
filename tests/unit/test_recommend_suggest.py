"""R3. Facts about ``python -m services.recommend suggest``. All people and groups are our own."""

import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommend.app import APP
from services.recommend.commands import MembershipRow, acquainted, suggest, turned_at_once
from services.recommend.core import Circle, Circles, Person, joined, turn, turned
from shared.app import main

TOWN: list[dict[str, Any]] = [
    {"u": u, "g": g, "w": 1}
    for u, groups in {"a": ("ride", "hike"), "b": ("ride", "hike"), "c": ("tea", "go"), 7: ("ride",)}.items()
    for g in groups
]
ASKED: list[dict[str, Any]] = [{"u": 7}, {"u": "stranger"}, {"u": "a"}]

Rows = Sequence[Any]
pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=40)


def write(path: Path, rows: Rows) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def words(folder: Path, *, memberships: Rows = TOWN, people: Rows = ASKED, end: str = "") -> list[str]:
    given_ = {"memberships": memberships, "people": people}
    made = {name: str(write(folder / f"{name}.jsonl{end}", rows)) for name, rows in given_.items()}
    return [part for name, path in made.items() for part in (f"--{name}", path)]


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_it_needs_no_broker_database_or_settings(tmp_path: Path) -> None:
    """The command runs in a process without any setting and answers each row in order, with its id as given."""
    command = [sys.executable, "-m", "services.recommend", "suggest", *words(tmp_path), "--k", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONIOENCODING": "utf-8"})
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["u"] for row in lines] == [7, "stranger", "a"]
    assert lines[0]["ranked"][0] == "hike"
    assert lines[1]["ranked"] == ["ride", "hike"]  # the largest
    assert all(len(row["ranked"]) <= 2 for row in lines)
    assert done.stderr == ""


def test_it_is_a_command_of_the_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The service's own command line knows it, and files may be packed."""
    assert main(APP, ["suggest", *words(tmp_path)]) == 0
    plain = told(capsys)
    assert main(APP, ["suggest", *words(tmp_path, end=".gz")]) == 0
    assert told(capsys) == plain != []


def test_nobody_hears_of_a_group_that_they_are_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All groups of the file come out for each person, but their own."""
    assert suggest(words(tmp_path)) == 0
    inside = {7: {"ride"}, "stranger": set[str](), "a": {"ride", "hike"}}
    for row in told(capsys):
        assert set(row["ranked"]) == {"ride", "hike", "tea", "go"} - inside[row["u"]]


@given(pairs)
def test_learning_at_once_is_learning_join_by_join(found: list[tuple[int, int]]) -> None:
    """The command's circles are those that the lanes would have made of the same memberships, one after the other."""
    people: dict[int, Person] = {}
    circles: dict[str, Circle] = {}
    for u, g in found:
        before = people.get(u) or Person(id=str(u))
        people[u] = joined(before, str(g), 1)
        for group, change in turned(before, people[u]).items():
            circles[group] = turn(circles.get(group) or Circle(id=group), change)
    at_once = turned_at_once(acquainted(MembershipRow(u, g) for u, g in found).values())
    assert {circle.id: circle for circle in at_once} == circles


def test_it_ranks_as_the_live_core_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list of a person is that of `Circles.suggest` over the same memberships."""
    assert suggest([*words(tmp_path), "--k", "3"]) == 0
    listed = told(capsys)[0]["ranked"]
    people = acquainted(MembershipRow(row["u"], row["g"]) for row in TOWN)
    circles = Circles()
    for circle in turned_at_once(people.values()):
        circles.put(circle)
    assert [quote(json.dumps(group)) for group in listed] == [f.group_id for f in circles.suggest(people["7"], 3)]


def test_ids_come_back_as_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A number, a text that looks like it, white space, Chinese and half an emoji are five groups and no error."""
    groups = [1, "1", "徒步 周末", " ", "\ud83d"]
    rows = [json.dumps({"u": "a", "g": g}) for g in groups]
    assert suggest(words(tmp_path, memberships=rows, people=[{"u": "\ud83d"}])) == 0
    row = told(capsys)[0]
    assert row["u"] == "\ud83d"
    assert sorted(map(repr, row["ranked"])) == sorted(map(repr, groups))


def test_the_same_membership_twice_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that stands there again, also with another `w`, changes nothing; nor does the order of the rows."""
    assert suggest(words(tmp_path)) == 0
    plain = told(capsys)
    assert suggest(words(tmp_path, memberships=[{**row, "w": 0.5} for row in reversed(TOWN + TOWN)])) == 0
    assert told(capsys) == plain


def test_nothing_known_is_an_empty_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without memberships everybody has an empty list, in their place."""
    assert suggest(words(tmp_path, memberships=[])) == 0
    assert [row["ranked"] for row in told(capsys)] == [[], [], []]


ROW = {"u": "a", "g": "g", "w": 1}
BAD: list[tuple[str, Any, str]] = [
    ("memberships", {**ROW, "u": ""}, "`$.u`"),
    ("memberships", {**ROW, "u": None}, "`$.u`"),
    ("memberships", {**ROW, "g": ["g"]}, "`$.g`"),
    ("memberships", {"u": "a"}, "`g`"),
    ("memberships", {**ROW, "w": float("nan")}, "`$.w`"),
    ("memberships", {**ROW, "w": float("inf")}, "`$.w`"),
    ("memberships", {**ROW, "w": -1}, "`$.w`"),
    ("memberships", {**ROW, "w": "often"}, "`$.w`"),
    ("memberships", "[1, 2]", "not a JSON object"),
    ("people", {"g": "g"}, "`u`"),
    ("people", {"u": 1.5}, "`$.u`"),
]


@pytest.mark.parametrize(("name", "row", "what"), BAD)
def test_a_bad_row_is_refused_with_its_place(
    name: str, row: Any, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bad row: one line on stderr with file, line and reason, status 2, and no line of output."""
    rows: dict[str, Any] = {"memberships": TOWN, "people": ASKED}
    rows[name] = [*rows[name][:2], "", row, *rows[name][2:]]
    assert suggest(words(tmp_path, **rows)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{tmp_path / name}.jsonl:4: ")
    assert what in err
    assert err.count("\n") == 1
