"""A broker and a database on this machine, for as long as somebody needs them."""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local import kafka
from local.database import Database
from local.embedded import Embedded
from local.kafka import Kafka
from local.places import CACHE, RUNS, workspace
from local.processes import CannotStartError, run_until_signal, together, until
from local.server import Server

Kind = Literal["local", "embedded"]


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs, and where. `broker` and `database` can be killed, paused and restarted by a test."""

    kind: Kind
    why: str
    directory: Path
    broker: Server
    database: Database

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return self.broker.address

    @property
    def mongo(self) -> str:
        """The URL of the database server, without the name of a database."""
        return self.database.address

    def __str__(self) -> str:
        return f"stack: {self.kind} ({self.why}), database: {self.database.server}"


def pick(choice: str = "", cache: Path = CACHE) -> tuple[Kind, str]:
    """Which stack, and why. "" takes Apache Kafka where it can be had, else the mock cluster.

    Raises CannotStartError when `choice` is unknown or cannot be had, and says what is missing.
    """
    lack = kafka.missing(cache)
    match choice:
        case "embedded":
            return "embedded", "asked for"
        case "local" if lack:
            raise CannotStartError(f"no local stack: {lack}. STACK=embedded does without")
        case "local":
            return "local", "asked for"
        case "" if lack:
            return "embedded", lack
        case "":
            jars = "jars in .cache" if kafka.jars(cache).exists() else "Maven"
            return "local", f"Apache Kafka {kafka.VERSION} by {jars}, Java at {kafka.java()}"
        case _:
            raise CannotStartError(f'no stack is called "{choice}": local, embedded')


@asynccontextmanager
async def running(kind: Kind, why: str = "asked for", runs: Path = RUNS, more: str = "") -> AsyncIterator[Stack]:
    """Both servers, answering, in a fresh directory under `runs`: `async with running(*pick(""))`.

    At exit, however it comes about, there is no process and no directory; after kill -9 the kernel takes
    the processes, and the next start the directory. Raises CannotStartError when a server does not come up.
    """
    async with workspace(runs) as directory:
        home = directory / "broker"
        home.mkdir()
        broker = Kafka(home, more=more) if kind == "local" else Embedded(home)
        database = Database(directory / "database")
        try:
            await together(broker.start(), database.start())
            yield Stack(kind, why, directory, broker, database)
        finally:
            # Not politely: what they would save is removed next.
            await together(broker.kill(), database.kill())


async def serve(choice: str) -> int:
    """Starts a stack, prints its addresses, and holds it until cancelled. 1 when a server dies."""
    try:
        async with running(*pick(choice)) as stack:
            print(f"{stack}\nkafka: {stack.kafka}\nmongo: {stack.mongo}\nCtrl-C ends it.", flush=True)
            children = (stack.broker.child, stack.database.child)
            await until(lambda: not all(child.alive for child in children), every=0.2)
            dead = next(child for child in children if not child.alive)
            print(f"{dead.name} died, status {dead.status}{dead.tail()}", file=sys.stderr)
    except CannotStartError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="local.stack", description=serve.__doc__)
    arguments.add_argument("--stack", default="", choices=["", "local", "embedded"], help="default: what is there")
    sys.exit(run_until_signal(serve(arguments.parse_args().stack)))
