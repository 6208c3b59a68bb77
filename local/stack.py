"""One broker or three and a database on this machine, for as long as somebody needs them."""

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
from local.kafka import Cluster
from local.orders import obey
from local.places import CACHE, RUNS, workspace
from local.processes import CannotStartError, Child, death, run_until_signal, together
from local.server import Server

Kind = Literal["local", "embedded"]


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs, and where. `broker` (all of them), each of `brokers` and `database` can be killed, paused and
    restarted by a test."""

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

    @property
    def brokers(self) -> tuple[Server, ...]:
        """Each broker by itself."""
        return self.broker.brokers if isinstance(self.broker, Cluster) else (self.broker,)

    @property
    def servers(self) -> dict[str, Server]:
        """Every server under the name by which a person knows it."""
        return {f"kafka-{number}": broker for number, broker in enumerate(self.brokers, start=1)} | {
            "database": self.database
        }

    @property
    def children(self) -> tuple[Child, ...]:
        """All processes."""
        return (*self.broker.children, *self.database.children)

    def __str__(self) -> str:
        return f"stack: {self.kind} ({self.why}), brokers: {len(self.brokers)}, database: {self.database.server}"


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


def asleep(kind: Kind, why: str, directory: Path, brokers: int = 1, more: str = "") -> Stack:
    """A stack of which nothing has been started; its addresses are settled, but the mock cluster's. `more` are lines of
    settings for Apache Kafka.

    Raises CannotStartError when the embedded stack is to have more than one broker.
    """
    if kind == "embedded" and brokers > 1:
        raise CannotStartError(f"the embedded stack has one broker, not {brokers}: that takes STACK=local ({why})")
    home = directory / "broker"
    home.mkdir(exist_ok=True)
    broker = Cluster(home, brokers, more) if kind == "local" else Embedded(home)
    return Stack(kind, why, directory, broker, Database(directory / "database"))


@asynccontextmanager
async def awake(stack: Stack) -> AsyncIterator[Stack]:
    """All servers answer while the block runs. Raises CannotStartError when one does not come up."""
    try:
        await together(stack.broker.start(), stack.database.start())
        yield stack
    finally:
        # Not politely: what they would save is removed next.
        await together(stack.broker.kill(), stack.database.kill())


@asynccontextmanager
async def running(
    kind: Kind, why: str = "asked for", runs: Path = RUNS, brokers: int = 1, more: str = ""
) -> AsyncIterator[Stack]:
    """All servers, answering, in a fresh directory under `runs`: `async with running(*pick(""))`.

    At exit, however it comes about, there is no process and no directory; after kill -9 the kernel takes
    the processes, and the next start the directory. Raises CannotStartError as `asleep` and `awake` do.
    """
    async with workspace(runs) as directory, awake(asleep(kind, why, directory, brokers, more)) as stack:
        yield stack


async def serve(choice: str, brokers: int) -> int:
    """Starts a stack, prints its addresses, does what is typed, and holds it until cancelled. 1 when a server dies."""
    try:
        async with running(*pick(choice), brokers=brokers) as stack:
            print(f"{stack}\nkafka: {stack.kafka}\nmongo: {stack.mongo}\nCtrl-C ends it.", flush=True)
            await together(death(stack.children), obey(stack.servers))
    except CannotStartError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="local.stack", description=serve.__doc__)
    arguments.add_argument("--stack", default="", choices=["", "local", "embedded"], help="default: what is there")
    arguments.add_argument("--brokers", type=int, default=1, choices=[1, 3], help="of Apache Kafka (1)")
    told = arguments.parse_args()
    sys.exit(run_until_signal(serve(told.stack, told.brokers)))
