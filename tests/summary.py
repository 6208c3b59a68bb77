"""What is told at the end of a test run: figures that tests have measured, what was not run and why.

A plugin (`-p tests.summary`).
"""

from collections import defaultdict
from collections.abc import Iterator

import pytest

FIGURES = "figures"
"""The property (`record_property`) under which a test tells what it has measured, in a line."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Printed above pytest's own closing line."""
    _section(terminalreporter, "figures", _figures(terminalreporter))
    _section(terminalreporter, "not run, and why", _left_out(terminalreporter))


def _section(reporter: pytest.TerminalReporter, title: str, lines: Iterator[str]) -> None:
    for number, line in enumerate(lines):
        if number == 0:
            reporter.section(title)
        reporter.line(line)


def _figures(reporter: pytest.TerminalReporter) -> Iterator[str]:
    for outcome in ("passed", "failed"):
        for report in reporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == FIGURES:
                    yield f"{_name(report).rpartition('::')[2]}\n  {value}"


def _left_out(reporter: pytest.TerminalReporter) -> Iterator[str]:
    """Each reason once, with the tests it has kept from running; a known fault is a test that has to fail."""
    reasons: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for report in reporter.getreports("skipped"):
        where = report.longrepr
        reasons["skipped", where[2] if isinstance(where, tuple) else str(where)].append(_name(report))
    for report in reporter.getreports("xfailed"):
        reasons["known to fail", getattr(report, "wasxfail", "")].append(_name(report))
    for (kind, reason), tests in sorted(reasons.items()):
        yield f"{kind}: {reason.removeprefix('Skipped: ')}"
        yield from (f"  {test}" for test in tests)
    if left := len(reporter.getreports("deselected")):
        yield f"deselected on the command line: {left}"
    if not reasons and not left:
        yield "nothing: every test was run, and none is known to fail"


def _name(report: pytest.TestReport) -> str:
    """Its id, without the group that a worker was given it in."""
    return report.nodeid.partition("@")[0]
