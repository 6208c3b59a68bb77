"""One world from its plan to its end: clients, faults, healing, and what is left for the checker."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

from shared.contracts import Envelope, dead_topic
from shared.contracts.topics import NOTE
from shared.errors import Rejected, Transient
from shared.flow import alarms
from shared.flow.alarms import Poison
from shared.flow.documents import LANES, Timer
from shared.flow.fold import Limits
from shared.flow.ports import Json
from shared.flow.rebuild import progress
from shared.flow.router import Command
from tests.simulation import services, surprises
from tests.simulation.end import Answered, End, Lost, Seen
from tests.simulation.loop import StoppingLoop
from tests.simulation.operator import Operator, insist
from tests.simulation.plan import FAULTY, SERVICES, TOPICS, Ask, Fault, Plan
from tests.simulation.safeguards import replaced
from tests.simulation.world import POISON, SimulatedWorld
from tests.suites.world import Node

LIVENESS = 150.0
"""Seconds after the last fault within which everything is done. A server ends a dead process's transaction after 60."""
SLOTS = 3
PASSING = ("kill", "crash", "commit", "send")
"""Faults that take no time."""


def run(plan: Plan) -> End:
    """Run a plan to its end on a loop of its own; the same plan ends the same."""

    async def main() -> End:
        return await _Run(plan).to_the_end()

    surprises.take()
    horizon = replaced(alarms, "INBOX_KEPT", timedelta(seconds=plan.horizon))
    with horizon, asyncio.Runner(loop_factory=StoppingLoop) as runner:
        return runner.run(main())


