"""Notes, groups and moderation as they are, on the fakes, with gates that hold: texts, crashes, an end."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Literal

from services.groups.core import Charter
from services.groups.core import Message as Said
from services.groups.handlers import JoinGroup, OpenGroup, PostMessage
from services.groups.handlers import router as groups
from services.groups.settings import Settings as GroupsSettings
from services.moderation.core import blank
from services.moderation.handlers import router as moderation
from services.moderation.settings import Settings as ModerationSettings
from services.moderation.view import BarView, ModelView, RulesView, ShadowView
from services.notes.core import Comment, Note
from services.notes.handlers import router as notes
from services.notes.handlers.commands import PostComment, PostNote
from services.notes.settings import Settings as NotesSettings
from shared.contracts import KEYS, TOPICS, Envelope, Event, event_type, topics_read_by
from shared.contracts.topics import POLICY
from shared.errors import Rejected
from shared.flow.documents import Timer
from shared.flow.ports import Json, View
from shared.flow.router import Command, Reply, Router
from shared.gate import Gate
from shared.release import base_rules
from shared.rules import RuleSet, ruleset
from shared.telemetry import GateMetrics
from tests.fakes.clock import simulate
from tests.fakes.world import FakeWorld
from tests.property.story import Crashing
from tests.suites.world import Node

EDGE: Mapping[str, Any] = {"kafka": "k:1", "mongo": "mongodb://x", "jwks": "http://x", "issuer": "i"}
SERVICES = ("notes", "groups", "moderation")
HOLD = timedelta(seconds=10)
SOON = 6.0
"""Seconds after which whatever died has its lanes again and goes on."""
STRICT = '''
phrases drink = """
    喝茶
