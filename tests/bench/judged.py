"""How many events moderation judges a second, and how soon: ``python -m tests.bench.judged DATA_DIR [--texts 20000]``.

DATA_DIR holds spam/ and ham/ with *.jsonl.gz and a field `text`. A stack of its own is started, and one
process of moderation with a text model that has learned some of these rows. First others, rows of all files in turn,
stand in the topic of notes as comments of 50,000 people under 10,000 notes before the process begins: what waits is in
Kafka, and the time from its first verdict to the last says how many it judges a second, through Kafka and the database,
with counters and all. What follows from these verdicts (counters that are told, contents that are judged again) may
still be under way then: it is waited for, and what the processes took of the processor is told for all of it, since
they share a machine with this one. Before that the same work is done in memory, without broker and database: no process
can be faster than that. Last, comments come at an eighth and at half of the rate, and each verdict is timed from the
sending of its comment; what the process takes of a core meanwhile says how much of a small batch is the batch's own
price. Fails below 2,000 a second, above 100 ms for the slowest in a hundred, and where a verdict is missing or
there twice. The rows are read and forgotten: nothing of them is printed.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from zlib import crc32

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.fleet import PARTITIONS, Service, World, topics
from local.issuer import Issuer
from local.processes import Child, wait_for
from local.stack import Stack, pick, running
from services.moderation.app import begin
from services.moderation.core import blank, learned, pack, read
from services.moderation.handlers import router
from services.moderation.settings import Settings
from services.moderation.view import BarView, ModelView, RulesView, ShadowView
from shared.contracts import Envelope, partition_of
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE_VERDICT
from shared.release import base_rules
from tests.bench.backtest import LONGEST
from tests.bench.gate import rows
from tests.bench.lane import BATCH, Lane
from tests.fakes.database import FakeDatabase, Server

LEAST_RATE, MOST_SECONDS = 2_000, 0.1
SHARES, LASTS, WARM, LEARNED, ALONE = (0.125, 0.5), 20.0, 2_000, 2_000, 4_000
"""Of the rate that was found, the bar is for the last of them; seconds for which comments come at it; texts judged
before anything is timed; those that the model has learned before that; and those of the work alone."""
PEOPLE, NOTES = 50_000, 10_000
"""Where thousands write a second, few of them are the same."""
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 120.0


class Verdicts:
    """Reads every first verdict and notes when it was seen; one more with the same sequence is a double."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.doubled = 0
        self._ids = Counter[tuple[str, str]]()

    async def read(self, stack: Stack) -> None:
        """Until it is cancelled."""
        consumer = AIOKafkaConsumer(NOTE_VERDICT.name, bootstrap_servers=stack.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async for record in consumer:
                headers = dict(record.headers)
                if headers["ce_type"].decode() == ContentJudged.TYPE:
                    content, sequence = headers["ce_subject"].decode(), headers["ce_sequence"].decode()
                    self._ids[content, sequence] += 1
                    self.doubled += self._ids[content, sequence] > 1
                    self.seen.setdefault(content, time.perf_counter())
        finally:
            await consumer.stop()

    async def until(self, many: int) -> None:
        """Waits for so many contents; raises TimeoutError when none more comes."""
        known, since = -1, time.perf_counter()
        while len(self.seen) < many:
            if len(self.seen) > known:
                known, since = len(self.seen), time.perf_counter()
            if time.perf_counter() - since > PATIENCE:
                raise TimeoutError(f"{many - known:,} of {many:,} verdicts are missing")
            await asyncio.sleep(0.05)


def comment(number: int, text: str) -> CommentPosted:
    """Of some person, under some note."""
    chance = crc32(b"%d" % number)
    note, person = f"n{chance % NOTES}", f"p{chance // NOTES % PEOPLE}"
    return CommentPosted(comment_id=f"c{number}", note_id=note, author_id=person, note_author_id="ann", text=text)


class Comments:
    """Writes comments to the topic, each once."""

    def __init__(self, producer: AIOKafkaProducer, written: Iterator[str]) -> None:
        self._producer, self._written = producer, written
        self.sent: dict[str, float] = {}

    async def send(self) -> None:
        """The next one, without waiting for its acknowledgement."""
        event, at = comment(len(self.sent), next(self._written)), datetime.now(UTC)
        id_, note = event.comment_id, event.note_id
        envelope = Envelope(f"e-{id_}", event.TYPE, event.source, at, id_, 1, "chain", "cause")
        self.sent[id_] = time.perf_counter()
        await self._producer.send(
            event.TOPIC.name,
            event.model_dump_json().encode(),
            note.encode(),
            partition_of(note, PARTITIONS),
            headers=envelope.headers(),
        )

    async def at(self, rate: float, seconds: float) -> None:
        """So many a second, evenly."""
        began, sent = time.perf_counter(), 0
        while sent < rate * seconds:
            while sent < min(rate * (time.perf_counter() - began), rate * seconds):
                await self.send()
                sent += 1
            await asyncio.sleep(0.002)


class Busy:
    """Seconds of the processor that processes have taken since this was made."""

    def __init__(self, children: Iterable[Child]) -> None:
        self._children = tuple(children)
        self._before = [self._taken(child) for child in self._children]

    def seconds(self) -> float:
        """Of all together."""
        return sum(map(self._taken, self._children)) - sum(self._before)

    def told(self, many: int) -> str:
        """Of each, in microseconds, for one of so many."""
        took = zip(self._children, self._before, strict=True)
        return ", ".join(f"{c.name} {(self._taken(c) - before) / many * 1e6:,.0f}" for c, before in took)

    @staticmethod
    def _taken(child: Child) -> float:
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


async def metrics(service: Service) -> list[tuple[str, float]]:
    """Name with labels, and value."""
    async with httpx.AsyncClient(timeout=30.0) as http:
        told = [line for line in (await http.get(service.metrics)).text.splitlines() if line[0] != "#"]
    return [(name, float(value)) for name, _, value in (line.rpartition(" ") for line in told)]


async def settled(service: Service) -> bool:
    """Whether no lane has anything to read or to send."""
    waits = ("lianyi_lane_lag_records{", "lianyi_lane_outbox_seconds{")
    found = [value for name, value in await metrics(service) if name.startswith(waits)]
    return bool(found) and not any(found)


async def inputs(service: Service, many: int) -> str:
    """What the lanes have folded for one text, by type."""
    found = Counter[str]()
    for name, value in await metrics(service):
        if name.startswith("lianyi_lane_inputs_total{"):
            found[name.partition('type="')[2].partition('"')[0].split(".")[-2:][0]] += round(value)
    return ", ".join(f"{type_} {count / many:.2f}" for type_, count in found.most_common())


def model(given: Iterator[tuple[str, str]], path: Path) -> None:
    """A text model that speaks, in a file as a service begins with it."""
    rules = base_rules()
    lessons = [(read(text, rules), kind == "spam") for kind, text in islice(given, LEARNED)]
    made, chances = learned(blank(), lessons)
    ham = [chance for chance, (_, spam) in zip(chances, lessons, strict=True) if chance is not None and not spam]
    path.write_bytes(pack(made, ham))


def alone(path: Path, texts: Sequence[str]) -> float:
    """How many comments a second the work alone would let one process judge, with all that follows of them: no record
    is fetched or sent, no document comes from or goes to a database, none waits for another. It is a bound."""
    database, origin = FakeDatabase(Server()), begin(str(path))
    views = (
        RulesView(database, 1.0, base_rules()),
        ShadowView(database, 1.0),
        ModelView(database, 1.0, origin),
        BarView(database, 1.0, origin),
    )
    settings = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
    made, events = Lane(router(settings, origin), views), list(map(comment, range(len(texts)), texts))
    for start in range(0, len(events), BATCH):
        made.hear(events[start : start + BATCH])
    return len(events) / made.spent


async def measure(stack: Stack, folder: Path, many: int) -> int:
    """Both parts, one after the other."""
    path = stack.directory / "model"
    given = (row for row in rows(folder) if row[0] in ("spam", "ham"))
    model(given, path)
    print(f"the work alone: {alone(path, [made for _, made in islice(given, ALONE)]):,.0f} a second of one core")
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, linger_ms=2, max_batch_size=1 << 18)
    await producer.start()
    written = (text[:LONGEST].encode("utf-8", "replace").decode() for _, text in given)
    verdicts, comments = Verdicts(), Comments(producer, written)
    for _ in range(WARM + many):
        await comments.send()
    await producer.flush()
    async with Issuer() as issuer:
        more = {"LIANYI_TEXT_MODEL": str(path)}
        service = Service("moderation", World(stack, issuer, more=more), stack.directory)
        await service.migrate()
        reading = asyncio.create_task(verdicts.read(stack))
        try:
            await service.start()
            await verdicts.until(WARM)
            began = time.perf_counter()
            busy, left = Busy((service.child, *stack.children)), WARM + many - len(verdicts.seen)
            await verdicts.until(WARM + many)
            rate = rate_of(sorted(verdicts.seen.values())[WARM:])
            print(f"{many:,} comments judged: {rate:,.0f} a second by one process ({stack})")
            await wait_for(lambda: settled(service), PATIENCE, "all that follows is done", every=0.2)
            print(f"with all that follows: {left / (time.perf_counter() - began):,.0f} a second; ", end="")
            print(f"of the processor, microseconds for one: {busy.told(left)}")
            print(f"inputs of its lanes for one: {await inputs(service, WARM + many)}", flush=True)
            for share in SHARES:
                p99 = await late(service, comments, verdicts, rate * share)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await service.child.stop(5.0)
            await producer.stop()
    print(f"doubled {verdicts.doubled}, missing 0")
    return 0 if rate >= LEAST_RATE and p99 <= MOST_SECONDS and not verdicts.doubled else 1


