"""Facts about ``python -m services.recommend place``. All texts are our own."""

import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.recommend.app import APP
from services.recommend.commands import GroupRow, NoteRow, by_time, learned, place
from services.recommend.core import Profiles, features
from shared.app import main
from shared.rows import MAX_LINE

GROUPS: list[dict[str, Any]] = [
    {"node": "ride", "title": "骑行", "header": "一起骑车", "topics": 3},
    {"node": "code", "title": "程序员", "header": None},
    {"node": "cook", "title": "厨房", "header": "做饭和菜谱"},
]
TRAIN: list[dict[str, Any]] = [
    {"id": 3, "created": 30, "node": "cook", "title": "红烧肉放多少糖", "text": "电饭煲可以吗"},
    {"id": 1, "created": 10, "node": "ride", "title": "公路车换轮胎求推荐", "text": "road bike"},
    {"id": 2, "created": 20, "node": "code", "title": "Python 异步队列怎么写", "text": None},
    {"id": 4, "created": 40.5, "node": "sauna", "title": "桑拿房多少度", "text": ""},
]
TEST = [{"id": "x1", "title": "骑行换轮胎", "text": "", "node": "ride"}, {"id": 7, "title": "asyncio in Python"}]

Rows = Sequence[Any]


def write(path: Path, rows: Rows) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def words(folder: Path, *, groups: Rows = GROUPS, train: Rows = TRAIN, test: Rows = TEST, end: str = "") -> list[str]:
    given = {"groups": groups, "train": train, "test": test}
    made = {name: str(write(folder / f"{name}.jsonl{end}", rows)) for name, rows in given.items()}
    return [part for name, path in made.items() for part in (f"--{name}", path)]


def test_it_needs_no_broker_database_or_settings(tmp_path: Path) -> None:
    """The command runs in a process without any setting and answers each row in order, with its id as given."""
    command = [sys.executable, "-m", "services.recommend", "place", *words(tmp_path), "--k", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONIOENCODING": "utf-8"})
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in told] == ["x1", 7]
    assert [row["ranked"][0] for row in told] == ["ride", "code"]
    assert all(len(row["ranked"]) <= 2 for row in told)
    assert done.stderr == ""


