"""Key lanes: partition i of every topic of one key that the service reads, and the timers of that partition."""

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from shared.contracts import TOPICS
from shared.telemetry import LaneReport

from . import control
from .alarms import Deaths
from .backlog import Backlog
from .control import Control
from .due import Due, DueTimers
from .echo import Echo
from .fold import Folded
from .inputs import Input, of_record, of_timer
from .lane import Lane, Runtime
from .mute import Mute
from .ports import Fenced, Incoming, Source
from .waiting import Waiting

IDLE_AFTER = 1.0
"""Seconds without input after which a lane tidies up."""


class KeyLane(Lane):
    """Records of one partition number, in the order they came, whichever topic they came by.

    The position in MongoDB rules: records below it are dropped, a gap makes the lane seek back, and a gap that
    stays after the seek (the broker no longer has the records) holds the lane and says so.
    """

    def __init__(self, key: str, partition: int, topics: Sequence[str], source: Source, runtime: Runtime) -> None:
        super().__init__(f"{key}:{partition}", runtime)
        self.partition = partition
        self.topics = tuple(topics)
        self._source, self.backlog = source, Backlog()
        self._queue, self._due = Waiting(runtime.limits.inputs), Due()
        self._wake = asyncio.Event()
        self._open, self._paused = False, True
        self._gap = ""
        self._accept: dict[str, int] = {}
        self._sought: set[str] = set()
        self._mute = Mute({}, topics)
        self._tolerant: set[str] = set()
        self.done: dict[str, int] = {}
        self._stored: dict[str, int] = {}
        self._timers_out = self._overtaken = False
        self._hand: Sequence[Input] = ()
        self._deaths, self._echo = Deaths(runtime.poison), Echo(runtime.router, partition)

    # -- what the subscriber calls; nothing here waits -----------------------------------------------------

    def offer(self, records: Iterable[Incoming]) -> None:
        """Take over one delivery of the consumer, or drop what is not wanted of it."""
        gaps: set[str] = set()
        for record in records:
            if self._open and record.topic not in gaps and self._wanted(record, gaps):
                self._accept[record.topic] = record.offset + 1
                self._queue.put(record)
        if self._queue.over and self._open and not self._paused:
            self._paused = True
            self._source.pause(self.topics, self.partition)
        if self._queue:
            self._wake.set()

    def look(self, epoch: int) -> None:
        """Hear which epoch the control document has now: a later one than ours was made by somebody else."""
        self._overtaken = self.own is not None and epoch > self.own.epoch
        if self._overtaken:
            self._wake.set()

    def remind(self, due: DueTimers) -> None:
        """Take over timers whose time has come; they fire when the lane has passed their ends."""
        if self._open and not self._mute.on:
            self._due.append(due)
            self._wake.set()

    @property
    def takes_timers(self) -> bool:
        """Whether due timers may be handed over: none are waiting or being folded."""
        return self._open and not self._due and not self._timers_out and not self._mute.on

    def _wanted(self, record: Incoming, gaps: set[str]) -> bool:
        topic, want = record.topic, self._accept[record.topic]
        if record.offset < want:
            return False
        if record.offset == want or topic in self._tolerant or TOPICS[topic].cleanup == "compact":
            if self._mute.holds(topic, record.offset):
                self._source.pause([topic], self.partition)
                self._wake.set()
                return False
            self._sought.discard(topic)
            self._tolerant.discard(topic)
            return True
        # A delivery that was on its way during a seek looks like a gap, once.
        gaps.add(topic)
        if topic in self._sought:
            self._found_gap(topic, want, record.offset)
        else:
            self._sought.add(topic)
            self._source.seek(topic, self.partition, want)
        return False

    def _found_gap(self, topic: str, want: int, found: int) -> None:
        self._gap = f"{control.GAP}{topic} has nothing from {want} to {found - 1}"
        self._open = False
        self._wake.set()

    def unreadable(self, topic: str) -> None:
        """The client cannot decode what comes next on a topic: the lane is held, the others go on."""
        self._gap = f"unreadable: {topic} from {self._accept.get(topic, 0)}"
        self._open = False
        self._wake.set()

    # -- the lane ------------------------------------------------------------------------------------------

    async def taken_over(self, before: Control) -> None:
        """Continue at the stored position; a topic new to the lane is read from its beginning."""
        self._open = False
        self._source.pause(self.topics, self.partition)
        self._queue.clear()
        self._due.clear()
        self._timers_out, self._gap = False, ""
        self._mute = Mute(before.mute, self.topics)
        for view in self.runtime.views if self._mute.on else ():
            view.forget()
        self._deaths, self._echo = Deaths(self.runtime.poison), Echo(self.runtime.router, self.partition)
        start: dict[str, int] = {}
        # All at once: on the consumer's connection every question waits behind a fetch.
        firsts = await asyncio.gather(*(self._source.beginning(topic, self.partition) for topic in self.topics))
        for topic, first in zip(self.topics, firsts, strict=True):
            start[topic] = before.next.get(topic, first)
            if before.skip:
                start[topic] = max(start[topic], first)
            if start[topic] < first and not before.held:
                self._found_gap(topic, start[topic], first)
        self._accept, self.done, self._stored = dict(start), dict(start), dict(before.next)
        self._sought.clear()
        # After a release an operator has accepted that the broker no longer has what we want.
        self._tolerant = set(self.topics) if before.skip else set()
        for topic, offset in start.items():
            self._source.seek(topic, self.partition, offset)
        if not before.held and not self._gap:
            self._open = True
            self._resume()

    def _resume(self) -> None:
        self._paused = False
        self._source.resume([topic for topic in self.topics if topic not in self._mute.waiting()], self.partition)

    async def _speak(self) -> None:
        """All topics are where the rebuild began: from here on the lane is as any other."""
        assert self.own is not None
        if not await control.speak(self.runtime.database, self.own):
            raise Fenced(self.name)
        self._mute = Mute({}, self.topics)
        for topic in self.topics:
            self._source.seek(topic, self.partition, self._accept[topic])
        self._resume()

    async def next_inputs(self) -> Sequence[Input]:
        """Up to a batch of records; timers whose ends are passed come before younger records."""
        self._hand = ()
        if not self._queue and self._mute.over(self.done):
            await self._speak()
        if not self._queue and not self._due.ripe(self.done) and not self._gap:
            self._wake.clear()
            try:
                async with asyncio.timeout(IDLE_AFTER):
                    await self._wake.wait()
            except TimeoutError:
                return []
        if self._overtaken:
            raise Fenced(self.name)
        if self.stopping.is_set():
            return []
        inputs = [of_timer(timer, self.runtime.router) for timer in self._due.take(self.done)]
        self._timers_out = bool(inputs)
        while self._queue and len(inputs) < self.pace.most(self.runtime.limits.inputs):
            record = self._queue.take()
            made = None if self._echo.heard(record) else self._decoded(record)
            if made is None and inputs:
                # Nobody here handles it, or it is known: it moves the position, together with what comes before it.
                inputs[-1] = replace(inputs[-1], upto={**inputs[-1].upto, record.topic: record.offset + 1})
            elif made is None:
                self.done[record.topic] = record.offset + 1
            else:
                inputs.append(replace(made, upto={record.topic: record.offset + 1}, past=self._mute.on))
        if self._paused and self._queue.under:
            self._resume()
        self._hand = inputs  # what a step retries has been waiting too
        return inputs

    def position(self, taken: Sequence[Input]) -> Mapping[str, int]:
        """Where the lane is once these inputs are committed."""
        after = dict(self.done)
        for input_ in taken:
            after.update(input_.upto)
        return after

    def settled(self, folded: Folded, inputs: Sequence[Input]) -> None:
        """Move on behind the committed inputs."""
        self.done = dict(self.position(inputs))
        self._echo.told(folded.work.records)
        self._hand = self._hand[len(inputs) :]
        if folded.work.records or folded.marks or folded.work.changed():
            self._stored = dict(self.done)
        self._timers_out = any(input_.timer is not None for input_ in self._hand)
        self._deaths.count(self.moved, (outcome for _, outcome, _ in folded.outcomes))

    def alarm(self) -> str:
        """Beside the common ones: a gap, once all before it is folded, and too many deaths."""
        gap = self._gap if not self._queue else ""
        return super().alarm() or gap or self._deaths.alarm()

    async def idle(self) -> None:
        """Tidy up, and store a position that moved only past records that nobody here handles."""
        await super().idle()
        if self.own is not None and self.done != self._stored:
            if not await control.move(self.runtime.database, self.own, self.batch, self.done):
                raise Fenced(self.name)
            self._stored = dict(self.done)

    async def claim(self) -> Control:
        """Claim, with no record accepted until the position is known."""
        self._open = self._overtaken = False
        return await super().claim()

    def stop(self) -> None:
        """End after the step at hand; what waits is read again by the next owner."""
        self._open = False
        self._queue.clear()
        self._due.clear()
        self.stopping.set()
        self._wake.set()

    def report(self) -> LaneReport:
        """How the lane stands, with what waits in it."""
        waiting = self.backlog.records(self.done, lambda topic: self._source.high(topic, self.partition))
        first = self._hand[0] if self._hand else self._decoded(self._queue.first) if self._queue else None
        oldest = self.backlog.age(self.runtime.now(), self.done, first.cause.at if first else None)
        left = self._mute.left(self.done)
        return dataclasses.replace(super().report(), lag_records=waiting, lag_seconds=oldest, rebuild_records=left)

    def _decoded(self, record: Incoming) -> Input | None:
        return of_record(record, self.runtime.router, self.runtime.now(), self.runtime.scope.lanes)
