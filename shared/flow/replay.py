"""Replay: dead letters, fed once more to the one handler that failed, in lanes of their own."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec.structs import replace

from shared.contracts import dead_topic
from shared.errors import Transient

from . import control
from .control import Control
from .documents import LANES
from .fold import Folded
from .inputs import Input
from .lane import Lane, Runtime
from .letters import of_letter
from .ports import Fenced, Incoming
from .work import Scope


async def replay(runtime: Runtime, letters: AsyncIterator[Incoming]) -> dict[str, int]:
    """Feed letters to their handlers; returns how many came to what ("done", "double", "dead:bug", "nothing").

    ``letters`` is the service's dead topic from its beginning to its end as of now. What an earlier replay
    took is passed over, so a replay that was cut short is started again. The marks are those of the key
    lanes: what a handler has folded meanwhile, it does not fold again. What fails anew becomes a new letter.

    Raises:
        Transient: another replay took over, or a lane of it is held, or the broker does not take what is to be sent;
            nothing of it is lost or done twice.
    """
    lanes: dict[int, ReplayLane] = {}
    tasks: list[asyncio.Task[None]] = []

    def lane_of(partition: int) -> ReplayLane:
        if partition not in lanes:
            lane = lanes[partition] = ReplayLane(partition, runtime)
            tasks.append(asyncio.create_task(lane.run(), name=lane.name))
        return lanes[partition]

    try:
        for stored in await runtime.database.load(LANES, list(names := replay_lanes(runtime.scope))):
            if stored["outbox"]:  # its letters may be gone from the topic by now
                lane_of(names[stored["_id"]])
        async for letter in letters:
            await lane_of(letter.partition).put(letter)
        for lane in lanes.values():
            lane.stop()
        await asyncio.gather(*tasks)
    except Fenced as error:
        raise Transient("another replay took over, or the lane is held") from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not all(lane.finished for lane in lanes.values()):
        raise Transient("not all of it is replayed and sent yet")
    return dict(sum((lane.counts for lane in lanes.values()), Counter()))


def replay_lanes(scope: Scope) -> dict[str, int]:
    """The lanes in which letters of this service are replayed, with the partition of each."""
    return {_name(number): number for number in range(scope.partitions[dead_topic(scope.service).name])}


def _name(partition: int) -> str:
    return f"replay:{partition}"


class ReplayLane(Lane):
    """Letters of one partition of the dead topic, kept until they are settled."""

    def __init__(self, partition: int, runtime: Runtime) -> None:
        super().__init__(_name(partition), runtime)
        self.counts: Counter[str] = Counter()
        self._topic = dead_topic(runtime.scope.service).name
        self._letters: deque[Incoming] = deque()
        self._changed = asyncio.Event()
        self._next = self._stored = 0
        self._ended = False

    async def run(self) -> None:
        """Until all letters in hand are settled. Raises Fenced when another replay has the lane."""
        try:
            await super().run()
        finally:
            self._ended = True
            self._changed.set()

    async def put(self, letter: Incoming) -> None:
        """Add the next letter; waits while two batches are in hand. Raises Fenced when the lane has ended."""
        while len(self._letters) >= 2 * self.runtime.limits.inputs and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if self._ended:
            raise Fenced(self.name)
        self._letters.append(letter)
        self._changed.set()

    def stop(self) -> None:
        """No more letters come: fold those in hand, send, end."""
        self.stopping.set()
        self._changed.set()

    async def taken_over(self, before: Control) -> None:
        """Pass over what an earlier replay, or an earlier claim of this one, has settled."""
        self._next = self._stored = before.next.get(self._topic, 0)
        self._pass()

    def reclaims(self) -> bool:
        """Two replays at once: the later one goes on."""
        return False

    def pending(self) -> bool:
        """Letters in hand are folded before the end."""
        return bool(self._letters)

    async def next_inputs(self) -> Sequence[Input]:
        """Up to a batch of letters; they stay in hand until they are settled."""
        while not self._letters and not self.stopping.is_set():
            self._changed.clear()
            await self._changed.wait()
        self._pass()
        made: list[Input] = []
        for letter in list(self._letters)[: self.runtime.limits.inputs]:
            input_ = of_letter(letter, self.runtime.router, self.runtime.now(), self.runtime.scope.lanes)
            if input_ is not None:
                made.append(replace(input_, upto={self._topic: letter.offset + 1}))
            elif made:
                break  # passed over when what comes before it is committed
            else:
                self.counts["nothing"] += 1
                self._next = letter.offset + 1
        self._pass()
        return made

    def position(self, taken: Sequence[Input]) -> Mapping[str, int]:
        """Behind the last of these letters."""
        return {self._topic: max((i.upto[self._topic] for i in taken), default=self._next)}

    def settled(self, folded: Folded, inputs: Sequence[Input]) -> None:
        """Let go of the committed letters."""
        self.counts.update(outcome for _, outcome, _ in folded.outcomes)
        if gone := len(inputs) - len(folded.outcomes):
            self.counts["nothing"] += gone
        self._next = self.position(inputs)[self._topic]
        if folded.work.records or folded.marks or folded.work.changed():
            self._stored = self._next
        self._pass()

    async def idle(self) -> None:
        """Tidy up, and store a position that moved past letters with nothing to fold."""
        await super().idle()
        if self.own is not None and self._next != self._stored:
            if not await control.move(self.runtime.database, self.own, self.batch, {self._topic: self._next}):
                raise Fenced(self.name)
            self._stored = self._next

    def _pass(self) -> None:
        while self._letters and self._letters[0].offset < self._next:
            self._letters.popleft()
        self._changed.set()
