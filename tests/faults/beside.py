"""How soon effects flow again after a fault: those of a service of ours, and of a plain consumer group beside it.

One feed, one stack, one fault for both. Ours has its effect when the verdict stands in its topic, so committed and
published; the plain one when the comment is stored.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.fleet import PARTITIONS, Service, World, topics
from local.issuer import Issuer
from local.processes import Child, together, until, wait_for
from local.stack import Stack
from shared.contracts import Envelope, partition_of
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE, NOTE_VERDICT
from tests.faults.plain import JOINED

APPENDED = "log.message.timestamp.type=LogAppendTime\n"
"""A setting of the broker: a record tells when the broker took it, so nobody has to look at that very moment."""
EVERY = 0.04
"""Seconds between two comments."""
BACK = 120.0
"""Seconds in which everything must flow again."""
NOTES = tuple(
    next(note for note in (f"note-{n}" for n in count()) if partition_of(note, PARTITIONS) == partition)
    for partition in range(PARTITIONS)
)
"""One note in each partition."""

Effects = dict[int, float]
"""When the first effect of a comment was there, epoch seconds, by the comment's number."""


class Feed:
    """Comments straight into the topic, numbered from 0, each partition in turn. `more` stands in each in a field that
    only a later release knows."""

    def __init__(self, more: str = "") -> None:
        self._more = f',"more":"{more}"}}'.encode()
        self.sent = 0

    async def run(self, servers: str) -> None:
        """For ever, at a steady pace."""
        clock = asyncio.get_running_loop().time
        # It must not be the last to notice that a broker is back, and must have room for what waits for one.
        room = {"max_batch_size": 1 << 20, "request_timeout_ms": int(BACK * 1000)}
        async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", retry_backoff_ms=10, **room) as producer:
            began = clock()
            while True:
                await self.tell(producer)
                await asyncio.sleep(max(0.0, began + self.sent * EVERY - clock()))

    async def tell(self, producer: AIOKafkaProducer) -> None:
        """The next comment is on its way to the broker."""
        event = self._comment()
        id_, now = event.comment_id, datetime.now(UTC)
        sent = Envelope(id_, event.TYPE, event.source, now, event.key, 0, f"of-{id_}", "feed")
        await producer.send(
            NOTE.name,
            event.model_dump_json().encode()[:-1] + self._more,
            key=event.key.encode(),
            partition=self.sent % PARTITIONS,
            headers=sent.headers(),
        )
        self.sent += 1

    async def moves(self, seconds: float) -> None:
        """Returns when as many comments have been sent as in so many seconds are."""
        moment = self.sent + seconds / EVERY
        await until(lambda: self.sent >= moment)

    def _comment(self) -> CommentPosted:
        return CommentPosted(
            comment_id=str(self.sent),
            note_id=NOTES[self.sent % PARTITIONS],
            author_id=f"person-{self.sent % 499}",
            note_author_id="owner",
            text=f"Thanks, that was number {self.sent}.",
        )


class Ours:
    """Processes of moderation, and their effects."""

    def __init__(self, world: World, directory: Path) -> None:
        self._world, self._directory = world, directory
        self._services: list[Service] = []
        self.effects: Effects = {}

    @property
    def children(self) -> list[Child]:
        """The processes, in the order of their first start."""
        return [service.child for service in self._services]

    async def start(self) -> Child:
        """One more, ready."""
        self._services.append(Service("moderation", self._world, self._directory / f"ours-{len(self._services)}"))
        await self._services[-1].start()
        return self.children[-1]

    async def start_again(self) -> None:
        """The first, until it is ready."""
        await self._services[0].start()

    async def read(self, servers: str) -> None:
        """For ever; by whatever the broker says of the time, so this need not be fast."""
        async with AIOKafkaConsumer(NOTE_VERDICT.name, bootstrap_servers=servers, auto_offset_reset="earliest") as read:
            async for record in read:
                if dict(record.headers)["ce_type"] == ContentJudged.TYPE.encode():
                    number = int(json.loads(record.value)["content_id"])
                    self.effects.setdefault(number, record.timestamp / 1000)