async def late(service: Service, comments: Comments, verdicts: Verdicts, rate: float) -> float:
    """Comments come at this rate for a while; how late the slowest verdict in a hundred is, in seconds."""
    before, busy, began = len(comments.sent), Busy([service.child]), time.perf_counter()
    await comments.at(rate, LASTS)
    await verdicts.until(len(comments.sent))
    taken = busy.seconds() / (time.perf_counter() - began)
    spent = sorted(verdicts.seen[id_] - sent for id_, sent in islice(comments.sent.items(), before, None))
    p50, p95, p99 = (spent[int(share * len(spent))] for share in (0.5, 0.95, 0.99))
    print(f"{len(spent):,} more at {rate:,.0f} a second: median {p50 * 1e3:.0f} ms, 95 % {p95 * 1e3:.0f} ms, ", end="")
    print(f"99 % {p99 * 1e3:.0f} ms; {taken:.0%} of a core", flush=True)
    return p99


def rate_of(times: list[float]) -> float:
    """Verdicts a second between the first and the last."""
    return (len(times) - 1) / (times[-1] - times[0])


async def main(folder: Path, many: int) -> int:
    """Exit status 1 where a bar is missed."""
    async with running(*pick("local")) as stack:
        await topics(stack)
        return await measure(stack, folder, many)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DATA_DIR")
    parser.add_argument("--texts", type=int, default=20_000)
    chosen = parser.parse_args()
    sys.exit(asyncio.run(main(chosen.folder, chosen.texts)))
