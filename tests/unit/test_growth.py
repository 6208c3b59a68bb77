"""The page of figures that ``tests.bench.growth`` writes."""

from pathlib import Path

import pytest

from tests.bench.growth import FILES, write
from tests.pages import BY_HAND

HEAD = "# How it grows\n\nWhat it costs.\n"
TABLE = "\n| | 10 groups |\n| --- | ---: |\n| a place: mean, ms | 3.13 |\n"
HAND = f"{BY_HAND}\nIt was so.\n\n| by hand | kept |\n| --- | ---: |\n| one | 1 |\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    made = tmp_path / "growth.md"
    made.write_text(f"{HEAD}{TABLE}{HAND}")
    return made


def test_what_was_written_by_hand_stays_on_the_page(page: Path) -> None:
    """Written anew, once and again, the page ends as it did, tables of a hand included, and begins as it did."""
    for size in ("100 groups", "1,000 groups"):
        write({"a place: mean, ms": {size: "4.00"}}, page)
        assert page.read_text().startswith(f"{HEAD}\n| | 10 groups |")
        assert page.read_text().endswith(HAND)
    assert "| a place: mean, ms | 3.13 | 4.00 | 4.00 |" in page.read_text()
    assert page.read_text().count("| one | 1 |") == 1


def test_figures_of_other_runs_stay_on_the_page(page: Path) -> None:
    """Those of other parts stand beside the new ones; one that was measured again is replaced."""
    write({"relays, events/s": {FILES: "946"}, "a place: mean, ms": {"10 groups": "2.00"}}, page)
    told = page.read_text().partition(BY_HAND)[0]
    assert "| a place: mean, ms | 2.00 |" in told
    assert "| relays, events/s | 946 |" in told
    assert "3.13" not in told


def test_the_first_figures_make_the_page(tmp_path: Path) -> None:
    """It has a title, the figures, and the place from which on a hand may write."""
    write({"a place: mean, ms": {"10 groups": "3.13"}}, tmp_path / "new.md")
    assert (tmp_path / "new.md").read_text() == f"# How recommend grows\n{TABLE}{BY_HAND}"
