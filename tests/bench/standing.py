"""A town in a database, processes of recommend before it: how soon the first answers, and how fast two of them are.

    python -m tests.bench.standing DATA [--groups 10000] [--seconds 30] [--rate 500] [--start]

A stack of its own is started (`local/stack.py`) and the town put into the collections as the lanes would have left it.
Requests come by a Poisson process at 500 a second for half a minute, whatever has been answered; each is timed from the
moment when it was due. Seven of ten are lists, the others searches by three words, groups near a place and the newest
of 5,000 notes near one. Tokens are checked, the database is asked for the person and for seats: it is the way that
people's clients take. Broker, database and whoever asks share the cores with the two processes. `--start` measures the
start of one process alone. Fails when the slowest in a hundred take more than 50 ms, or of notes the slowest in twenty.
"""

import argparse
import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter
from urllib.parse import quote, urlsplit

from pymongo import MongoClient

from local.fleet import Service, World, topics
from local.issuer import Issuer
from local.memory import resident
from local.stack import Stack, pick, running
from services.recommend.core import Circle, GroupProfile, NoteTerms, Person, Pulse
from shared.flow.documents import Document, to_mongo
from tests.bench import people
from tests.bench.town import Town

RATE, SECONDS, WARM, CONNECTIONS, PEOPLE, NOTES = 500, 30.0, 5.0, 48, 4_000, 5_000
EACH = 100
"""Members of a group, on average."""
MOST_MS, BARRED = 50.0, ("/s: p99, ms", "notes: p95, ms")
PATIENCE = 300.0
AT_ONCE = 1_000
MARKS = {"_lane": "group:0", "_batch": 0}

Request = tuple[str, bytes]
"""What kind it is, and what is sent."""


def fill(url: str, town: Town) -> None:
    """The documents of a town, with the marks of a lane that views follow by."""
    database = MongoClient[dict[str, object]](url)["lianyi_recommend"]

    def put(kind: type[Document], documents: Iterator[Document]) -> None:
        while page := [
            to_mongo(document) | {"_lane": "group:0", "_batch": 1} for document in islice(documents, AT_ONCE)
        ]:
            database[kind.COLLECTION].insert_many(page, ordered=False)

    put(Circle, town.circles())
    put(GroupProfile, town.profiles())
    put(Pulse, town.pulses(datetime.now(UTC)))
    put(Person, iter(town.some(PEOPLE)))
    put(NoteTerms, town.notes(NOTES, datetime.now(UTC)))


def requests(town: Town, issuer: Issuer) -> list[Request]:
    """What people of the town ask for."""
    made = []
    some, words, cells = town.some(PEOPLE), town.words(PEOPLE, 3), town.cells(PEOPLE)
    for n, person in enumerate(some):
        own = f"people/{person.id}"
        near, others = f"?cell={cells[n]}", {7: "search", 8: "place", 9: "notes"}
        kind = others.get(n % 10, "list")
        asked = {"list": own, "search": f"{own}?q={quote(words[n])}", "place": own + near, "notes": f"notes{near}"}
        token = issuer.token(person.id, ttl=86_400)
        head = f"GET /v1/suggestions/{asked[kind]} HTTP/1.1\r\nHost: x\r\n"
        made.append((kind, f"{head}Authorization: Bearer {token}\r\n\r\n".encode()))
    random.Random(7).shuffle(made)
    return made


