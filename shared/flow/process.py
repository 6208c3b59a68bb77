"""All lanes of one process: key lanes by assignment, api slots, the timers, and how it all stands."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime

import structlog

from shared.contracts import TOPICS
from shared.errors import Transient
from shared.telemetry import LaneReport

from . import control
from .documents import LANES, Timer, from_mongo
from .due import DueTimers
from .keylane import KeyLane
from .lane import Lane, Runtime
from .outlook import Outlook
from .parts import PART
from .ports import Incoming, Json, Source
from .slots import Slots

log = structlog.get_logger()

STUCK_AFTER = 60.0
"""Seconds without a move after which a lane that is not waiting for the world counts as stuck."""
TIMER_POLL = 0.5
MOST_TIMERS = 500
OWNER_POLL = 1.0
"""Seconds after which a lane with nothing to commit hears that it was taken over, or set back by a rebuild."""
OUTLOOK_POLL = 5.0
"""Seconds between looks at what nobody is told of: the ends of topics, and what commands have left unsent."""


class KeyLanes:
    """The lanes of one key in this process, as the group's assignment wants them.

    A lane is owned only where this process holds the partition of all its topics.
    """

    def __init__(self, key: str, topics: Sequence[str], runtime: Runtime, grace: float = 10.0) -> None:
        self.key = key
        self.topics = tuple(topics)
        self._runtime = runtime
        self._grace = grace
        self._lanes: dict[int, tuple[KeyLane, asyncio.Task[None]]] = {}
        self.partial: set[int] = set()
        self.assigned_once = False
        self.last: dict[tuple[str, int], int] = {}
        """Where lanes that were stopped last stood, by (topic, partition)."""

    @property
    def lanes(self) -> list[KeyLane]:
        """The lanes that run here."""
        return [lane for lane, _ in self._lanes.values()]

    def lane(self, partition: int) -> KeyLane | None:
        """The lane of a partition number, if it runs here."""
        found = self._lanes.get(partition)
        return found[0] if found else None

    def assigned(self, held: Mapping[str, set[int]], source: Source) -> None:
        """Start a lane for every partition number held in all topics. Returns at once; lanes claim by themselves."""
        numbers = [held.get(topic, set()) for topic in self.topics]
        whole = set.intersection(*numbers) if numbers else set()
        self.partial = set.union(*numbers) - whole if numbers else set()
        self.assigned_once = True
        for number in self.partial:
            source.pause([topic for topic in self.topics if number in held.get(topic, set())], number)
        for number in sorted(whole - self._lanes.keys()):
            lane = KeyLane(self.key, number, self.topics, source, self._runtime)
            self._lanes[number] = (lane, asyncio.create_task(lane.run(), name=lane.name))

    async def revoked(self, grace: float | None = None) -> None:
        """Stop all lanes: the step at hand ends and is sent, within the grace; a next owner would fence them."""
        running, self._lanes = self._lanes, {}
        for lane, task in running.values():
            lane.stop()
            if lane.phase in ("claim:begin", "claim:taken"):
                task.cancel()  # it has nothing in hand, and may wait for a broker that is away
        await stop_tasks([task for _, task in running.values()], grace or self._grace)
        stopped = [lane for lane, _ in running.values()]
        self.last = {(topic, lane.partition): done for lane in stopped for topic, done in lane.done.items()}

    def positions(self) -> dict[tuple[str, int], int]:
        """How far the lanes are, by (topic, partition); of stopped ones where they last stood."""
        return self.last | {(t, lane.partition): done for lane in self.lanes for t, done in lane.done.items()}

    def deliver(self, records: Iterable[Incoming]) -> None:
        """Hand records over to their lanes."""
        by_partition: dict[int, list[Incoming]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        for partition, some in by_partition.items():
            lane = self.lane(partition)
            if lane is not None:
                lane.offer(some)


async def stop_tasks(tasks: Sequence["asyncio.Task[None]"], grace: float) -> None:
    """Wait for tasks that were told to stop; cancel those that do not within ``grace`` seconds."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=grace)
    for task in late:
        log.warning("stopped_late", task=task.get_name())
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Process:
    """One process of a service. ``keys`` are its lanes by key; ``slots`` its way in for commands."""

    def __init__(self, runtime: Runtime, reads: Mapping[str, Sequence[str]], slots: int) -> None:
        self.runtime = runtime
        self.keys = {key: KeyLanes(key, topics, runtime) for key, topics in reads.items()}
        self.slots = Slots(slots, runtime)
        self._tasks: list[asyncio.Task[None]] = []
        self._sources: dict[str, Source] = {}
        self._outlook = Outlook(runtime, lambda key: self.keys[key].lanes, self._sources)
        self._stopping = False
        self._parts = max(1, runtime.limits.writes // PART)
        """Parts of large inputs that a lane is given at once: about a batch."""

    def start(self) -> None:
        """Start the api slots and the timers; key lanes start as partitions are assigned."""
        self._tasks = [
            asyncio.create_task(self.slots.run(), name="slots"),
            asyncio.create_task(self._watch(self._hand_over_due, TIMER_POLL), name="timers"),
            asyncio.create_task(self._watch(self._outlook.owners, OWNER_POLL), name="owners"),
            asyncio.create_task(self._watch(self._outlook.left, OUTLOOK_POLL), name="left"),
            asyncio.create_task(self._watch(self._outlook.ends, OUTLOOK_POLL), name="ends"),
        ]

    def assigned(self, key: str, held: Mapping[str, set[int]], source: Source) -> None:
        """The group has given this process partitions."""
        if not self._stopping:
            self._sources[key] = source
            self.keys[key].assigned(held, source)

    async def stop(self, grace: float) -> None:
        """Answer what waits, end the steps at hand, send what is committed, give the slot back."""
        self._stopping = True
        self.slots.stop()
        slots, *watches = self._tasks
        for watch in watches:
            watch.cancel()
        await asyncio.gather(stop_tasks([slots, *watches], grace), *(k.revoked(grace) for k in self.keys.values()))

    @property
    def lanes(self) -> list[Lane]:
        """All lanes of the process."""
        return [*self.slots.lanes, *(lane for keys in self.keys.values() for lane in keys.lanes)]

    def reports(self) -> list[LaneReport]:
        """How every lane stands; which are here in part, so that another must have the rest; what commands left."""
        parts = [f"{key}:{number}" for key, keys in self.keys.items() for number in sorted(keys.partial)]
        held = self.slots.held.items()
        return [
            *(lane.report() for lane in self.lanes),
            *(LaneReport(part, "partial", 0, 0, 0, 0, "") for part in parts),
            *(LaneReport(slot, "held", 0, 0, 0, 0, reason) for slot, reason in held),
            *self._outlook.reports(),
        ]

    def stuck(self) -> list[str]:
        """Lanes that neither move, nor wait, nor are held."""
        return [r.name for r in self.reports() if r.idle_seconds > STUCK_AFTER and r.phase not in ("held", "stopped")]

    def ready(self) -> list[str]:
        """What is missing before traffic makes sense; empty when ready. No partitions at all is standing by."""
        missing = [] if self.slots.ready else ["no api slot"]
        missing += [f"no assignment yet for {key}" for key, k in self.keys.items() if not k.assigned_once]
        claiming = [lane.name for keys in self.keys.values() for lane in keys.lanes if lane.phase in ("new", "waiting")]
        return missing + [f"{name} is not claimed" for name in claiming if name]

    async def _watch(self, look: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds * self.runtime.rng.uniform(0.8, 1.2))
            try:
                await look()
            except Transient as error:
                log.warning("watch_waits", watch=look.__name__, reason=error.reason)
            except Exception:
                log.exception("watch_failed", watch=look.__name__)

    # -- timers --------------------------------------------------------------------------------------------

    async def _hand_over_due(self) -> None:
        """Give lanes the timers whose time has come, with the ends they must pass first.

        Outboxes are read before the ends: an answer is then either still in an outbox (the timer waits for
        the next look), or in the topic below the end that is fetched after.
        """
        takers = {lane.name: lane for keys in self.keys.values() for lane in keys.lanes if lane.takes_timers}
        if not takers:
            return
        found = await self._due(sorted(takers))
        if len(found) == MOST_TIMERS:  # the timers of one lane that must wait must not hide those of the others
            found = [timer for name in takers for timer in await self._due([name])]
        due: dict[str, list[Timer]] = {}
        for timer in found:
            due.setdefault(timer.lane, []).append(timer)
        for name, timers in due.items():
            if parts := tuple(t for t in timers if t.part):
                takers[name].remind(DueTimers(parts[: self._parts], {}))
        unsent = await self._oldest_unsent(list(due)) if due else {}
        ready = {
            name: tuple(t for t in timers if not t.part and (name not in unsent or t.due < unsent[name]))
            for name, timers in due.items()
        }
        await asyncio.gather(*(self._hand_over(takers[name], timers) for name, timers in ready.items() if timers))

    async def _hand_over(self, lane: KeyLane, timers: tuple[Timer, ...]) -> None:
        ends = await self._sources[lane.key].ends([(topic, lane.partition) for topic in lane.topics])
        lane.remind(DueTimers(timers, {topic: end for (topic, _), end in ends.items()}))

    async def _due(self, names: Sequence[str]) -> list[Timer]:
        """Timers of these lanes whose time has come, oldest first; not more than a few batches."""
        where: Json = {"lane": {"$in": names}, "due": {"$lte": self.runtime.now()}}
        found = await self.runtime.database.find(
            Timer.COLLECTION, where, sort=[("due", 1), ("_id", 1)], limit=MOST_TIMERS
        )
        return [from_mongo(Timer, stored) for stored in found]

    async def _oldest_unsent(self, names: Sequence[str]) -> dict[str, datetime]:
        """By (key, partition): the time of the oldest record in any outbox of this service that goes there."""
        oldest: dict[str, datetime] = {}
        where: Json = {"outbox": {"$ne": []}}
        for stored in await self.runtime.database.find(LANES, where, fields=("outbox",)):
            # What a republication tells was told before: nothing in it is an answer.
            for batch in () if stored["_id"].startswith("republish:") else stored["outbox"]:
                for topic, partition, _, _, known in control.unpacked(batch):
                    # A topic that only a later release knows is read by no lane here.
                    place = f"{TOPICS[topic].key}:{partition}" if topic in TOPICS else ""
                    time = known[3]
                    if place in names and (place not in oldest or time < oldest[place]):
                        oldest[place] = time
        return oldest