"""
rule tea "茶"
  hide
  when text has drink
  catches "喝茶"
  spares "水"
'''
Place = Literal["note", "comment", "message"]
Told = tuple[Envelope, Any]


@cache
def strict() -> RuleSet:
    """The rules of the release, and one that moderation has taken back since: what the gates were told before that."""
    return ruleset(base_rules().source + STRICT)


@dataclass(frozen=True)
class Story:
    """What people write, and what breaks.

    ``written``: place, text, and the seconds until the next one. ``away``: seconds for which moderation is not there at
    first. ``told``: seconds until the gate of a new process has read what moderation tells: until then it is open.
    """

    written: Sequence[tuple[Place, str, float]]
    away: float = 0.0
    told: float = 0.0
    crashes: Sequence[Crashing] = ()
    seed: int = 0


@dataclass(frozen=True)
class End:
    """What is left: what each text was answered (whether it is held), what is stored of it, and what was told."""

    answers: Mapping[str, bool]
    stored: Mapping[str, Json]
    told: Sequence[Told]
    crashes: int


def tell(story: Story) -> End:
    """Run a story to its end on a jumping loop. Raises AssertionError where something waits for ever."""

    async def run() -> End:
        return await _Town(story).run()

    return simulate(run)


_READS: Mapping[str, Mapping[str, Sequence[str]]] = {
    service: {
        key: [topic.name for topic in topics_read_by(service) if topic.key == key]
        for key in dict.fromkeys(topic.key for topic in topics_read_by(service))
    }
    for service in SERVICES
}


class _World(FakeWorld):
    reads = _READS

    @property
    def lanes(self) -> dict[str, int]:
        return dict.fromkeys(KEYS, self.partitions)


class _Town:
    def __init__(self, story: Story) -> None:
        self._story = story
        self._crashes = list(story.crashes)
        self._world = _World(story.seed)
        self._now: dict[str, Node] = {}
        self._beside: set[asyncio.Task[None]] = set()
        self._answers: dict[str, bool] = {}
        self._crashed = self._asked = 0

    async def run(self) -> End:
        """Everybody writes; then all has to come to an end."""
        world, story = self._world, self._story
        for service in ("notes", "groups"):
            await self._begin(service)
        await self._found()
        coming = asyncio.create_task(self._come())
        for number, (place, text, pause) in enumerate(story.written):
            await self._write(place, f"{place}-{number}", text)
            await asyncio.sleep(pause)
        if story.away:
            await asyncio.sleep(HOLD.total_seconds() + SOON)
        if "moderation" not in self._now:
            assert not [id_ for id_, stored in (await self._texts()).items() if stored["hidden"]], "held for ever"
        await coming
        await world.quiet()
        await world.until(self._no_holds, "holds have ended")
        await world.quiet()
        told = [self._read(r) for topic in TOPICS for r in await world.records(topic) if r.headers]
        end = End(self._answers, await self._texts(), told, self._crashed)
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await world.close()
        assert not world.surprises, world.surprises
        return end

    # -- processes -----------------------------------------------------------------------------------------

    async def _come(self) -> None:
        await asyncio.sleep(self._story.away)
        await self._begin("moderation")

    async def _begin(self, service: str) -> None:
        crash = next((c for c in self._crashes if c.service == service), None)
        if crash is not None:
            self._crashes.remove(crash)
        gate = Gate(strict(), (), HOLD, GateMetrics(), asyncio.get_running_loop().time)
        node = await self._world.start(
            service,
            router=self._router(service, gate),
            views=self._views(service),
            crash_at=(crash.label, crash.occurrence) if crash else None,
        )
        self._now[service] = node
        for work in (self._watch(node), self._follow(node, gate)):
            task = asyncio.create_task(work)
            self._beside.add(task)
            task.add_done_callback(self._beside.discard)

    async def _watch(self, node: Node) -> None:
        await node.crashed.wait()
        self._crashed += 1
        await self._world.kill(node)
        await self._begin(node.service)

    async def _follow(self, node: Node, gate: Gate) -> None:
        """What the follower of a gate does, on a broker that has no plain consumers."""
        await asyncio.sleep(self._story.told)
        while not node.crashed.is_set():
            for record in await self._world.records(POLICY.name):
                envelope, event = self._read(record)
                gate.take(event, envelope)
            gate.caught_up()
            await asyncio.sleep(1.0)

    def _views(self, service: str) -> tuple[View, ...]:
        database, origin = self._world.database(service), blank()
        if service != "moderation":
            return ()
        rules = RulesView(database, 1.0, base_rules())
        return rules, ShadowView(database, 1.0), ModelView(database, 1.0, origin), BarView(database, 1.0, origin)

    @staticmethod
    def _router(service: str, gate: Gate) -> Router:
        if service == "moderation":
            return moderation(ModerationSettings(**EDGE))
        return notes(NotesSettings(**EDGE), gate) if service == "notes" else groups(GroupsSettings(**EDGE), gate)

    # -- people --------------------------------------------------------------------------------------------

    async def _found(self) -> None:
        charter = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
        await self._insist("groups", OpenGroup(person_id="gus", group_id="g", name="G", charter=charter, seats=9))
        await self._insist("groups", JoinGroup(person_id="bob", group_id="g", answer=None))
        about: dict[str, Any] = {"title": "t", "text": "x", "topic": None, "place": None, "intent": None}
        await self._insist("notes", PostNote(person_id="ann", note_id="n", **about))

    async def _write(self, place: Place, id_: str, text: str) -> None:
        about: dict[str, Any] = {"person_id": "bob", "text": text}
        command: Command
        match place:
            case "note":
                command = PostNote(note_id=id_, title="t", topic=None, place=None, intent=None, **about)
            case "comment":
                command = PostComment(comment_id=id_, note_id="n", parent_id=None, **about)
            case "message":
                command = PostMessage(message_id=id_, group_id="g", parent_id=None, **about)
        reply = await self._insist("groups" if place == "message" else "notes", command)
        self._answers[id_] = bool(reply.body["held"])

    async def _insist(self, service: str, command: Command) -> Reply:
        """A caller that comes again with its key until it has an answer, whatever dies meanwhile."""
        self._asked += 1
        key = f"key-{self._asked}"
        while True:
            node = self._now[service]
            asked = asyncio.ensure_future(self._world.insist(node, command, key))
            died = asyncio.ensure_future(node.crashed.wait())
            await asyncio.wait({asked, died}, return_when=asyncio.FIRST_COMPLETED)
            died.cancel()
            if asked.done() and not asked.cancelled():
                assert not isinstance(asked.exception(), Rejected), asked.exception()
                return asked.result()
            asked.cancel()
            await asyncio.gather(asked, died, return_exceptions=True)
            await asyncio.sleep(0.05)

    # -- the end -------------------------------------------------------------------------------------------

    async def _no_holds(self) -> bool:
        timers = [id_ for s in ("notes", "groups") for id_ in await self._world.documents(s, Timer.COLLECTION)]
        return not [id_ for id_ in timers if id_.startswith("held:")]

    async def _texts(self) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for service, kind in (("notes", Note), ("notes", Comment), ("groups", Said)):
            found |= await self._world.documents(service, kind.COLLECTION)
        return {id_: stored for id_, stored in found.items() if id_ in self._answers}

    @staticmethod
    def _read(record: Any) -> Told:
        envelope = Envelope.of(record.headers)
        return envelope, event_type(envelope.type).model_validate_json(record.value)


def told_of(end: End, *kinds: type[Event]) -> dict[str, list[Told]]:
    """What was told of each text, by subject: each once, in the order of its sequence."""
    found: defaultdict[str, dict[str, Told]] = defaultdict(dict)
    for envelope, event in end.told:
        if isinstance(event, kinds):
            found[envelope.subject].setdefault(envelope.id, (envelope, event))
    return {id_: sorted(once.values(), key=lambda told: told[0].sequence) for id_, once in found.items()}
