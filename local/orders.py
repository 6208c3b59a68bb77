"""What a person orders of the servers of a running stack, a line each on standard input: `kill kafka-2`."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from local.processes import CannotStartError
from local.server import Server


async def _resume(server: Server) -> None:
    server.resume()


_ACTS: Mapping[str, Callable[[Server], Awaitable[None]]] = {
    "start": lambda server: server.start(),
    "stop": lambda server: server.stop(),
    "kill": lambda server: server.kill(),
    "restart": lambda server: server.restart(),
    "pause": lambda server: server.pause(),
    "resume": _resume,
}
HELP = f"check, or one of {', '.join(_ACTS)} and a name"


async def obey(servers: Mapping[str, Server]) -> None:
    """Does what is ordered and prints how each server stands after it. Never returns, also when nothing more can be
    ordered, or nothing at all: standard input is a file, or the terminal is somebody else's."""
    lines = _lines()
    while True:
        print("\n".join(await answer(servers, (await lines.get()).split())), flush=True)


async def answer(servers: Mapping[str, Server], words: list[str]) -> list[str]:
    """Does one order; what is to be printed."""
    match words:
        case [] | ["check"]:
            return [f"{name} {await _stands(server)}" for name, server in servers.items()]
        case [act, name] if act in _ACTS and name in servers:
            try:
                await _ACTS[act](servers[name])
            except CannotStartError as error:
                return [str(error)]
            return [f"{name} {await _stands(servers[name])}"]
    return [f"{HELP}: {', '.join(servers)}"]


async def _stands(server: Server) -> str:
    if not all(child.alive for child in server.children):
        return "is down"
    pids = ", ".join(str(child.pid) for child in server.children)
    return f"{'answers' if await server.ready() else 'does not answer'}, pid {pids}"


def _lines() -> asyncio.Queue[str]:
    """The lines of standard input as they come. It is left blocking: the terminal is shared with standard output."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop, began = asyncio.get_running_loop(), bytearray()
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # in the background a read would stop the supervisor

    def read() -> None:
        try:
            came = os.read(sys.stdin.fileno(), 4096)
        except OSError:
            came = b""
        if not came:
            loop.remove_reader(sys.stdin)
        began.extend(came)
        while b"\n" in began:
            line, _, rest = bytes(began).partition(b"\n")
            began[:] = rest
            lines.put_nowait(line.decode(errors="replace"))

    with suppress(OSError, ValueError):  # a file, which could be read always, or nothing at all
        loop.add_reader(sys.stdin, read)
    return lines
