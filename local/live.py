"""A system that runs on this machine: how another process finds it, and what it needs to use it."""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from local.places import PREFIX, RUNS

FILE = "live.json"


@dataclass(frozen=True, slots=True)
class Live:
    """Addresses of a system that stays up. `issuer` is the base URL of its development issuer."""

    stack: str
    kafka: str
    urls: Mapping[str, str]
    issuer: str
    partitions: int


def announce(directory: Path, live: Live) -> None:
    """Writes the addresses into the run's own directory, whole or not at all; they go with it."""
    draft = directory / f"{FILE}.draft"
    draft.write_text(json.dumps(asdict(live)))
    draft.rename(directory / FILE)


def find(runs: Path = RUNS) -> Live | None:
    """The system that runs here, if one stays up; of several the newest. What a dead run has left is not one."""
    files = sorted(runs.glob(f"{PREFIX}*/{FILE}"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        if _alive(file.parent):
            return Live(**json.loads(file.read_text()))
    return None


def _alive(directory: Path) -> bool:
    """Whether the owner holds its lock on the directory; looking on takes nothing away from a sweep."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
