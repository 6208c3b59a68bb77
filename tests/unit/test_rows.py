"""Rows of real data: whatever is wrong with some, the others come through, in time order and cut to fit."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.rows import (
    BYTES,
    MAX_LINE,
    NO_TEXT,
    TEXT,
    BadRow,
    InTime,
    Odd,
    comment_of,
    comments,
    lines,
    node_of,
    note_of,
    parsed,
    shares,
)


def packed(path: Path, rows: Iterable[bytes]) -> Path:
    path.write_bytes(gzip.compress(b"".join(row + b"\n" for row in rows)))
    return path


def note(title: str, created: object = 0) -> bytes:
    return json.dumps({"title": title, "created": created}).encode()


def test_packed_and_plain_files_read_alike(tmp_path: Path) -> None:
    """A file need not be gzipped, and blank lines are none."""
    plain = tmp_path / "plain"
    plain.write_bytes(b"1\n\n  \n2")
    assert list(lines(plain, Odd())) == [b"1\n", b"2"]
    assert [line.strip() for line in lines(packed(tmp_path / "packed", [b"1", b"", b"2"]), Odd())] == [b"1", b"2"]


def test_a_broken_file_gives_what_is_whole(tmp_path: Path) -> None:
    """A download that was cut off is read as far as it goes, and counted."""
    whole = packed(tmp_path / "whole", [f"{i}".encode() * 50 for i in range(2_000)])
    broken = tmp_path / "broken"
    broken.write_bytes(whole.read_bytes()[:-200])
    odd = Odd()
    assert 0 < len(list(lines(broken, odd))) <= 2_000
    assert odd.left_out == {"the file is broken": 1}


def test_a_line_without_an_end_is_not_held(tmp_path: Path) -> None:
    """A line longer than a megabyte is left out, once, and the next one is read."""
    odd = Odd()
    path = packed(tmp_path / "long", [b"x" * (2 * MAX_LINE + 5), b"1"])
    assert [line.strip() for line in lines(path, odd)] == [b"1"]
    assert odd.left_out == {"too long a line": 1}


@given(line=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_line_is_an_object_or_a_bad_row(line: bytes) -> None:
    """No bytes whatever make anything else than a row or a BadRow that tells nothing of them."""
    try:
        assert isinstance(parsed(line), dict)
    except BadRow as reason:
        assert str(reason) in ("not JSON", "not an object")  # noqa: PT017 - either outcome is right


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
rows = st.dictionaries(
    st.sampled_from(["node", "title", "header", "text", "user", "label", "created"]), json_values, max_size=7
)


@given(row=rows)
def test_any_object_is_usable_or_a_bad_row(row: dict[str, object]) -> None:
    """Whatever a row holds, each reader gives something that the APIs take, or a BadRow."""
    for read in (
        lambda: note_of(row, 1, Odd()),
        lambda: comment_of(row, 1, True, Odd()),
        lambda: node_of(row, Odd()),
    ):
        try:
            made = read()
        except BadRow:
            continue
        for name in ("title", "text", "name", "purpose", "audience"):
            text = getattr(made, name, "x")
            assert text == text.strip() != ""
            assert "\x00" not in text
            text.encode()  # no half of a surrogate pair is left


@pytest.mark.parametrize("letter", ["a", "字", "𠀀"])
def test_an_oversize_text_is_cut_to_the_limits(letter: str) -> None:
    """Characters and bytes both stay under what a request may carry; that it was cut is counted."""
    odd = Odd()
    made = note_of({"title": "t", "text": letter * 30_000}, 1, odd)
    assert len(made.text) <= TEXT
    assert len(made.text.encode()) <= BYTES
    assert odd.changed["text cut to 20000"] == 1


def test_a_note_without_text_is_its_title() -> None:
    """Posts that are a title alone are notes too."""
    assert note_of({"title": "t", "text": ""}, 1, Odd()).text == NO_TEXT
    assert note_of({"title": "t"}, 1, Odd()).text == NO_TEXT


@given(times=st.lists(st.integers(0, 20), max_size=12))
def test_notes_come_in_the_order_of_their_time(times: list[int]) -> None:
    """Sorted or not in the file; equal times stay in the order of the file."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = packed(Path(name) / "notes", [note(f"{i}", created) for i, created in enumerate(times)])
        ordered = InTime(path, Path(name))
        titles = [int(parsed(line)["title"]) for line in ordered.lines(Odd())]
        assert titles == sorted(range(len(times)), key=times.__getitem__)
        assert len(ordered) == len(times)


@given(counts=st.lists(st.integers(0, 30), min_size=1, max_size=3), most=st.integers(0, 60))
def test_files_are_drawn_from_evenly(counts: list[int], most: int) -> None:
    """As many rows as were asked for or are there, equal parts unless a file has too few."""
    taken = shares(counts, most)
    assert sum(taken) == min(most, sum(counts))
    assert all(part <= count for part, count in zip(taken, counts, strict=True))
    unfilled = [part for part, count in zip(taken, counts, strict=True) if part < count]
    assert all(part <= low + 1 for part in taken for low in unfilled)


def test_a_label_in_a_row_goes_before_that_of_its_file(tmp_path: Path) -> None:
    """Rows say themselves whether they are spam; where they do not, the file does; bad rows are counted."""
    spam = packed(tmp_path / "spam", [b'{"text": "a", "label": 0}', b'{"text": "b"}', b'{"text": "c", "label": 5}'])
    ham = packed(tmp_path / "ham", [b'{"text": "d"}', b'{"text": "e", "label": 1}', b'{"text": " "}'])
    odd = Odd()
    total, found = comments([(spam, True), (ham, False)], None, odd)
    assert total == 6
    assert {comment.text: comment.spam for comment in found} == {"a": False, "b": True, "d": False, "e": True}
    assert odd.left_out == {"label is neither 0 nor 1": 1, "text is empty": 1}


def test_a_sample_is_spread_over_the_file(tmp_path: Path) -> None:
    """Files are often sorted by label, so a sample is not their beginning; it is the same at every run."""
    path = packed(tmp_path / "sorted", [json.dumps({"text": f"{i}"}).encode() for i in range(400)])
    first, second = ([comment.text for comment in comments([(path, True)], 40, Odd())[1]] for _ in range(2))
    assert first == second
    assert len(first) == 40
    assert max(map(int, first)) > 200
