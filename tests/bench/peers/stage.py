"""Where peers are measured: one stack, one topic full of comments, one peer at a time in processes of its own.

An effect is a verdict in its topic, for every peer alike: events a second are the growth of that topic over the window,
and the time of an effect is when the broker took the verdict.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pymongo import AsyncMongoClient

from local.places import CACHE
from local.processes import Child, wait_for
from local.stack import Stack, running
from shared.admin import make_topics
from shared.brokers import Brokers
from shared.contracts import partition_of
from shared.contracts.topics import NOTE, NOTE_VERDICT
from tests.bench.peers.workload import Job, comments, posted

APPENDED = "log.message.timestamp.type=LogAppendTime\n"
"""A record tells when the broker took it: nobody has to look at that very moment."""
BENCH = CACHE / "bench" / "bin" / "python"
"""The Python of requirements-bench.txt."""
TICK = os.sysconf("SC_CLK_TCK")
SOON = 60.0
GRACE = 15.0
LOOK = 0.1
_numbers = count()


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to do the work: the module, its variant, and what stands in tables."""

    name: str
    module: str
    variant: str
    about: str


PEERS = {
    peer.name: peer
    for peer in (
        Peer("ours", "ours", "", "Lianyi: a service on the lane"),
        Peer("ours, stubbed", "ours", "stub", "the same with a database that answers from memory"),
        Peer("ours, bare", "ours", "bare", "the same transaction without control document, inbox page and outbox"),
        Peer("ours, fence last", "ours", "last", "the control document last in a commit, not first"),
        Peer("ours, pymongo", "ours", "pymongo", "with pymongo's asynchronous client instead of motor"),
        Peer("a", "single", "", "plain FastStream, single message, ack after"),
        Peer("a, 4 workers", "single", "4", "the same with max_workers=4"),
        Peer("b", "loop", "", "plain aiokafka loop, single message, commit after"),
        Peer("c", "quix", "", "Quix Streams with its state (RocksDB, changelog topics), at least once"),
        Peer("d", "boxes", "", "inbox and outbox per event, a transaction each, a polling relay"),
        Peer("e", "ceiling", "", "the ceiling: fetch, validate, judge, publish; no database"),
    )
}


def here(peer: Peer) -> bool:
    """Whether it can run: Quix Streams is not in the environment of the product."""
    return peer.module != "quix" or BENCH.exists()


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in a stretch of time: effects, seconds, and seconds of the processor by whose they were."""

    effects: int
    seconds: float
    own: float
    database: float
    broker: float

    @property
    def rate(self) -> float:
        """Effects a second."""
        return self.effects / self.seconds

    @property
    def micros(self) -> float:
        """The peer's own processor time for one event."""
        return self.own / max(1, self.effects) * 1e6


@dataclass(frozen=True, slots=True)
class Running:
    """A peer at work."""

    stage: "Stage"
    children: Sequence[Child]
    job: Job
    before: int
    """Verdicts that were there when it started."""

    async def effects(self) -> int:
        """How many it has told so far."""
        return await self.stage.end(NOTE_VERDICT.name) - self.before

    async def reach(self, effects: int, within: float = SOON) -> None:
        """Returns when it has told so many. Raises CannotStartError, with the end of its log, when it does not."""

        async def there() -> bool:
            return await self.effects() >= effects

        await wait_for(there, within, f"{self.children[0].name} has told {effects}", *self.children, every=LOOK)

    async def window(self, seconds: float, most: int) -> Window:
        """Measures for so long, or until it has told so many in all."""
        clock = asyncio.get_running_loop().time
        began, effects, used = clock(), await self.effects(), self.used()
        while clock() < began + seconds and await self.effects() < most:  # noqa: ASYNC110
            await asyncio.sleep(LOOK)
        more, took = await self.effects() - effects, clock() - began
        return Window(more, took, *(after - before for after, before in zip(self.used(), used, strict=True)))

    def used(self) -> tuple[float, float, float]:
        """Processor seconds so far: the peer's, the database's, the broker's."""
        stack = self.stage.stack
        return cpu(self.children), cpu(stack.database.children), cpu(stack.broker.children)


