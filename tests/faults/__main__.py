"""``make faults``: all rounds of the fault tests in full, and their table in docs/faults.md.

python -m tests.faults [--n 1] [--only kill]     N times the full number of rounds, of the tests whose names match
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import pytest

from local import kafka
from local.database import program
from tests.pages import by_hand

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "faults.md"
HEAD = """# Faults on real parts

What the tests in `tests/faults` have come to: the four services as processes, Apache Kafka {kafka} and a database on
disk ({database}), on {cores} cores, with a crowd that writes, asks, answers, joins and leaves all the time.
Where brokers die or disks are full there are three brokers, and the database and one of them lie on disks that can be
made full (tmpfs, where the machine lets one be mounted); else there is one. `make faults` writes this page; `N=`
multiplies the rounds, and a row says with which N it was made. `make test` plays a short round of each.

- **inputs**: accepted commands, and records of all topics. **faults**: how often something was broken.
- **lost**, **doubled**: facts that the accepted commands make certain and that did not come, or came twice, by an
  independent reader of all topics. **otherwise**: what the APIs tell in the end, and the ledger of accepted commands
  does not (counts, lists, members, tiers, records). Any of them fails the test.
- **dead**: dead letters; each is of a record that the test planted, or the test fails.
- **back**: seconds until all worked again, the median and the most, by what the test says: a process that is ready, or
  new notes and messages that have gone all the way.

| test | N | inputs | faults | lost | doubled | otherwise | dead | back, s | in all, s |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
FOOT = "All rows together: {minutes:.0f} minutes, without the start of stacks. {less}"
ROW = re.compile(r"^\| `(\w+)` \| ([\d.]+) \|.*\| ([\d,]+) \|$", re.M)
BESIDE = """
## The way back

Seconds from the end of a fault until effects flow again, the median: of the service moderation, whose verdicts must
also have been published, and of a plain consumer group that stores what it reads (`tests/faults/plain.py`). Both have
the same timeouts, feed, stack and fault at the same time. More than 1.5 times as long fails the test, but for the half
second in which clients look for a server that is away, each when its turn comes.

| fault | times | ours, s | plain, s |
| --- | --- | --- | --- |
"""
BESIDE_ROW = re.compile(r"^\| (\w+) \| (\d+) \|.*\|$", re.M)


class Table:
    """A pytest plugin that keeps the reports of the tests that have passed, and has each written down at once."""

    def __init__(self, scale: float, page: Path) -> None:
        self._scale, self._page = scale, page
        self.rows: dict[str, str] = {}
        self.beside: dict[str, str] = {}
        self.failed: list[str] = []
        self.too_long: set[str] = set()
        """Faults after which the way back was."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A row for each; a test that fails has none."""
        if report.failed:
            self.failed.append(report.nodeid)
            for name, told in report.user_properties:
                if name == "beside" and isinstance(told, dict):
                    self.too_long.add(told["fault"])
        elif report.when == "call":
            for name, told in report.user_properties:
                self._take(name, told)
        if report.failed or report.when == "call":
            self._page.write_text(written(self._page.read_text("utf-8") if self._page.exists() else "", self), "utf-8")

    def _take(self, name: str, told: object) -> None:
        if name == "report":
            assert isinstance(told, dict)
            self.rows[told["test"]] = self._row(told)
        elif name == "beside":
            assert isinstance(told, dict)
            row = f"| {told['fault']} | {told['times']} | {told['ours']:.1f} | {told['plain']:.1f} |\n"
            self.beside[told["fault"]] = row

    def _row(self, told: dict[str, Any]) -> str:
        back = f"{told['back']:.1f} ({told['back_most']:.1f})" if told["back_most"] else "–"
        counts = (f"{told[name]:,}" for name in ("inputs", "faults", "lost", "doubled", "differing", "dead"))
        return f"| `{told['test']}` | {self._scale:g} | {' | '.join(counts)} | {back} | {told['seconds']:,.0f} |\n"


def written(before: str, table: Table) -> str:
    """The page with the new rows. Rows of tests that were not run now stay, and those of more rounds than now, unless
    they are of other servers or of another machine, and so does what is written by hand; those of tests that failed
    go."""
    failed = {node.rpartition("::")[2].removeprefix("test_") for node in table.failed}
    head = HEAD.format(kafka=kafka.VERSION, database=f"`{program().name}`", cores=os.cpu_count())
    still = before if before.startswith(head) else ""
    rows = {row[1]: row for row in ROW.finditer(still)}
    for row in ROW.finditer("".join(table.rows.values())):
        if row[1] not in rows or float(row[2]) >= float(rows[row[1]][2]):
            rows[row[1]] = row
    kept = [row for name, row in sorted(rows.items()) if name not in failed]
    foot = FOOT.format(minutes=sum(int(row[3].replace(",", "")) for row in kept) / 60, less=_less(kept))
    beside = {row[1]: row for row in BESIDE_ROW.finditer(still)}
    for row in BESIDE_ROW.finditer("".join(table.beside.values())):
        if row[1] not in beside or int(row[2]) >= int(beside[row[1]][2]):
            beside[row[1]] = row
    told = [f"{row[0]}\n" for name, row in sorted(beside.items()) if name not in table.too_long]
    page = (
        head
        + "".join(f"{row[0]}\n" for row in kept)
        + f"\n{fill(foot, 118)}\n"
        + (BESIDE + "".join(told) if told else "")
    )
    return page + by_hand(before)


def _less(rows: Sequence[re.Match[str]]) -> str:
    """Which rounds were played less than once in full."""
    less = ", ".join(f"`{row[1]}`" for row in rows if float(row[2]) < 1)
    return f"Less than the full rounds: {less}." if less else "All rounds in full."


def main() -> int:
    """The command line; pytest's exit status."""
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--n", type=float, default=1.0, help="times the full number of rounds")
    parser.add_argument("--only", default="", help="tests whose names match, as pytest's -k")
    asked = parser.parse_args()
    table, began = Table(asked.n, PAGE), time.monotonic()
    chosen = ["-k", asked.only] if asked.only else []
    status = int(pytest.main(["-s", "-v", f"--faults={asked.n}", *chosen, str(HERE)], plugins=[table]))
    print(f"{PAGE.relative_to(HERE.parents[1])}: {len(table.rows)} rows; {(time.monotonic() - began) / 60:.1f} minutes")
    return status


if __name__ == "__main__":
    sys.exit(main())