class Connection:
    """One that is kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def ask(self, request: bytes) -> int:
        """The status of the answer, whose body is read to its end."""
        self.writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await self._reader.readexactly(length)
        return int(head.split(b" ", 2)[1])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection to a process."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


class Load:
    """Requests as they fall due, so many a second, answered by whatever connection is free; ms by kind."""

    def __init__(self, asked: list[Request], rate: float) -> None:
        self._asked, self._rate = asked, rate
        self._due: asyncio.Queue[tuple[float, Request]] = asyncio.Queue()
        self.spent: dict[str, list[float]] = {"list": [], "search": [], "place": [], "notes": []}
        self.failed = 0

    async def come(self, seconds: float) -> None:
        """All that falls due within so many seconds from now."""
        chance, began, at, n = random.Random(8), perf_counter(), 0.0, 0
        while (at := at + chance.expovariate(self._rate)) < seconds:
            if (rest := began + at - perf_counter()) > 0:
                await asyncio.sleep(rest)
            self._due.put_nowait((began + at, self._asked[n % len(self._asked)]))
            n += 1
        async with asyncio.timeout(PATIENCE):
            await self._due.join()

    async def answer(self, url: str) -> None:
        """Until it is cancelled."""
        async with connected(url) as connection:
            while True:
                due, (kind, request) = await self._due.get()
                status = await connection.ask(request)
                self.failed += status != 200
                self.spent[kind].append((perf_counter() - due) * 1e3)
                self._due.task_done()


async def load(services: list[Service], asked: list[Request], rate: float, last: float) -> dict[str, float]:
    """The figures of so many seconds, after some that are not counted."""
    urls = [services[n % len(services)].url for n in range(CONNECTIONS)]
    found: dict[str, float] = {}
    for seconds in (min(WARM, last), last):
        made = Load(asked, rate)
        workers = [asyncio.create_task(made.answer(url)) for url in urls]
        before, began = [busy(service) for service in services], perf_counter()
        await made.come(seconds)
        took, used = perf_counter() - began, sum(map(busy, services)) - sum(before)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if made.failed:
            raise RuntimeError(f"{made.failed} requests were not answered with 200")
        every = sorted(ms for some in made.spent.values() for ms in some)
        found = {
            f"over HTTP at {rate:.0f}/s: {name}, ms": part(every, p)
            for name, p in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        }
        found |= {f"over HTTP, {kind}: p99, ms": part(sorted(some), 0.99) for kind, some in made.spent.items()}
        found["over HTTP, notes: p95, ms"] = part(sorted(made.spent["notes"]), 0.95)
        found["over HTTP: answered a second"] = len(every) / took
        found["over HTTP: CPU of recommend for a request, ms"] = used / len(every) * 1e3
    return found


def part(ordered: list[float], share: float) -> float:
    return ordered[int(len(ordered) * share)]


def busy(service: Service) -> float:
    """Seconds of the processor that a process has used."""
    told = Path(f"/proc/{service.child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


async def started(service: Service, request: bytes) -> float:
    """Seconds from the start of a process to its first list."""
    began = perf_counter()
    await service.start(PATIENCE)
    async with asyncio.timeout(PATIENCE), connected(service.url) as connection:
        status = await connection.ask(request)
    if status != 200:
        raise RuntimeError(f"the first list is answered with {status}")
    return perf_counter() - began


async def measure(town: Town, reads: bool, rate: float = RATE, last: float = SECONDS) -> dict[str, float]:
    """How soon a process answers over this town, how much memory it takes; and, if wanted, how two of them read."""
    async with running(*pick("local")) as stack, Issuer() as issuer:
        await topics(stack)
        services = [service(stack, issuer, n) for n in range(2 if reads else 1)]
        await services[0].migrate()
        fill(stack.mongo, town)
        asked = requests(town, issuer)
        try:
            seconds = [await started(service, asked[0][1]) for service in services]
            found = {"a process starts until its first list, s": seconds[0]}
            found["memory of a process, MB"] = resident(services[0].child.pid)
            return found | (await load(services, asked, rate, last) if reads else {})
        finally:
            for one in services:
                await one.child.stop(5.0)


def service(stack: Stack, issuer: Issuer, number: int) -> Service:
    """One process, with a log of its own."""
    home = stack.directory / f"process-{number}"
    home.mkdir()
    return Service("recommend", World(stack, issuer), home)


def main() -> int:
    """Measure and print; exit status 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="holds memberships/*.jsonl.gz")
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--start", action="store_true", help="no requests")
    told = parser.parse_args()
    like = max(told.data.glob("memberships/*.jsonl.gz"), key=lambda path: path.stat().st_size)
    found = asyncio.run(measure(Town(people.read(like, 1), told.groups, EACH), not told.start, told.rate, told.seconds))
    for what, value in found.items():
        print(f"{what}: {value:,.2f}", flush=True)
    return int(any(value > MOST_MS for what, value in found.items() if what.endswith(BARRED)))


if __name__ == "__main__":
    sys.exit(main())
