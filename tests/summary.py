"""What is told at the end of a test run: figures that tests have measured, what was not run and why, coverage.

A plugin (`-p tests.summary`). Coverage is reported when the run is measured: `coverage run -m pytest`.
"""

from collections import defaultdict
from collections.abc import Iterator
from io import StringIO

import pytest
from coverage import Coverage
from coverage.exceptions import NoDataError

FIGURES = "figures"
"""The property (`record_property`) under which a test tells what it has measured, in a line."""

_report = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that is measured fails when it covers less than `fail_under`."""
    measured = Coverage.current()
    if measured is None:
        return
    told = StringIO()
    try:
        total = measured.report(file=told)
    except NoDataError:
        return
    least = float(measured.get_option("report:fail_under") or 0)  # type: ignore[arg-type]
    if total < least:
        told.write(f"\ncovered: {total:.1f} %, must be {least:.0f} %\n")
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    session.config.stash[_report] = told.getvalue()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Printed above pytest's own closing line."""
    _section(terminalreporter, "figures", _figures(terminalreporter))
    _section(terminalreporter, "not run, and why", _left_out(terminalreporter))
    if _report in config.stash:
        _section(terminalreporter, "branches and lines covered", iter(config.stash[_report].splitlines()))


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
                    yield f"{report.nodeid.rpartition('::')[2]}\n  {value}"


def _left_out(reporter: pytest.TerminalReporter) -> Iterator[str]:
    """Each reason once, with the tests it has kept from running; a known fault is a test that has to fail."""
    reasons: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for report in reporter.getreports("skipped"):
        where = report.longrepr
        reasons["skipped", where[2] if isinstance(where, tuple) else str(where)].append(report.nodeid)
    for report in reporter.getreports("xfailed"):
        reasons["known to fail", getattr(report, "wasxfail", "")].append(report.nodeid)
    for (kind, reason), tests in sorted(reasons.items()):
        yield f"{kind}: {reason.removeprefix('Skipped: ')}"
        yield from (f"  {test}" for test in tests)
    if left := len(reporter.getreports("deselected")):
        yield f"deselected on the command line: {left}"
    if not reasons and not left:
        yield "nothing: every test was run, and none is known to fail"