def cpu(children: Iterable[Child]) -> float:
    """Processor seconds of these processes so far."""
    total = 0
    for child in children:
        told = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(told[11]) + int(told[12])
    return total / TICK


@dataclass
class Stage:
    """A stack whose topic of comments is full; ``many`` of them, on so many partitions."""

    stack: Stack
    partitions: int
    keys: str
    many: int
    asker: Any
    runs: list[Running] = field(default_factory=list)

    async def end(self, topic: str) -> int:
        """Records ever written to a topic."""
        return sum((await self.ends(topic)).values())

    async def ends(self, topic: str) -> dict[TopicPartition, int]:
        """By partition."""
        places = [TopicPartition(topic, number) for number in range(self.partitions)]
        found: dict[TopicPartition, int] = await self.asker.end_offsets(places)
        return found

    async def fill(self, more: int, size: int = 0) -> None:
        """Writes comments, as fast as the broker takes them."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.stack.kafka, linger_ms=20, max_batch_size=1 << 18
        ) as producer:
            for comment in comments(more, self.keys, size, self.many):
                place = partition_of(comment.key, self.partitions)
                value, headers = comment.model_dump_json().encode(), posted(comment, datetime.now(UTC)).headers()
                await producer.send(NOTE.name, value, comment.key.encode(), place, headers=headers)
        self.many += more

    @asynccontextmanager
    async def at_work(self, peer: Peer, processes: int = 1, **more: Any) -> AsyncIterator[Running]:
        """The peer, from the first comment on, with a database, a group and a directory of its own; gone at exit.

        ``more`` are fields of its job.
        """
        group = f"bench.{next(_numbers)}.{peer.module}{peer.variant}"
        state = self.stack.directory / group
        state.mkdir()
        stack = self.stack
        job = Job(stack.kafka, stack.mongo, group, self.partitions, str(state), peer.variant, **more)
        python = str(BENCH) if peer.module == "quix" else sys.executable
        children = []
        for number in range(processes):
            own = replace(job, state=str(state / str(number)))
            argv = [python, "-m", f"tests.bench.peers.{peer.module}", own.told()]
            children.append(Child(f"{peer.name} {number}", argv, {}, stack.directory / f"{group}.{number}.log"))
        run = Running(self, children, job, await self.end(NOTE_VERDICT.name))
        try:
            for child in children:
                child.start()
            yield run
        finally:
            await asyncio.gather(*(child.stop(GRACE) for child in children))

    async def forget(self, run: Running) -> None:
        """Drops its database, so that the next one finds the server as it did."""
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.stack.mongo)
        async with client:
            await client.drop_database(run.job.database)


@asynccontextmanager
async def stage(keys: str = "uniform", partitions: int = 4, many: int = 0) -> AsyncIterator[Stage]:
    """A fresh stack with so many comments. Raises CannotStartError where there is no Apache Kafka."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # of topics whose leaders are not chosen yet
    async with running("local", more=APPENDED) as stack:
        await make_topics(Brokers(stack.kafka), partitions)
        async with AIOKafkaConsumer(bootstrap_servers=stack.kafka, enable_auto_commit=False) as asker:
            made = Stage(stack, partitions, keys, 0, asker)
            await made.fill(many)
            yield made


async def verdicts(stage: Stage) -> list[Any]:
    """All records of the topic of verdicts."""
    async with AIOKafkaConsumer(bootstrap_servers=stage.stack.kafka, auto_offset_reset="earliest") as reader:
        ends = await stage.ends(NOTE_VERDICT.name)
        reader.assign([place for place, end in ends.items() if end])
        found: list[Any] = []
        while len(found) < sum(ends.values()):
            for records in (await reader.getmany(timeout_ms=200)).values():
                found += records
        return found
