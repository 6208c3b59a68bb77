"""The page that `make faults` writes."""

from pathlib import Path

import pytest

from tests.faults.__main__ import Table, written
from tests.faults.round import Report
from tests.pages import BY_HAND

HAND = f"{BY_HAND}\nWords.\n"


def told(test: str, scale: float, page: Path, failed: bool = False) -> Table:
    """The table after one test has passed or failed."""
    table = Table(scale, page)
    report = Report(test, 1_200, 3, 0, 0, 0, 1, 2.0, 4.5, 60.0)
    outcome = {"outcome": "failed" if failed else "passed", "longrepr": None, "when": "call"}
    properties = [] if failed else [("report", {name: getattr(report, name) for name in Report.__slots__})]
    node = f"tests/faults/test_x.py::test_{test}"
    made = pytest.TestReport(node, ("", 0, ""), {}, user_properties=properties, **outcome)  # type: ignore[arg-type]
    table.pytest_runtest_logreport(made)
    return table


def test_a_round_is_on_the_page_as_soon_as_it_has_passed(tmp_path: Path) -> None:
    """With its N, its numbers, and what was written by hand."""
    page = tmp_path / "faults.md"
    page.write_text(HAND)
    told("one", 1, page)
    assert "| `one` | 1 | 1,200 | 3 | 0 | 0 | 0 | 1 | 2.0 (4.5) | 60 |" in page.read_text()
    assert page.read_text().endswith(HAND)
    assert "1 minutes" in page.read_text()


def test_a_shorter_round_does_not_replace_a_longer_one(tmp_path: Path) -> None:
    """One of less than the full number is named at the foot, and gives way to one that is longer."""
    page = tmp_path / "faults.md"
    for scale, kept in ((0.3, "0.3"), (1, "1"), (0.5, "1"), (2, "2")):
        told("one", scale, page)
        assert f"| `one` | {kept} |" in page.read_text()
        assert page.read_text().count("`one`") == 1 + (scale == 0.3)


def test_a_round_that_failed_has_no_row(tmp_path: Path) -> None:
    """Neither an old one; others stay."""
    page = tmp_path / "faults.md"
    for test in ("one", "two"):
        told(test, 1, page)
    told("one", 1, page, failed=True)
    assert "`one`" not in page.read_text()
    assert "`two`" in page.read_text()


def test_rows_of_other_servers_are_not_kept(tmp_path: Path) -> None:
    """They are not of this page."""
    page = tmp_path / "faults.md"
    table = told("one", 1, page)
    other = page.read_text().replace("Apache Kafka", "Another broker").replace("`one`", "`two`")
    assert "`two`" not in written(other, table)


def compared(page: Path, times: int, ours: float, *, failed: bool = False) -> str:
    """The page after a way back was compared so often."""
    row = {"fault": "struck", "times": times, "ours": ours, "plain": 1.0}
    outcome = {"outcome": "failed" if failed else "passed", "longrepr": None, "when": "call"}
    node, table = "tests/faults/test_x.py::test_one", Table(1, page)
    made = pytest.TestReport(node, ("", 0, ""), {}, user_properties=[("beside", row)], **outcome)  # type: ignore[arg-type]
    table.pytest_runtest_logreport(made)
    return page.read_text()


def test_a_way_back_stays_until_it_is_seen_as_often(tmp_path: Path) -> None:
    """A comparison of fewer times replaces none of more; one that took too long takes its row away."""
    page = tmp_path / "faults.md"
    assert "| struck | 5 | 1.1 | 1.0 |" in compared(page, 5, 1.1)
    assert "| struck | 5 | 1.1 | 1.0 |" in compared(page, 2, 1.2)
    assert "| struck | 5 | 1.3 | 1.0 |" in compared(page, 5, 1.3)
    assert "struck" not in compared(page, 2, 9.0, failed=True)
