"""A world in memory: one broker, a database server for every service, time that jumps."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from shared.contracts import TOPICS
from shared.flow.ports import Incoming, Json
from tests.fakes.broker import Broker, Consumer, FakeDeadTopic, FakePublisher, Group
from tests.fakes.clock import wall
from tests.fakes.database import FakeDatabase, Server
from tests.suites.world import Node, World, own_tasks


class FakeWorld(World):
    """Everything in one loop, by seed. A kill cuts a node off and leaves its transactions open."""

    partitions = 2

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.now = wall
        self.patience = 300.0
        self.poll = 0.05
        self.broker = self.make_broker()
        self.servers: dict[str, Server] = defaultdict(Server)
        self.groups = {(service, key): Group(self.broker, key) for service, keys in self.reads.items() for key in keys}
        self._made: dict[str, tuple[FakeDatabase, FakePublisher]] = {}
        own_tasks()

    def make_broker(self) -> Broker:
        """The broker of this world."""
        return Broker(random.Random(self.rng.getrandbits(64)), self.partitions)

    def database(self, service: str, at: Callable[[str], None] = lambda label: None) -> FakeDatabase:
        return FakeDatabase(self.servers[service], at)

    def publisher(self, service: str) -> FakePublisher:
        return FakePublisher(self.broker)

    def dead(self, service: str) -> FakeDeadTopic:
        return FakeDeadTopic(self.broker, service)

    async def join(self, node: Node) -> None:
        consumers: list[Consumer] = []

        def die() -> None:
            for part in (node.database.inner, node.publisher.inner, *consumers):
                part.dead = True  # type: ignore[attr-defined]

        node.die = die
        for (service, _), group in self.groups.items():
            if service == node.service:
                consumers.append(await group.join(node.process))

    async def leave(self, node: Node) -> None:
        for (service, _), group in self.groups.items():
            if service == node.service:
                await group.leave(node.process)

    async def expel(self, node: Node) -> None:
        """The group gives its partitions to others, and it does not hear of it."""
        for (service, _), group in self.groups.items():
            if service == node.service:
                await group.expel(node.process)

    def consumer(self, node: Node) -> Consumer:
        """The consumer of a node's note lanes."""
        return next(c for p, c in self.groups[node.service, "note"].members if p is node.process)

    async def records(self, topic: str) -> list[Incoming]:
        return self.broker.records(topic)

    async def documents(self, service: str, collection: str) -> dict[str, Json]:
        return self.servers[service].dump(collection)

    async def ends(self, topics: Sequence[str], partition: int) -> dict[str, int]:
        return {topic: self.broker.topics[topic][partition].end for topic in topics}

    def all_ids(self) -> set[str]:
        """Every ``ce_id`` in every topic."""
        return {id_ for topic in TOPICS for id_ in self.broker.ids(topic)}
