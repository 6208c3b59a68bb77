"""What all tests share: tests marked ``jumping`` run on a loop whose time jumps."""

import asyncio
from collections.abc import Callable, Mapping

import hypothesis
import pytest
import structlog

from tests.fakes.clock import JumpingLoop

# A machine that is busy with other things makes no test wrong: what must be fast is measured by the processor's time.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")
pytest.register_assert_rewrite("tests.suites.database", "tests.suites.lane", "tests.suites.faults")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kafka", default="", help="address of a fresh broker for the suites, in the place of their own")
    parser.addoption("--mongo", default="", help="URL of a fresh database server, likewise")
    parser.addoption("--faults", type=float, default=0.0, help="rounds of tests/faults, times the full number; 0: few")


def pytest_configure(config: pytest.Config) -> None:
    # The default draws tracebacks with all locals, which takes a second each; nobody reads those of a test that passes.
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    config.addinivalue_line("markers", "jumping: runs on a loop whose time jumps, so that waiting costs nothing")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A worker has whole files, for their fixtures; one has all that start a stack, so that there is one at a time."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        starts = item.get_closest_marker("stack") or item.get_closest_marker("kafka")
        item.add_marker(pytest.mark.xdist_group("stack" if starts else file))


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"jumping": JumpingLoop} if item.get_closest_marker("jumping") else {"usual": asyncio.new_event_loop}