class Plain:
    """Processes of the plain group, and their effects, from what they tell."""

    def __init__(self, env: Mapping[str, str], directory: Path) -> None:
        self._argv = [sys.executable, "-m", "tests.faults.plain", env["LIANYI_KAFKA"], env["LIANYI_MONGO"]]
        self._directory = directory
        self.children: list[Child] = []

    async def start(self) -> Child:
        """One more, a member of the group."""
        child = Child("the plain group", self._argv, {}, self._directory / f"plain-{len(self.children)}.log")
        self.children.append(child)
        await self._started(child)
        return child

    async def start_again(self) -> None:
        """The first, until it is a member."""
        await self._started(self.children[0])

    async def _started(self, child: Child) -> None:
        before = child.log.exists() and _told(child).count(JOINED)
        child.start()

        async def joined() -> bool:
            return _told(child).count(JOINED) > before

        await wait_for(joined, BACK, "it is a member", child)

    @property
    def effects(self) -> Effects:
        """As far as they have come."""
        found: Effects = {}
        for child in self.children:
            for line in _told(child):
                if line.startswith("{"):
                    told = json.loads(line)
                    for id_ in told["ids"]:
                        found[int(id_)] = min(told["at"], found.get(int(id_), told["at"]))
        return found


def _told(child: Child) -> list[str]:
    return child.log.read_text().splitlines()


@dataclass(frozen=True, slots=True)
class WayBack:
    """Seconds from the end of a fault until effects came again of every partition, of what was sent since its
    beginning."""

    ours: float
    plain: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Ours and the plain group, at work on the same feed."""

    feed: Feed
    ours: Ours
    plain: Plain

    @property
    def children(self) -> tuple[Child, Child]:
        """The two processes that stay."""
        return self.ours.children[0], self.plain.children[0]

    async def more(self) -> tuple[Child, Child]:
        """A second process of each, at work."""
        more = await asyncio.gather(self.ours.start(), self.plain.start())
        await self.level()
        return more

    async def start_again(self) -> tuple[float, float]:
        """Both processes that stay, until they are at work; how many seconds each took for that."""
        began = time.monotonic()

        async def took(start: Awaitable[None]) -> float:
            await start
            return time.monotonic() - began

        return await asyncio.gather(took(self.ours.start_again()), took(self.plain.start_again()))

    async def level(self) -> None:
        """Returns when both have done all that has been sent until now."""
        wanted = set(range(self.feed.sent))
        async with asyncio.timeout(BACK):
            await until(lambda: wanted <= self.ours.effects.keys() & self.plain.effects.keys(), every=0.2)

    @asynccontextmanager
    async def faulty(self, backs: list[WayBack]) -> AsyncIterator[None]:
        """The block is the fault; at its end all that is broken is whole again, or will not be, and the way back
        begins."""
        await self.level()
        first = self.feed.sent
        yield
        ended = time.time()
        await self.feed.moves(1.0)
        await self.level()
        backs.append(WayBack(*(_back(read.effects, first, ended) for read in (self.ours, self.plain))))


def _back(effects: Effects, first: int, ended: float) -> float:
    """The slowest partition's first effect after the end."""
    firsts: Effects = {}
    for number, at in effects.items():
        if number >= first and at >= ended:
            firsts[number % PARTITIONS] = min(at, firsts.get(number % PARTITIONS, at))
    return max(firsts[partition] for partition in range(PARTITIONS)) - ended


@asynccontextmanager
async def pair(stack: Stack, directory: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[Pair]:
    """Moderation and the plain group, level with the feed; `env` are settings of both, as `Network` has them."""
    async with Issuer() as issuer:
        world = World(stack, issuer, more=env or {})
        made = Pair(Feed(), Ours(world, directory), Plain(world.environment(), directory))
        await together(topics(stack), Service("moderation", world, directory).migrate())
        try:
            await asyncio.gather(made.ours.start(), made.plain.start())
            servers = stack.kafka
            running = [asyncio.create_task(task) for task in (made.ours.read(servers), made.feed.run(servers))]
            try:
                await made.feed.moves(1.0)
                await made.level()
                yield made
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
        finally:
            await together(*(child.kill() for child in [*made.ours.children, *made.plain.children]))
