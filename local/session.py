"""A system with everything around it that a scenario or a feed needs: client, journal, witness."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from local.client import Client, Wire, fetched, minted
from local.fleet import AT_ANY_PACE, PARTITIONS, Launch, World, as_process, fleet, topics
from local.issuer import Issuer
from local.journal import Journal
from local.live import Live, find
from local.processes import Child, death
from local.stack import pick, running
from local.witness import Witness, reading

T = TypeVar("T")
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Session:
    """A system that is ready, ours or found. `children` and `directory` are of ours; empty when another process
    owns it."""

    live: Live
    client: Client
    witness: Witness
    children: tuple[Child, ...] = ()
    directory: Path | None = None

    async def watched(self, work: Coroutine[Any, Any, T]) -> T:
        """Does the work; raises CannotStartError, with the end of its log, when a process of ours dies meanwhile."""
        doing, watch = asyncio.create_task(work), asyncio.create_task(death(self.children))
        try:
            await asyncio.wait({doing, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                watch.result()
            return doing.result()
        finally:
            doing.cancel()
            watch.cancel()
            await asyncio.gather(doing, watch, return_exceptions=True)


class Steps:
    """Tells each step of a start with the seconds since its beginning."""

    def __init__(self, console: Console) -> None:
        self._console, self._start = console, time.monotonic()

    def __call__(self, what: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/]  {what}", highlight=False)


@asynccontextmanager
async def started(
    choice: str,
    need_steps: Sequence[int] | None,
    tell: Steps,
    launch: Launch = as_process,
    brokers: int = 1,
    *,
    more: Mapping[str, str] = NOTHING,
) -> AsyncIterator[Session]:
    """A stack and a fleet of our own, ready; at exit nothing of them is left.

    Raises CannotStartError when something does not come up.
    """
    kind, why = pick(choice)
    tell(f"stack: {kind} ({why})")
    async with running(kind, why, brokers=brokers) as stack, Issuer() as issuer:
        tell(f"broker and database answer ({', '.join(stack.servers)}: {stack.database.server})")
        await topics(stack)
        journal = Journal()
        witness, world = Witness(journal, PARTITIONS), World(stack, issuer, need_steps, launch=launch, more=more)
        base = issuer.jwks_url.removesuffix("/jwks.json")
        with logged(stack.directory / "clients.log"):
            async with (
                reading(stack.kafka, witness),
                fleet(world, tell) as ships,
                Wire(ships.urls, minted(issuer.token), journal) as wire,
            ):
                live = Live(kind, stack.kafka, ships.urls, base, PARTITIONS)
                yield Session(live, Client(wire), witness, (*ships.children, *stack.children), stack.directory)


@asynccontextmanager
async def joined(live: Live, tell: Steps) -> AsyncIterator[Session]:
    """A system of another process, which goes on when this one ends."""
    journal = Journal()
    witness = Witness(journal, live.partitions)
    with logged(None):
        async with (
            reading(live.kafka, witness, fresh=False),
            Wire(live.urls, fetched(f"{live.issuer}/token"), journal) as wire,
        ):
            tell(f"using the system that runs already (stack: {live.stack}), with its rules about how fast and how new")
            yield Session(live, Client(wire), witness)


def found_or_started(choice: str, tell: Steps) -> AbstractAsyncContextManager[Session]:
    """An async context of a Session: the system that runs here, unless a stack is asked for, else a new one."""
    live = None if choice else find()
    return started(choice, None, tell, more=AT_ANY_PACE) if live is None else joined(live, tell)


@contextmanager
def logged(file: Path | None) -> Iterator[None]:
    """What the libraries of this process log goes into the file or nowhere: they call ERROR what is "not yet"."""
    handler = logging.FileHandler(file, delay=True) if file else logging.NullHandler()
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    try:
        yield
    finally:
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)
