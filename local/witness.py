"""An independent reader of all topics: what arrived, when, and whether it is what the HTTP answers promised.

A plain consumer without a group, from the beginning of every partition; nothing of `shared.flow`.
"""

import asyncio
import time
import zlib
from array import array
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from local.journal import Journal
from local.ledger import Ledger, Seen, Verdict
from local.processes import CannotStartError, until
from shared.contracts import TOPICS, BadEnvelope, Envelope, event_type, partition_of

Watcher = Callable[[Seen, float | None], None]
"""Told of every new fact of ours, with the seconds since the request that caused it was sent."""

START = 60.0
QUIET = 1.0
"""Seconds without a record after which the topics are quiet."""


class Witness:
    """Reads every record once, in the order of its partition, and keeps the ledger.

    What it cannot read, or finds gone before it could read it, counts as lost. Events that no request of this
    run has caused are counted as others' and left out. Times are those of this process's clock alone.
    """

    def __init__(self, journal: Journal, partitions: int, clock: Callable[[], float] = time.time) -> None:
        self._journal, self._partitions, self._clock = journal, partitions, clock
        self.ledger = Ledger(clock)
        journal.listeners.append(self.ledger)
        self.watchers: list[Watcher] = []
        self.seconds: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        """Seconds from cause to effect, by kind of event."""
        self.records = 0
        self.others = 0
        self.unreadable: list[tuple[str, ...]] = []
        self.first = 0.0
        """When the first record of ours arrived, epoch seconds."""
        self.last = clock()
        self.broken: BaseException | None = None
        self.behind: Callable[[], Awaitable[int]] | None = None
        """How many records there are that were not read yet; None while nobody reads."""
        self._next: dict[tuple[str, int], int] = {}
        self._news = asyncio.Event()

    # -- records -------------------------------------------------------------------------------------------

    def take(self, record: Any) -> None:
        """One record as the consumer hands it over."""
        self.records += 1
        self.last = self._clock()
        self._check_offset(record)
        try:
            envelope = Envelope.of(record.headers)
            event = event_type(envelope.type).model_validate_json(record.value)
        except (BadEnvelope, KeyError, ValidationError) as error:
            self._unreadable(record, type(error).__name__)
            return
        if event.TOPIC.name != record.topic or not self._in_its_place(record, event.key):
            self._unreadable(record, f"{envelope.type} does not belong here")
            return
        dead = event.TOPIC.key == "letter"
        sent = self._journal.sent(envelope.correlation)
        if sent is None and not dead:
            self.others += 1
            return
        self.first = self.first or self.last
        self._tell(Seen(event, envelope, self.last, zlib.crc32(record.value)), sent)
        self._news.set()

    def _tell(self, seen: Seen, sent: float | None) -> None:
        seconds = self._seconds(seen, sent)
        if not self.ledger.see(seen):
            return
        if seconds is not None:
            self.seconds[seen.kind].append(seconds)
        for watcher in self.watchers:
            watcher(seen, seconds)

    def _seconds(self, seen: Seen, sent: float | None) -> float | None:
        """From cause to effect: of an escalation from its due time, else from when the request was sent."""
        if seen.kind.endswith("NeedEscalated"):
            need = self.ledger.needs.get(str(getattr(seen.event, "need_id", "")))
            sent = need.due if need else None
        return None if sent is None else max(0.0, seen.at - sent)

    def _in_its_place(self, record: Any, key: str) -> bool:
        return bool(record.key == key.encode() and record.partition == partition_of(key, self._partitions))

    def _check_offset(self, record: Any) -> None:
        place = (record.topic, record.partition)
        expected = self._next.get(place, 0)
        if record.offset > expected:
            gone = record.offset - expected
            self.unreadable += [(record.topic, f"{record.partition}:{expected + i}", "gone") for i in range(gone)]
        self._next[place] = max(expected, record.offset + 1)

    def _unreadable(self, record: Any, why: str) -> None:
        self.unreadable.append((record.topic, f"{record.partition}:{record.offset}", why))

    def start_at(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Records before these offsets are not of our time: that they are gone, or others', is no loss."""
        self._next.update(offsets)

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        """The next offset of every partition that had a record, or a start."""
        return dict(self._next)

    # -- waiting -------------------------------------------------------------------------------------------

    async def until(self, true: Callable[[], bool], within: float) -> bool:
        """Waits for the condition, asked again at every fact; False when the time is over.

        Raises whatever has broken the reader.
        """
        end = asyncio.get_running_loop().time() + within
        while not true():
            if self.broken is not None:
                raise self.broken
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, 0.25)):
                    await self._news.wait()
        return True

    async def fact(self, *fact: str, within: float = 30.0) -> bool:
        """Waits until a fact has come; False when it does not in time."""
        return await self.until(lambda: self.ledger.book.seen(*fact), within)

    async def settle(self, within: float) -> Verdict:
        """Waits until nothing is missing, all is read and the topics are quiet; at the latest until no record
        has come for `within` seconds. Then the verdict. Raises whatever has broken the reader."""
        while True:
            if self.broken is not None:
                raise self.broken
            silent = self._clock() - self.last
            read = self.behind is None or await self.behind() == 0
            verdict = self.verdict()
            if silent > within or (silent > QUIET and read and not verdict.lost):
                return verdict
            await asyncio.sleep(0.2)

    def verdict(self) -> Verdict:
        """How it stands now."""
        return self.ledger.verdict() + Verdict(lost=tuple(self.unreadable))


@asynccontextmanager
async def reading(servers: str, witness: Witness, *, fresh: bool = True) -> AsyncIterator[None]:
    """The witness reads while the block runs: all that there is, or on a stack that is not fresh, what comes.

    Raises CannotStartError when the topics are not there in time.
    """
    # Without a group every partition is assigned to it, and nothing is ever committed.
    consumer = AIOKafkaConsumer(
        *TOPICS,
        bootstrap_servers=servers,
        group_id=None,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=20,
        metadata_max_age_ms=2_000,
    )
    await consumer.start()
    task = None
    try:
        await assigned(consumer)
        if not fresh:
            witness.start_at(_plain(await consumer.end_offsets(consumer.assignment())))
            await consumer.seek_to_end()
        witness.behind = partial(_behind, consumer, witness)
        task = asyncio.create_task(_read(consumer, witness), name="witness")
        yield
    finally:
        witness.behind = None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


async def assigned(consumer: AIOKafkaConsumer) -> None:
    """Returns when every topic of the table is assigned. Raises CannotStartError when one is not in time."""

    def missing() -> set[str]:
        return set(TOPICS) - {place.topic for place in consumer.assignment()}

    try:
        async with asyncio.timeout(START):
            await until(lambda: not missing())
    except TimeoutError:
        raise CannotStartError(f"topics that cannot be read: {', '.join(sorted(missing()))}") from None


async def _read(consumer: AIOKafkaConsumer, witness: Witness) -> None:
    try:
        while True:
            for records in (await consumer.getmany(timeout_ms=100, max_records=500)).values():
                for record in records:
                    witness.take(record)
    except KafkaError as error:
        witness.broken = CannotStartError(f"the witness cannot read any more: {type(error).__name__}")
    except Exception as error:
        witness.broken = error


async def _behind(consumer: AIOKafkaConsumer, witness: Witness) -> int:
    ends = _plain(await consumer.end_offsets(consumer.assignment()))
    return sum(max(0, end - witness.offsets.get(place, 0)) for place, end in ends.items())


def _plain(offsets: Mapping[TopicPartition, int]) -> dict[tuple[str, int], int]:
    return {(place.topic, place.partition): offset for place, offset in offsets.items()}
