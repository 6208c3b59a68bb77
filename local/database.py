"""SecantusDB, a server that speaks MongoDB's protocol, on disk and in a process of its own.

GPL-2.0 and a beta: a tool of this machine, never imported by a service and never in an image.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from local.places import CACHE, free_port, port_open
from local.processes import CannotStartError, Child
from local.server import Server

FLAGS = ("--sync-on-commit",)
"""Without it acknowledged transactions are lost at kill -9 (measured)."""

ANSWER = 2
"""Seconds within which one that is up answers."""


def program(cache: Path = CACHE) -> Path:
    """The Rust server where it has been built (about eight times faster), else the Python one of the venv.

    Raises CannotStartError when there is neither.
    """
    built = cache / "secantus" / "bin" / "secantusd-rs"
    rust = str(built) if built.exists() else shutil.which("secantusd-rs")
    python = Path(sys.executable).with_name("secantusd-py")
    if rust is None and not python.exists():
        raise CannotStartError(f"no secantusd-py beside {sys.executable}: run `make setup`")
    return Path(rust) if rust else python


class Database(Server):
    """One server with its data in `directory`, a replica set of one, with multi-document transactions.

    What it acknowledged survives kill -9. `address` is a URL, settled when it is made, and kept.
    """

    def __init__(self, directory: Path, cache: Path = CACHE) -> None:
        server = program(cache)
        self.server = server.name
        self._port = free_port()
        # Direct: a driver then need not know the name of the replica set, and still has transactions.
        self.address = f"mongodb://127.0.0.1:{self._port}/?directConnection=true"
        place = ["--host", "127.0.0.1", "--port", str(self._port), "--storage-path", str(directory / "data")]
        argv = [str(server), *place, *FLAGS]
        self.children = (Child(f"the database ({server.name})", argv, {}, directory / "database.log"),)

    async def ready(self) -> bool:
        """True when it answers a ping. It listens before that: one that is killed in between, at its first start,
        leaves files that it cannot open again."""
        if not await port_open(self._port):
            return False
        made: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.address, serverSelectionTimeoutMS=ANSWER * 1000)
        async with made as client:
            try:
                await client.admin.command("ping")
            except PyMongoError:
                return False
        return True
