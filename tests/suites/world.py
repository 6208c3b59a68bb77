"""What a behaviour suite asks of its world, and the parts that all worlds share."""

import asyncio
import contextvars
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from shared.contracts import TOPICS, Envelope, Event, partition_of
from shared.errors import Transient
from shared.flow.alarms import Poison
from shared.flow.control import unpacked
from shared.flow.documents import LANES
from shared.flow.fold import Limits
from shared.flow.keylane import KeyLane
from shared.flow.ports import Conflict, Database, DeadTopic, Fenced, Incoming, Json, Now, Publisher, Record, View
from shared.flow.process import Process
from shared.flow.router import Command, Reply, Router
from shared.flow.runtime import Runtime
from shared.flow.work import Scope
from shared.telemetry import Metrics
from tests.fakes.faults import FaultyDatabase, FaultyPublisher
from tests.suites import toy

OWNER: contextvars.ContextVar["Node | None"] = contextvars.ContextVar("OWNER", default=None)


class Crash(BaseException):
    """The process dies here: kill -9."""


@dataclass(eq=False)
class Node:
    """One process of a toy service, with what a test may do to it."""

    service: str
    runtime: Runtime
    process: Process
    database: FaultyDatabase
    publisher: FaultyPublisher
    labels: Counter[str] = field(default_factory=Counter)
    crash_at: tuple[str, int] | None = None
    crashed: asyncio.Event = field(default_factory=asyncio.Event)
    die: Callable[[], None] = lambda: None
    """Cut it off from the world, at once."""
    passing: Callable[[str], None] = lambda label: None
    """Told of every label that it comes to."""
    tasks: set["asyncio.Task[Any]"] = field(default_factory=set)
    surprises: list[str] = field(default_factory=list)
    """Its world's."""

    def at(self, label: str) -> None:
        self.labels[label] += 1
        if self.crashed.is_set():
            raise Crash(label)
        if self.crash_at == (label, self.labels[label]):
            self.crashed.set()
            self.die()
            raise Crash(label)
        self.passing(label)

    def lane(self, partition: int = 0, key: str = "note") -> KeyLane:
        found = self.process.keys[key].lane(partition)
        assert found is not None
        return found

    def ended(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()  # looked at, so that asyncio does not log a crash
        if error is not None and not isinstance(error, Crash | Transient | Conflict | Fenced):
            self.surprises.append(f"{self.service} {task.get_name()}: {error!r}")

    @property
    def outcomes(self) -> Counter[str]:
        """How the inputs ended, by outcome."""
        counted: Counter[str] = Counter()
        for metric in self.runtime.metrics.inputs.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    counted[sample.labels["outcome"]] += int(sample.value)
        return counted

    def troubles(self, kind: str) -> int:
        """How often lanes met this trouble."""
        return sum(
            int(sample.value)
            for metric in self.runtime.metrics.trouble.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["kind"] == kind
        )


class _Headers:
    def __init__(self, headers: Sequence[tuple[str, bytes]]) -> None:
        self._headers = list(headers)

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers


def foreign(topic: str, partition: int, value: bytes, headers: Sequence[tuple[str, bytes]]) -> Record:
    """A record that nobody of ours would make."""
    return Record(topic, partition, "n", value, cast("Envelope", _Headers(headers)))


class World(ABC):
    """A broker, a database for every service, a clock. Nodes are made and ended here."""

    partitions: int
    now: Now
    poll: float = 0.02
    patience: float = 20.0
    """Seconds that a test waits for what must come."""
    reads: Mapping[str, Mapping[str, Sequence[str]]] = toy.READS
    routers: Mapping[str, Callable[[Any], Router]] = toy.ROUTERS
    toy: Any
    """What the services' routers are made with."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.toy = toy.Toy()
        self.poison = Poison()
        """Of the nodes that are started from now on."""
        self.nodes: list[Node] = []
        self.surprises: list[str] = []
        """What tasks of all nodes ended with, other than a crash and the troubles that have a name."""
        self._put = 0

    # -- what the kinds of world fill in -------------------------------------------------------------------

    @abstractmethod
    def database(self, service: str, at: Callable[[str], None] = lambda label: None) -> Database:
        """A client of the service's database."""

    @abstractmethod
    def publisher(self, service: str) -> Publisher:
        """A producer of its own."""

    @abstractmethod
    def dead(self, service: str) -> DeadTopic:
        """The service's dead topic, as the commands of an operator have it."""

    @abstractmethod
    async def join(self, node: Node) -> None:
        """Let the group give partitions to a node."""

    @abstractmethod
    async def leave(self, node: Node) -> None:
        """Take the partitions back; the node may be dead."""

    @abstractmethod
    async def expel(self, node: Node) -> None:
        """Let the next node that joins have its partitions; it does not hear of it, as after a long pause."""

    @abstractmethod
    async def records(self, topic: str) -> list[Incoming]:
        """All records of a topic since this world began."""

    @abstractmethod
    async def documents(self, service: str, collection: str) -> dict[str, Json]:
        """What is stored, by id."""

    @abstractmethod
    async def ends(self, topics: Sequence[str], partition: int) -> dict[str, int]:
        """Offset of the next record to come, by topic."""

    def clock(self) -> Now:
        """The wall clock of a new node."""
        return self.now

    def make_faulty(self, service: str) -> FaultyPublisher:
        """The way out of a new node."""
        return FaultyPublisher(self.publisher(service))

    # -- nodes ---------------------------------------------------------------------------------------------

    async def start(
        self,
        service: str = "notes",
        *,
        router: Router | None = None,
        limits: Limits | None = None,
        slots: int = 1,
        views: tuple[View, ...] = (),
        crash_at: tuple[str, int] | None = None,
    ) -> Node:
        """A new process of a service, with its slots running and its partitions asked for."""
        node = self.make(service, router=router, limits=limits, slots=slots, views=views)
        node.crash_at = crash_at
        self.nodes.append(node)
        context = contextvars.copy_context()
        context.run(OWNER.set, node)
        await asyncio.create_task(self._started(node), context=context)
        return node

    async def _started(self, node: Node) -> None:
        node.process.start()
        await self.join(node)

    def make(
        self, service: str, *, router: Router | None, limits: Limits | None, slots: int, views: tuple[View, ...]
    ) -> Node:
        """A node that nothing runs in yet."""
        holder: list[Node] = []

        def at(label: str) -> None:
            holder[0].at(label)

        database = FaultyDatabase(self.database(service, at))
        publisher = self.make_faulty(service)
        runtime = Runtime(
            router=router or self.routers[service](self.toy),
            database=database,
            publisher=publisher,
            metrics=Metrics(service),
            now=self.clock(),
            scope=self.scope(service, views),
            limits=limits or Limits(),
            poison=self.poison,
            views=views,
            rng=random.Random(self.rng.getrandbits(64)),
            at=at,
        )
        node = Node(service, runtime, Process(runtime, self.reads[service], slots), database, publisher)
        node.surprises = self.surprises
        holder.append(node)
        return node

    def scope(self, service: str, views: tuple[View, ...] = ()) -> Scope:
        return Scope(service, {t: self.partitions for t in TOPICS if TOPICS[t].owner == service}, self.lanes, views)

    @property
    def lanes(self) -> dict[str, int]:
        return {"note": self.partitions, "group": self.partitions}

    async def stop(self, node: Node) -> None:
        """SIGTERM: the process ends in order."""
        await node.process.stop(30.0)
        self.nodes.remove(node)
        await self.leave(node)

    async def kill(self, node: Node) -> None:
        """SIGKILL: nothing it does from here on has an effect, and what it has open stays open."""
        node.crashed.set()
        node.die()
        for task in list(node.tasks):
            task.cancel()
        await asyncio.gather(*node.tasks, return_exceptions=True)
        self.nodes = [living for living in self.nodes if living is not node]
        await self.leave(node)

    async def close(self) -> None:
        """End what runs."""
        for node in list(self.nodes):
            await self.kill(node)

    # -- traffic -------------------------------------------------------------------------------------------

    async def raw(self, topic: str, partition: int, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Put any record anywhere, under the key ``n``."""
        await self.publisher("notes").publish([foreign(topic, partition, value, headers)])

    async def put(
        self, event: Event, id_: str = "", *, sequence: int = 0, at: datetime | None = None, times: int = 1
    ) -> Envelope:
        """Put a record on its topic, as its owner would; ``times`` for a double on the wire."""
        self._put += 1
        envelope = Envelope(
            id=id_ or f"event-{self._put}",
            type=event.TYPE,
            source=event.source,
            time=at or self.now(),
            subject=event.key,
            sequence=sequence,
            correlation="test",
            causation="test",
        )
        number = partition_of(event.key, self.partitions)
        record = Record(event.TOPIC.name, number, event.key, event.model_dump_json().encode(), envelope)
        for _ in range(times):
            await self.publisher("notes").publish([record])
        return envelope

    async def submit(self, node: Node, command: Command, key: str | None = None, digest: bytes = b"") -> Reply:
        """A caller's command, at a slot that is ready."""
        await self.until(lambda: node.process.slots.ready, "a slot")
        async with asyncio.timeout(self.patience):
            return await node.process.slots.submit(command, correlation="test", key=key, digest=digest)

    async def insist(self, node: Node, command: Command, key: str | None = None) -> Reply:
        """A caller that comes again as long as it is told to."""
        async with asyncio.timeout(self.patience):
            while True:
                try:
                    return await self.submit(node, command, key)
                except Transient:
                    await asyncio.sleep(0.05)

    async def ids(self, topic: str) -> list[str]:
        """The ``ce_id`` of every record."""
        return [Envelope.of(record.headers).id for record in await self.records(topic) if record.headers]

    async def types(self, topic: str) -> Counter[str]:
        """How many events there are of each type, by its short name; one that was sent again counts once."""
        told = [Envelope.of(record.headers) for record in await self.records(topic) if record.headers]
        return Counter(type_.split(".")[2] for _, type_ in {(envelope.id, envelope.type) for envelope in told})

    async def as_lists(self, service: str) -> int:
        """Store what waits in outboxes as release 0.1.0 did, as lists; returns how many records."""
        database, many = self.database(service), 0
        for name, stored in (await self.documents(service, LANES)).items():
            outbox = [entry | {"r": unpacked(entry)} for entry in stored["outbox"]]
            await database.modify(LANES, {"_id": name}, {"$set": {"outbox": outbox}})
            many += sum(len(entry["r"]) for entry in outbox)
        return many

    # -- waiting -------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], bool | Awaitable[bool]], what: str = "") -> None:
        """Wait until something holds; AssertionError after ``patience``."""
        try:
            async with asyncio.timeout(self.patience):
                while True:
                    holds = condition()
                    if holds if isinstance(holds, bool) else await holds:
                        return
                    await asyncio.sleep(self.poll)
        except TimeoutError:
            raise AssertionError(f"not in {self.patience} s: {what or condition}") from None

    async def quiet(self) -> None:
        """Wait until every topic is read to its end, every outbox sent, twice over."""
        for _ in range(2):
            await self.until(self._still, "quiet")

    async def _still(self) -> bool:
        owned = {(node.service, lane.name): lane for node in self.nodes for lane in node.process.lanes}
        for lane in owned.values():
            if lane.held:
                continue
            if lane.own is None or lane.outbox.size:
                return False
            if isinstance(lane, KeyLane) and await self._behind(lane):
                return False
        for service in {node.service for node in self.nodes}:
            for name, stored in (await self.documents(service, LANES)).items():
                if (service, name) not in owned and stored.get("outbox") and not stored.get("held"):
                    return False
        return True

    async def _behind(self, lane: KeyLane) -> bool:
        ends = await self.ends(lane.topics, lane.partition)
        return any(lane.done.get(topic, -1) < end for topic, end in ends.items())


def own_tasks() -> None:
    """From here on a task of this loop belongs to the node that it was started for, so that a kill finds all."""

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **kwargs: Any) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **kwargs)
        context = kwargs.get("context")
        owner = context.get(OWNER) if context is not None else OWNER.get()
        if owner is not None:
            owner.tasks.add(task)
            task.add_done_callback(owner.ended)
        return task

    asyncio.get_running_loop().set_task_factory(cast("Any", make))
