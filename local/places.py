"""Ports, locks and directories that a dead run does not keep."""

import asyncio
import fcntl
import os
import random
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from local.disk import unmount
from local.processes import ROOT, until

CACHE = ROOT / ".cache"
RUNS = ROOT / ".run"
PREFIX = "stack-"
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that is free, and that this process is not given twice.

    Taken from below the range out of which the kernel serves outgoing connections: while a server is down
    in a fault test, no connection can take its port, nor a client that retries connect to itself.
    """
    with suppress(OSError, ValueError):
        low = int(_EPHEMERAL.read_text().split()[0])
        for port in random.sample(range(15_000, low), 50):
            if port not in _given and _bindable(port):
                _given.add(port)
                return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def port_open(port: int) -> bool:
    """True when something on 127.0.0.1 accepts connections at this port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


@asynccontextmanager
async def exclusive(path: Path) -> AsyncIterator[None]:
    """Holds `path` as a lock among the processes of this machine; the kernel frees it at their death."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        await until(lambda: _lock(file.fileno()))
        yield


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@asynccontextmanager
async def workspace(runs: Path = RUNS) -> AsyncIterator[Path]:
    """A fresh directory under `runs`, removed at exit. What dead runs left behind there is removed first.

    Its owner holds a lock on it: unlike a pid, a lock is never reused by a stranger, and it tells the truth
    to a container that shares the tree but not the process table. The pid in the name is for readers.
    """
    async with exclusive(runs / "lock"):  # or a sweep could come between the making and the locking
        _sweep(runs)
        place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=runs))
        held = os.open(place, os.O_RDONLY)
        _lock(held)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(held)


def _sweep(runs: Path) -> None:
    for left in runs.glob(f"{PREFIX}*"):
        with _opened(left) as descriptor:
            if descriptor is not None and _lock(descriptor):
                unmount(left)
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # its owner removed it just now
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
