"""What processes log as an error, and then live with: of that nobody would hear in thousands of worlds."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

EXPECTED = ("lane_held",)
"""What is an error for an operator, and no bug."""

_heard: list[str] = []


def listen() -> None:
    """From here on errors are kept instead of being told, and nothing else is."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), processors=[_keep])
    logging.disable(logging.CRITICAL)


def take() -> list[str]:
    """What was heard since the last time."""
    heard = list(_heard)
    _heard.clear()
    return heard


def _keep(logger: object, method: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if said["event"] not in EXPECTED:
        _heard.append(f"{said} {sys.exception()!r}")
    raise structlog.DropEvent
