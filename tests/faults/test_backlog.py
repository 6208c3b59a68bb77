"""A reader that has been away for minutes, and is slow when it comes back."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.fleet import Service, World, topics
from local.issuer import Issuer
from local.memory import peak
from local.processes import together, until
from local.stack import Stack, running
from shared.contracts.moderation import ContentJudged
from shared.contracts.topics import MODERATION_DEAD, NOTE_VERDICT
from tests.faults.beside import Feed
from tests.faults.deaths import passed
from tests.faults.round import ON_REAL_PARTS, Report, Told

pytestmark = ON_REAL_PARTS
AWAY = 600.0
"""Seconds in which the backlog comes to be; in `make test` it comes at once."""
LONG, FEW_LONG = 12_000, 3_000
"""Comments that wait: 240 MB, or 60 MB."""
MORE = "a field of a later release. " * 715
"""What makes each 20 KB long: to be read, and not to be judged, which would take all the time."""
WARM = 200
"""Comments that the reader has judged before, so that it is as large as it gets by its work."""
SLOW = {"LIANYI_BATCH_INPUTS": "5"}
MOST = 25.0
"""MB, at most, by which a backlog raises what the process has held at its peak: less than half of the backlog."""
CAUGHT_UP = 900.0


class Verdicts:
    """What moderation has told: the ids under which each comment was judged, and its dead letters."""

    def __init__(self) -> None:
        self.judged: defaultdict[str, set[bytes]] = defaultdict(set)
        self.dead = 0
        self._ends = asyncio.Event()

    async def read(self, servers: str) -> None:
        """Until `all` is asked for, and then to the ends."""
        names = (NOTE_VERDICT.name, MODERATION_DEAD.name)
        async with AIOKafkaConsumer(*names, bootstrap_servers=servers, auto_offset_reset="earliest") as read:
            while not self._ends.is_set():
                await self._take(read)
            ends = await read.end_offsets(read.assignment())
            while any([await read.position(place) < end for place, end in ends.items()]):
                await self._take(read)

    async def _take(self, read: Any) -> None:
        for records in (await read.getmany(timeout_ms=100)).values():
            for record in records:
                headers = dict(record.headers)
                if record.topic == MODERATION_DEAD.name:
                    self.dead += 1
                elif headers["ce_type"] == ContentJudged.TYPE.encode():
                    id_ = ContentJudged.model_validate_json(record.value).content_id
                    self.judged[id_].add(headers["ce_id"])

    async def number(self, wanted: int, reading: asyncio.Task[None]) -> None:
        """Returns when so many comments are judged. Raises what has ended the reading; TimeoutError when that takes too
        long."""
        async with asyncio.timeout(CAUGHT_UP):
            await until(lambda: len(self.judged) >= wanted or reading.done(), every=0.1)
        if reading.done():
            reading.result()

    async def all(self, reading: asyncio.Task[None]) -> None:
        """Returns when all is read that stands in the topics now. Raises what has ended the reading."""
        self._ends.set()
        async with asyncio.timeout(CAUGHT_UP):
            await reading

    def report(self, sent: int, back: float, seconds: float) -> Report:
        """What became of so many comments, numbered from 0."""
        return Report(
            test="a_backlog_of_a_slow_reader",
            inputs=sent,
            faults=1,
            lost=len({str(n) for n in range(sent)} - self.judged.keys()),
            doubled=sum(len(ids) > 1 for ids in self.judged.values()),
            differing=0,
            dead=self.dead,
            back=back,
            back_most=back,
            seconds=seconds,
        )


@asynccontextmanager
async def moderating(stack: Stack, directory: Path) -> AsyncIterator[Service]:
    """Moderation alone, set up and not started."""
    async with Issuer() as issuer:
        service = Service("moderation", World(stack, issuer), directory)
        await together(topics(stack), service.migrate())
        try:
            yield service
        finally:
            await service.child.kill()


async def test_a_backlog_of_a_slow_reader(
    tmp_path: Path, request: pytest.FixtureRequest, record_property: Told
) -> None:
    """What was said while it was away is judged when it is back, once, however slow it reads; its memory stays flat."""
    clock, scale = asyncio.get_running_loop().time, request.config.getoption("--faults")
    feed, verdicts, number = Feed(MORE), Verdicts(), round(LONG * scale) or FEW_LONG
    began = clock()
    async with running("local") as stack, moderating(stack, tmp_path) as reader:
        telling = asyncio.create_task(verdicts.read(stack.kafka))
        async with AIOKafkaProducer(bootstrap_servers=stack.kafka, acks="all") as producer:
            await reader.start()
            for _ in range(WARM):
                await feed.tell(producer)
            await verdicts.number(WARM, telling)
            before = peak(reader.child.pid)
            await reader.child.stop()
            for _ in range(number):
                await feed.tell(producer)
                await passed(AWAY / LONG if scale else 0.0)
            await producer.flush()
        reader.child.env |= SLOW
        back = clock()
        await reader.start()
        await verdicts.number(feed.sent, telling)
        took, held = clock() - back, peak(reader.child.pid)
        await reader.child.stop()  # it sends what it still has to send
        await verdicts.all(telling)
    waited = number * len(MORE) / 1e6
    report = verdicts.report(feed.sent, took, clock() - began)
    told = f"{report}; {waited:.0f} MB waited, the reader held {held:.0f} MB at most, {before:.0f} MB without them"
    record_property("figures", told)
    record_property("report", asdict(report))
    print(f"  {told}", flush=True)
    assert (report.lost, report.doubled, report.dead) == (0, 0, 0)
    assert before > 0, "nothing is known of the reader's memory"
    assert held - before < MOST < waited / 2