def test_plain_and_gzipped_files_are_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same rows give the same answer, packed or not."""
    answers = []
    for end in ("", ".gz"):
        assert place(words(tmp_path, end=end)) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1] != ""


def test_it_is_a_command_of_the_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The service's own command line knows it."""
    assert main(APP, ["place", *words(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(TEST)


def test_it_ranks_as_the_live_core_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list is that of `Profiles.place` over profiles opened and taught in the order of time."""
    assert place(words(tmp_path)) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[0])["ranked"]
    groups = [GroupRow(row["node"], row["title"], row["header"]) for row in GROUPS]
    notes = [NoteRow(row["node"], row["created"], row["title"], row["text"]) for row in TRAIN]
    profiles = Profiles()
    for profile in learned(groups, by_time(notes)).values():
        profiles.put(profile)
    assert told == [placed.group_id for placed in profiles.place(features("骑行换轮胎", ""), 10, 0.0)]


def test_notes_are_learned_in_the_order_of_their_time() -> None:
    """Whatever the order of the file, the earliest note comes first; equal times stay as they stand."""
    notes = [NoteRow("a", 2, "second"), NoteRow("a", 1, "first"), NoteRow("a", 2, "third")]
    assert [note.title for note in by_time(notes)] == ["first", "second", "third"]


def test_a_node_without_a_row_has_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A node that only the notes know can come out, and is found by its name too."""
    asked = [{"id": 1, "title": "桑拿多少度"}, {"id": 2, "title": "sauna"}]
    assert place(words(tmp_path, test=asked)) == 0
    assert [json.loads(line)["ranked"][0] for line in capsys.readouterr().out.splitlines()] == ["sauna", "sauna"]


def test_a_note_of_nothing_known_goes_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A note without a known term has an empty list, in its place."""
    assert place(words(tmp_path, test=[{"id": 1, "title": "qqq"}, {"id": 2, "title": "", "text": None}])) == 0
    assert [json.loads(line)["ranked"] for line in capsys.readouterr().out.splitlines()] == [[], []]


def test_half_an_emoji_is_no_bad_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Texts that somebody cut in the middle of a character are read, and an id of such comes back as given."""
    assert place(words(tmp_path, test=['{"id": "\\ud83d", "title": "骑行 \\ud83d", "extra": [1]}'])) == 0
    assert json.loads(capsys.readouterr().out) == {"id": "\ud83d", "ranked": ["ride"]}


NOTE = {"node": "ride", "created": 1, "title": "t"}
BAD: list[tuple[str, Any, str]] = [
    ("train", {**NOTE, "node": ""}, "`$.node`"),
    ("train", {**NOTE, "title": None}, "`$.title`"),
    ("train", {**NOTE, "text": ["t"]}, "`$.text`"),
    ("train", {**NOTE, "created": "now"}, "`$.created`"),
    ("train", {**NOTE, "created": float("nan")}, "`$.created`"),
    ("train", {"created": 1, "title": "t"}, "`node`"),
    ("train", {"node": "ride", "title": "t"}, "`created`"),
    ("train", '{"node": "ride", "crea', "not a JSON object"),
    ("train", "[1, 2]", "not a JSON object"),
    ("train", "[" * 100_000, "not a JSON object"),
    ("train", '"' + "x" * MAX_LINE + '"', "longer than"),
    ("test", {"title": "t"}, "`id`"),
    ("test", {"id": None, "title": "t"}, "`$.id`"),
    ("test", {"id": 1}, "`title`"),
    ("groups", {"title": "t"}, "`node`"),
    ("groups", {"node": "g", "title": 3}, "`$.title`"),
    ("groups", GROUPS[0], "row already"),
]


@pytest.mark.parametrize(("name", "row", "what"), BAD)
def test_a_bad_row_is_refused_with_its_place(
    name: str, row: Any, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bad row, packed or not: one line on stderr with file, line and reason, status 2, and no line of output."""
    rows: dict[str, Rows] = {"groups": GROUPS, "train": TRAIN, "test": TEST}
    rows[name] = [*rows[name][:2], "", row, *rows[name][2:]]
    for end in ("", ".gz"):
        assert place(words(tmp_path, **rows, end=end)) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"{tmp_path / name}.jsonl{end}:4: ")
        assert what in err
        assert err.count("\n") == 1


def test_bytes_that_are_no_text_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that is not UTF-8 is a bad row."""
    arguments = words(tmp_path)
    Path(arguments[-1]).write_bytes(b'{"id": 1, "title": "\xff"}\n')
    assert place(arguments) == 2
    assert "test.jsonl:1: not a JSON object in UTF-8" in capsys.readouterr().err


def test_a_broken_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A gzipped file that ends in the middle is refused, and so is one that is not there."""
    arguments = words(tmp_path, end=".gz")
    packed = Path(arguments[-1])
    packed.write_bytes(packed.read_bytes()[:-12])
    assert place(arguments) == 2
    assert "broken" in capsys.readouterr().err
    packed.unlink()
    assert place(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"{packed}: No such file or directory\n"


@pytest.mark.parametrize("k", ["0", "-1", "ten"])
def test_k_is_a_positive_number(k: str, tmp_path: Path) -> None:
    """Anything else is refused with exit status 2."""
    with pytest.raises(SystemExit) as refused:
        place([*words(tmp_path), "--k", k])
    assert refused.value.code == 2


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """When the other end of the pipe closes, the command ends with status 1 and without a traceback."""
    command = [sys.executable, "-m", "services.recommend", "place", *words(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 1
