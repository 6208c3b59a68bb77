"""One story of both toy services on the fakes: traffic, outages, crashes, an end. What is left is compared."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared.contracts.notes import CommentPosted
from shared.errors import Rejected, Transient
from shared.flow import control
from shared.flow.alarms import Poison
from shared.flow.documents import LANES, StoredReply, Timer
from shared.flow.fold import Limits
from shared.flow.ports import Conflict
from shared.flow.router import Command, Reply
from tests.fakes.clock import START, simulate
from tests.fakes.world import FakeWorld
from tests.suites.toy import COLLECTIONS, Accept, PostComment, comment
from tests.suites.world import Node


@dataclass(frozen=True)
class Crashing:
    """Kill a service's process at the n-th time that it comes to a label."""

    service: str
    label: str
    occurrence: int


@dataclass(frozen=True)
class Story:
    """What comes from outside. ``comments``: note, text, how often it is put on the wire.

    ``patience`` is how long a need waits: longer than all crashes and outages of the story take.
    """

    commands: Sequence[Command] = ()
    comments: Sequence[tuple[str, str, int]] = ()
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    outages: bool = True
    patience: timedelta = timedelta(seconds=45)


@dataclass(frozen=True)
class End:
    """What is left when all is quiet and every process has stopped in order."""

    documents: dict[str, Any]
    ids: frozenset[str]
    replies: frozenset[str]
    labels: dict[str, Counter[str]]
    crashes: int


FULL = Story(
    commands=[
        *(
            PostComment(person_id="p", comment_id=f"c{n}", note_id=f"n{3 + n % 2}", text="spam" if n == 1 else "t")
            for n in range(6)
        ),
        Accept(person_id="p", need_id="w0"),
        Accept(person_id="p", need_id="absent"),
    ],
    comments=[
        ("n3", "why?", 1),
        ("n4", "how?", 2),
        ("n2", "many 6", 2),
        ("n3", "bug", 1),
        ("n4", "rejected", 1),
        *((f"n{2 + n % 3}", "hello", 1 + n % 2) for n in range(6)),
    ],
    limits=Limits(inputs=3, writes=8, outbox=1_500),
    patience=timedelta(seconds=20),
)
"""Every label of the lanes is passed in it."""


def tell(story: Story, crashes: Sequence[Crashing] = ()) -> End:
    """Run a story to its end on a jumping loop."""

    async def run() -> End:
        return await _Teller(story, crashes).run()

    return simulate(run)


class _Teller:
    def __init__(self, story: Story, crashes: Sequence[Crashing]) -> None:
        self._story = story
        self._crashes = list(crashes)
        self._world = FakeWorld(story.seed)
        self._world.toy.patience = story.patience
        self._world.toy.part = 2
        self._world.poison = Poison(least=1, share=0.01)
        self._world.poll = 0.2
        self._now: dict[str, Node] = {}
        self._labels: dict[str, Counter[str]] = {"notes": Counter(), "moderation": Counter()}
        self._crashed = 0

    async def run(self) -> End:
        world = self._world
        await self._begin("notes")
        await self._begin("moderation")
        watchers = [asyncio.create_task(self._watch(service)) for service in self._labels]
        operator = asyncio.create_task(self._release())
        await asyncio.gather(self._traffic(), self._commands(), self._outages())
        await self._quiet()
        await world.until(self._no_timers, "timers have fired")
        await self._quiet()
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        for service in self._labels:
            await self._end(service)
        operator.cancel()
        documents = {f"{s}.{c}": await world.documents(s, c) for s in COLLECTIONS for c in COLLECTIONS[s]}
        replies = await world.documents("notes", StoredReply.COLLECTION)
        return End(documents, frozenset(world.all_ids()), frozenset(replies), self._labels, self._crashed)

    async def _begin(self, service: str) -> None:
        crash = next((c for c in self._crashes if c.service == service), None)
        if crash is not None:
            self._crashes.remove(crash)
        at = (crash.label, crash.occurrence) if crash is not None else None
        self._now[service] = await self._world.start(service, limits=self._story.limits, slots=2, crash_at=at)

    async def _watch(self, service: str) -> None:
        while True:
            await self._now[service].crashed.wait()
            await self._bury(service)
            await self._begin(service)

    async def _quiet(self) -> None:
        """Quiet, with no lane held."""
        while True:
            await self._world.quiet()
            if not any(lane.held for node in self._world.nodes for lane in node.process.lanes):
                return
            await asyncio.sleep(0.1)

    async def _release(self) -> None:
        """An operator who lets every lane go on that holds itself, as one does at each death here."""
        operator = self._world.database("notes")
        while True:
            await asyncio.sleep(0.5)
            try:
                for stored in await operator.find(LANES, {"held": {"$exists": True}}):
                    await control.release(operator, stored["_id"])
            except (Transient, Conflict):
                continue

    async def _bury(self, service: str) -> None:
        self._crashed += 1
        node = self._now[service]
        self._labels[service] += node.labels
        await self._world.kill(node)

    async def _end(self, service: str) -> None:
        while True:
            node = self._now[service]
            await asyncio.wait(
                {asyncio.ensure_future(node.process.stop(60.0)), asyncio.ensure_future(node.crashed.wait())},
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not node.crashed.is_set():
                break
            await self._bury(service)
            await self._begin(service)
            await self._quiet()
        self._labels[service] += node.labels
        await self._world.kill(node)

    # -- what comes from outside ---------------------------------------------------------------------------

    async def _traffic(self) -> None:
        for n, (note_id, text, times) in enumerate(self._story.comments):
            id_ = f"w{n}"
            for _ in range(times):
                await self._put(comment(note_id, id_, text), id_)
            await asyncio.sleep(self._world.rng.choice([0, 0, 0.001, 0.5]))

    async def _put(self, event: CommentPosted, id_: str) -> None:
        while True:
            try:
                await self._world.put(event, id_, at=START)
                return
            except Transient:
                await asyncio.sleep(0.1)

    async def _commands(self) -> None:
        pending = [self._insist(command, f"key{n}") for n, command in enumerate(self._story.commands)]
        await asyncio.gather(*pending)

    async def _insist(self, command: Command, key: str) -> None:
        """A caller that comes again until it has an answer, whatever dies meanwhile."""
        if isinstance(command, Accept) and command.need_id != "absent":
            await self._world.until(lambda: self._opened(command.need_id), "the need")
        while True:
            node = self._now["notes"]
            asked = asyncio.ensure_future(self._world.insist(node, command, key))
            died = asyncio.ensure_future(node.crashed.wait())
            await asyncio.wait({asked, died}, return_when=asyncio.FIRST_COMPLETED)
            died.cancel()
            if asked.done():
                assert isinstance(asked.exception(), Rejected) or isinstance(asked.result(), Reply)
                return
            asked.cancel()
            await asyncio.gather(asked, died, return_exceptions=True)
            await asyncio.sleep(0.05)

    async def _opened(self, need_id: str) -> bool:
        return need_id in await self._world.documents("notes", "needs")

    async def _outages(self) -> None:
        if not self._story.outages:
            return
        world = self._world
        await asyncio.sleep(0.01)
        world.broker.away = True
        await asyncio.sleep(3.0)
        world.broker.away = False
        world.broker.wake()
        await asyncio.sleep(0.5)
        world.servers["notes"].away = True
        await asyncio.sleep(1.0)
        world.servers["notes"].away = False

    async def _no_timers(self) -> bool:
        return not await self._world.documents("notes", Timer.COLLECTION)
