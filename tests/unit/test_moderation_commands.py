"""The command lines of moderation: a model from labelled rows, scores line for line, bad rows refused by place."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from services.moderation.app import APP, begin
from services.moderation.commands import load, score, train
from services.moderation.core import Case, verdicts
from shared.app import main
from tests.unit.judging import ham, spam

Rows = list[dict[str, Any]]
LABELLED: Rows = [{"text": text(n), "label": int(text is spam), "src": "x"} for n in range(150) for text in (ham, spam)]


def write(path: Path, rows: Rows, *, packed: bool = False) -> Path:
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def made(folder: Path, rows: Rows = LABELLED) -> Path:
    assert train(["--data", str(write(folder / "rows.jsonl", rows)), "--out", str(folder / "model")]) == 0
    return folder / "model"


def scored(monkeypatch: pytest.MonkeyPatch, model: Path, data: bytes) -> int:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    return score(["--model", str(model)])


def test_training_tells_what_it_has_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON line; the same rows in any order, plain or packed, in one file or two, make the same file."""
    plain = made(tmp_path).read_bytes()
    told = json.loads(capsys.readouterr().out)
    assert (told["ham"], told["spam"], told["bar"]) == (150, 150, 0.9)
    files = [write(tmp_path / "a.gz", LABELLED[200:][::-1], packed=True), write(tmp_path / "b", LABELLED[:200])]
    assert train(["--data", *map(str, files), "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again").read_bytes() == plain
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gz", "again", "b", "model", "rows.jsonl"]


@pytest.mark.parametrize("packed", [False, True])
def test_scores_come_line_for_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], packed: bool
) -> None:
    """By the code of the live path: the same chance and the same reasons, in the order of the texts."""
    model, texts = made(tmp_path), [text(n) for n in range(500, 540) for text in (spam, ham)]
    capsys.readouterr()
    data = "".join(json.dumps({"text": text, "id": 1}) + "\n" for text in texts).encode()
    assert scored(monkeypatch, model, gzip.compress(data) if packed else data) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = verdicts(list(map(Case, texts)), load(model))
    assert [line["score"] for line in lines] == [verdict.chance for verdict in expected]
    assert [len(line["reasons"]) for line in lines] == [len(verdict.reasons) for verdict in expected]
    assert all(set(reason) == {"rule", "weight", "start", "end"} for line in lines for reason in line["reasons"])
    assert min(line["score"] for line in lines[::2]) > 0.5 > max(line["score"] for line in lines[1::2])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"text": "好"}, "missing required field `label`"),
        ({"label": 1}, "missing required field `text`"),
        ({"text": "好", "label": 2}, "Invalid enum value"),
        ({"text": "好", "label": "1"}, "Expected `int`"),
        ({"text": None, "label": 1}, "Expected `str`"),
        ("好", "not a JSON object"),
    ],
)
def test_a_row_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], row: Any, why: str) -> None:
    """With its file and line, and no model is written."""
    path = write(tmp_path / "rows", [*LABELLED[:3], row])
    assert train(["--data", str(path), "--out", str(tmp_path / "model")]) == 2
    told = capsys.readouterr()
    assert f"{path}:4: " in told.err
    assert why in told.err
    assert (told.out, (tmp_path / "model").exists()) == ("", False)


def test_too_little_to_learn_from_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Few rows, or rows of one label: a model that would keep silent is not written."""
    for rows in (LABELLED[:100], [row for row in LABELLED if row["label"]]):
        path = write(tmp_path / "rows", rows)
        assert train(["--data", str(path), "--out", str(tmp_path / "model")]) == 2
        assert "too few texts" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_rows_of_which_few_are_spam_all_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one in ten is spam, whatever order that makes: 200 rows are 200 lessons."""
    made(tmp_path, [{"text": spam(n) if n % 10 == 0 else ham(n), "label": int(n % 10 == 0)} for n in range(200)])
    told = json.loads(capsys.readouterr().out)
    assert (told["ham"], told["spam"]) == (180, 20)


def test_files_that_are_not_there_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Data, model or folder: exit 2, a line that names it, and nothing on stdout."""
    gone, there = str(tmp_path / "gone"), str(write(tmp_path / "rows", LABELLED))
    assert train(["--data", gone, "--out", str(tmp_path / "model")]) == 2
    assert train(["--data", there, "--out", str(tmp_path / "no" / "model")]) == 2
    assert scored(monkeypatch, Path(gone), b"") == 2
    assert scored(monkeypatch, Path(there), b"") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 4
    assert "not a text model" in told.err


def test_a_bad_line_among_texts_scores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All lines are checked before the first score is written."""
    model = made(tmp_path)
    capsys.readouterr()
    assert scored(monkeypatch, model, b'{"text": "a"}\n{"texts": "b"}\n') == 2
    told = capsys.readouterr()
    assert (told.out, told.err.startswith("stdin:2: ")) == ("", True)


def test_the_service_begins_with_a_model_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file of the setting, or none; one that cannot be used ends the process with a line that names it."""
    assert begin(str(made(tmp_path))).speaks
    assert begin("").version == "t4.0.blank"
    with pytest.raises(SystemExit) as end:
        begin(str(tmp_path / "gone"))
    assert end.value.code == 2
    assert "LIANYI_TEXT_MODEL" in capsys.readouterr().err


def test_the_commands_need_no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither broker nor database nor a variable of the environment."""
    for name in ("LIANYI_KAFKA", "LIANYI_MONGO", "LIANYI_JWKS", "LIANYI_ISSUER"):
        monkeypatch.delenv(name, raising=False)
    path = write(tmp_path / "rows", LABELLED)
    assert main(APP, ["train", "--data", str(path), "--out", str(tmp_path / "model")]) == 0