class _Run:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.world = SimulatedWorld(plan.seed, plan.skew)
        self.world.poison = Poison(least=plan.deaths)
        self.rng = random.Random(plan.seed + 1)
        self.end = End(plan, [Answered(ask) for ask in plan.asks])
        self.operator = Operator(self.world, self.end, self._tell, self._go_on)
        self.wanted = Counter(plan.nodes)
        self._watchers: set[asyncio.Task[None]] = set()
        self._buried: set[Node] = set()
        self._harmed: set[Node] = set()
        """Those that stand still or are out of their groups: no second fault of that sort meets them."""
        self._healed = False
        self._down: set[str] = set()
        """Services that an operator has scaled to nothing."""
        self._cut = asyncio.Event()
        """Set when all connections of clients are cut."""

    async def to_the_end(self) -> End:
        world, end = self.world, self.end
        for service in SERVICES:
            for _ in range(self.plan.nodes[service]):
                await self._begin(service)
        clients = [asyncio.create_task(self._client(answered)) for answered in end.answers]
        faults = [asyncio.create_task(self._fault(fault)) for fault in self.plan.faults]
        self._spawn(self.operator.watch())
        try:
            await asyncio.sleep(FAULTY)
            await asyncio.wait(faults, timeout=60.0) if faults else None
            await self._heal(faults)
            async with asyncio.timeout(LIVENESS):
                await asyncio.gather(*clients)
                await self._still()
                end.before_replay = {service: await self._letters(service) for service in SERVICES}
                world.toy.broken = False
                for _ in range(2):
                    for service in [s for s in SERVICES if await self._letters(s)]:
                        await self.operator.replay(service)
                    await self._still()
                await self._look()
                await asyncio.gather(*(node.process.stop(30.0) for node in self.world.nodes))
        except (TimeoutError, AssertionError):
            end.stuck = await self._why_stuck(clients)
        finally:
            for task in [*clients, *faults, *self._watchers]:
                task.cancel()
            await asyncio.gather(*clients, *faults, *self._watchers, return_exceptions=True)
        await self._collect()
        await world.close()
        end.surprises += [*world.surprises, *surprises.take()]
        return end

    # -- processes -----------------------------------------------------------------------------------------

    async def _begin(self, service: str) -> None:
        limits = Limits(inputs=self.plan.inputs, outbox=self.plan.outbox)
        try:
            views = self.world.views(service)
            node = await self.world.start(service, limits=limits, slots=SLOTS, views=views)
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            return  # it was killed while it started
        self._spawn(self._watch(node))

    def _spawn(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(what)
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    async def _watch(self, node: Node) -> None:
        """Whatever dies is started again as long as there are too few."""
        await node.crashed.wait()
        await self._bury(node)
        await asyncio.sleep(self.rng.choice([0.0, 0.5, 3.0]))
        await self._fill(node.service)

    async def _bury(self, node: Node) -> None:
        if node not in self._buried:
            self._buried.add(node)
            crashed = node.crash_at is not None and node.labels[node.crash_at[0]] == node.crash_at[1]
            self._tell(f"{self._name(node)} dies at {node.crash_at if crashed else 'a kill'}")
            self.end.labels += node.labels
            if crashed and node.crash_at is not None:
                self.end.deaths[node.crash_at[0]] += 1
            await self.world.kill(node)

    async def _fill(self, service: str) -> None:
        while service not in self._down and sum(n.service == service for n in self.world.nodes) < self.wanted[service]:
            await self._begin(service)

    async def _go_on(self, service: str) -> None:
        self._down.discard(service)
        await self._fill(service)

    def _pick(self, fault: Fault) -> Node | None:
        living = [n for n in self.world.nodes if n.service == fault.service and not n.crashed.is_set()]
        return living[fault.which % len(living)] if living else None

    def _name(self, node: Node) -> str:
        return f"{node.service}/{self.world.numbers[node]}"

    # -- faults --------------------------------------------------------------------------------------------

    async def _fault(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        self.end.injected[f"{fault.kind} {fault.what}".strip() if fault.kind in ("commit", "send") else fault.kind] += 1
        self._tell(f"{fault.kind} {fault.service} {fault.what} {fault.seconds or ''}".strip())
        match fault.kind:
            case "broker away" | "database away":
                await self._outage(fault)
            case "rewind":
                self.world.rewind(fault.service, fault.what)
            case "resend":
                self.world.resend(fault.what, fault.which)
            case "poison":
                for _ in range(int(fault.seconds)):
                    await insist(lambda: self.world.spoil(fault.what, fault.which))
            case "hold":
                await self.operator.hold(fault)
            case "rebuild":
                await self.operator.rebuild(fault)
            case "restore":
                await self._restore(fault)
            case "erase":
                await self.operator.erase(fault.what, fault.seconds)
            case "replay":
                await self.operator.replay(fault.service, fault.seconds)
            case "mend":
                self.world.toy.broken = False
            case "grow":
                self.wanted[fault.service] += 1
                await self._fill(fault.service)
            case _:
                node = self._pick(fault)
                if node is not None and fault.kind in PASSING:
                    await self._harm(node, fault)
                elif node is not None and node not in self._harmed:
                    self._harmed.add(node)
                    await self._harm(node, fault)
                    self._harmed.discard(node)

    async def _harm(self, node: Node, fault: Fault) -> None:
        world = self.world
        match fault.kind:
            case "kill":
                node.crashed.set()
            case "crash":
                node.crash_at = (fault.what, node.labels[fault.what] + 1)
            case "freeze":
                await world.freeze(node, fault.seconds)
            case "zombie":
                await self._reach(node, fault.what)
                if node in world.nodes:  # it may have died meanwhile
                    await world.zombie(node, fault.seconds)
            case "lag":
                consumers = world.consumers(node)
                for consumer in consumers:
                    consumer.blocked = True
                await asyncio.sleep(fault.seconds)
                for consumer in consumers:
                    consumer.blocked = False
                    consumer.more.set()
            case "cut":
                node.publisher.away = True
                await asyncio.sleep(fault.seconds)
                node.publisher.away = False
            case "expel":
                async with world.membership:
                    await world.expel(node)
                await asyncio.sleep(fault.seconds)
                await world.rejoin(node)
            case "shrink" if self.wanted[fault.service] > 1:
                self.wanted[fault.service] -= 1
                await self._stop(node)
                await asyncio.sleep(fault.seconds)
            case "commit":
                node.database.commits.append(fault.what)  # type: ignore[arg-type]
                if fault.seconds:
                    node.database.reply.clear()
                    await asyncio.sleep(fault.seconds)
                    node.database.reply.set()
            case "send":
                node.publisher.faults.append(fault.what)  # type: ignore[arg-type]

    async def _reach(self, node: Node, label: str) -> None:
        """Wait until a node comes to a label, for a while, and stop it right there."""
        if not label:
            return
        reached = asyncio.Event()

        def passing(passed: str) -> None:
            if passed == label and not reached.is_set():
                reached.set()
                self.world.loop.stop_node(node)

        node.passing = passing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await reached.wait()
        node.passing = lambda passed: None

    async def _stop(self, node: Node) -> None:
        await node.process.stop(10.0)
        if not node.crashed.is_set():
            await self._bury(node)

    async def _restore(self, fault: Fault) -> None:
        """A service's database is set back to a backup. With ``what`` one process is not found: it stands still, and
        wakes later.
        """
        service, server, loop = fault.service, self.world.servers[fault.service], asyncio.get_running_loop()
        backup, taken = server.backup(), loop.time()
        await asyncio.sleep(fault.seconds)
        async with asyncio.TaskGroup() as group, self.operator.busy[service]:
            self._down.add(service)
            sleeper = self._pick(fault) if fault.what else None
            if sleeper in self._harmed:
                sleeper = None
            if sleeper is not None:
                group.create_task(self._sleep(sleeper, self.rng.choice([0.5, 5.0, 15.0])))
            await self._shut_down(service, sleeper)
            if service == "notes":
                self._cut.set()
                self._cut = asyncio.Event()
            await self.operator.put_back(Lost(service, taken, loop.time()), backup)

    async def _sleep(self, node: Node, seconds: float) -> None:
        self._harmed.add(node)
        await self.world.zombie(node, seconds)
        self._harmed.discard(node)

    async def _shut_down(self, service: str, sleeper: Node | None) -> None:
        while running := [n for n in self.world.nodes if n.service == service and n is not sleeper]:
            for node in running:
                node.crashed.set()
            await asyncio.sleep(0.1)

    async def _outage(self, fault: Fault) -> None:
        part: Any = self.world.broker if fault.kind == "broker away" else self.world.servers[fault.service]
        part.away = True
        await asyncio.sleep(fault.seconds)
        part.away = False
        self.world.broker.wake()

    async def _heal(self, faults: Sequence["asyncio.Task[None]"]) -> None:
        self._tell("all heals")
        self._healed = True
        world = self.world
        world.broker.away = False
        for server in world.servers.values():
            server.away = False
        for node in list(world.nodes):
            world.loop.continue_node(node)
        for fault in faults:
            fault.cancel()
        await asyncio.gather(*faults, return_exceptions=True)
        for node in list(world.nodes):
            world.loop.continue_node(node)
            await world.rejoin(node)
            node.crash_at = None
            node.passing = lambda passed: None
            node.database.commits.clear()
            node.database.reply.set()
            for consumer in world.consumers(node):
                consumer.blocked = False
            node.publisher.away = False
            node.publisher.faults.clear()
        world.broker.wake()
        for service in SERVICES:
            if service not in self.operator.untold:
                await self._go_on(service)
        await self.operator.finish()

    # -- clients -------------------------------------------------------------------------------------------

    async def _client(self, answered: Answered) -> None:
        ask = answered.ask
        await asyncio.sleep(ask.at)
        key = f"{ask.kind}-{ask.id}" if ask.keyed else None
        command = _command(ask)
        tried = False
        while True:
            try:
                reply = await self._submit(command, key, 20.0 if self._healed else ask.patience)
            except Rejected as refused:
                if not (tried and self.operator.forgets(ask.person)):  # its reply under the key is gone
                    answered.last = asyncio.get_running_loop().time()
                    answered.outcome, answered.body = "refused", {"type": refused.type}
                break
            except (Transient, TimeoutError, ConnectionError) as error:
                tried |= not isinstance(error, ConnectionError)
                if key is None:
                    break
                await asyncio.sleep(self.rng.choice([0.0, 0.1, 1.0]))
                continue
            answered.last = asyncio.get_running_loop().time()
            if answered.outcome == "accepted":
                answered.repeated = {"status": reply.status, **reply.body}
                break
            tried = True
            answered.outcome, answered.body = "accepted", {"status": reply.status, **reply.body}
            answered.at = answered.last
            if not (ask.again and key):
                break
            await asyncio.sleep(self.rng.choice([0.0, 1.0, 5.0]))
        self._tell(f"{ask.kind} {ask.id} {ask.note_id} {ask.text!r} is {answered.outcome} {answered.body}")

    async def _submit(self, command: Command, key: str | None, patience: float) -> Any:
        living = [n for n in self.world.nodes if n.service == "notes" and n.process.slots.ready]
        if not living:
            await asyncio.sleep(0.1)
            raise ConnectionError
        node = self.rng.choice(living)
        asked = asyncio.ensure_future(node.process.slots.submit(command, correlation="test", key=key, digest=b"d"))
        died, cut = (asyncio.ensure_future(event.wait()) for event in (node.crashed, self._cut))
        await asyncio.wait({asked, died, cut}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        done = asked.done()
        for future in (asked, died, cut):
            future.cancel()
        await asyncio.gather(asked, died, cut, return_exceptions=True)
        if not done or asked.cancelled():
            raise TimeoutError
        return asked.result()

    # -- the end -------------------------------------------------------------------------------------------

    async def _still(self) -> None:
        """Every lane has an owner, everything is read, sent, and due."""
        self.world.patience = LIVENESS
        await self.world.until(self._all_owned, "every lane has an owner")
        await self.world.until(self._no_rebuild, "rebuilds are done")
        await self.world.until(lambda: not self.world.wire, "what is late has come")
        while True:
            await self.world.until(self._none_held, "what is held is released, and goes on")
            await self.world.quiet()
            await self.world.until(self._no_timers)
            await self.world.quiet()
            if await self._none_held():
                return

    async def _none_held(self) -> bool:
        """A lane hears of its release a little later; until then nothing waits for it."""
        lanes = [lane for node in self.world.nodes for lane in node.process.lanes]
        return not any(lane.held for lane in lanes) and not await self.operator.held()

    async def _look(self) -> None:
        """What the views hold, once each lane has folded something more."""
        await asyncio.sleep(services.LOOK)
        self.end.looked = asyncio.get_running_loop().time()
        again = self.world.last_again(NOTE.name)
        await self.world.quiet()
        for node in self.world.nodes:
            if again & {lane.partition for keys in node.process.keys.values() for lane in keys.lanes}:
                for view in node.runtime.views:
                    assert isinstance(view, services.FollowedView)
                    self.end.views.append({id_: document.edits for id_, document in view.documents.items()})

    async def _no_rebuild(self) -> bool:
        return not [lane for service in SERVICES for lane in await progress(self.world.database(service))]

    def _all_owned(self) -> bool:
        owned = {(node.service, lane.name) for node in self.world.nodes for lane in node.process.lanes}
        wanted = {
            (service, f"{key}:{n}")
            for service, keys in services.READS.items()
            for key in keys
            for n in range(self.world.partitions)
        }
        return wanted <= owned

    async def _no_timers(self) -> bool:
        """None is stored, and whose commit took the last one away has heard that it did: its outbox tells."""
        if await self.world.documents("notes", Timer.COLLECTION):
            return False
        return all(lane.phase == "idle" for node in self.world.nodes for lane in node.process.lanes)

    async def _letters(self, service: str) -> list[Json]:
        return [json.loads(record.value or b"") for record in await self.world.records(dead_topic(service).name)]

    async def _why_stuck(self, clients: Sequence["asyncio.Task[None]"]) -> str:
        waiting = [a.ask.id for a, c in zip(self.end.answers, clients, strict=True) if not c.done()]
        lanes = [f"{n.service} {r.name} {r.phase} {r.held}" for n in self.world.nodes for r in n.process.reports()]
        timers = list(await self.world.documents("notes", Timer.COLLECTION))
        controls = {
            f"{service} {name}": {k: v for k, v in stored.items() if k != "session"}
            for service in SERVICES
            for name, stored in (await self.world.documents(service, LANES)).items()
            if stored.get("outbox") or stored.get("held") or stored.get("mute")
        }
        behind = {
            f"{n.service} {r.name}": (r.lag_records, n.lane(int(r.name[-1]), r.name.split(":")[0]).done)
            for n in self.world.nodes
            for r in n.process.reports()
            if not r.name.startswith("api") and r.lag_records
        }
        return f"clients {waiting}; timers {timers}; lanes {lanes}; outboxes {controls}; behind {behind}"

    async def _collect(self) -> None:
        world, end = self.world, self.end
        for node in world.nodes:
            end.labels += node.labels
        for service in SERVICES:
            end.documents[service] = await world.stored(service)
            end.letters[service] = await self._letters(service)
        end.copied = world.copied
        for topic in (*TOPICS, *(dead_topic(service).name for service in SERVICES)):
            records = await world.records(topic)
            end.poisoned += [(r.topic, r.partition, r.offset) for r in records if r.value == POISON]
            end.records[topic] = [
                Seen(
                    place,
                    about.id,
                    about.type,
                    about.sequence,
                    world.came[place],
                    about.time,
                    json.loads(record.value or b""),
                )
                for record in records
                if record.value != POISON
                for place in [(record.topic, record.partition, record.offset)]
                for about in [Envelope.of(record.headers)]
            ]

    def _tell(self, what: str) -> None:
        self.end.story.append(f"{asyncio.get_running_loop().time():8.3f}  {what}")


def _command(ask: Ask) -> Command:
    match ask.kind:
        case "post":
            return services.Post(person_id=ask.person, comment_id=ask.id, note_id=ask.note_id, text=ask.words)
        case "edit":
            return services.Edit(person_id="p", note_id=ask.note_id)
        case "take":
            return services.Take(person_id=ask.id, note_id=ask.note_id)
        case "shut":
            return services.Shut(person_id="p", note_id=ask.note_id)
        case _:
            return services.Answer(person_id="p", need_id=ask.id)
