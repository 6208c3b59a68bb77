"""One world from its plan to its end: clients, faults, healing, and what is left for the checker."""

import asyncio
import json
import random
from collections.abc import Sequence
from datetime import timedelta

from shared.contracts import Envelope, dead_topic
from shared.contracts.topics import NOTE
from shared.flow import alarms
from shared.flow.alarms import Poison
from shared.flow.documents import LANES, Timer
from shared.flow.ports import Json
from shared.flow.rebuild import progress
from tests.simulation import kinds, services, surprises
from tests.simulation.clients import Clients
from tests.simulation.deployment import Deployment
from tests.simulation.end import Answered, End, Seen
from tests.simulation.faults import Faults
from tests.simulation.loop import StoppingLoop
from tests.simulation.operator import Operator
from tests.simulation.plan import FAULTY, SERVICES, TOPICS, Plan
from tests.simulation.safeguards import replaced
from tests.simulation.world import POISONS, UNKNOWN, SimulatedWorld

LIVENESS = 45.0
"""Seconds after the last fault within which everything is done: less than a server leaves a dead process's transaction
open. Lanes kill the session of whom they follow; what a killed command has open is waited for beside it.
"""


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
        world = self.world = SimulatedWorld(plan.seed, plan.skew)
        world.poison = Poison(least=plan.deaths)
        rng = random.Random(plan.seed + 1)
        end = self.end = End(plan, [Answered(ask) for ask in plan.asks])
        self.deployment = Deployment(world, end, self._tell, rng)
        self.operator = Operator(world, end, self._tell, self.deployment.go_on)
        self.clients = Clients(world, self.operator, self._tell, rng)
        self.faults = Faults(world, end, self.operator, self.deployment, self.clients)

    async def to_the_end(self) -> End:
        world, end = self.world, self.end
        await self.deployment.start()
        clients = [asyncio.create_task(self.clients.ask(answered)) for answered in end.answers]
        faults = [asyncio.create_task(self.faults.inject(fault, self._tell)) for fault in self.plan.faults]
        self.deployment.spawn(self.operator.watch())
        watchers = self.deployment.watchers
        try:
            await asyncio.sleep(FAULTY)
            await asyncio.wait(faults, timeout=60.0) if faults else None
            self._tell("all heals")
            healed = asyncio.get_running_loop().time()
            async with asyncio.timeout(LIVENESS + self.operator.tied()):
                await self.faults.heal(faults)
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
            end.drained = asyncio.get_running_loop().time() - healed
        except (TimeoutError, AssertionError):
            end.stuck = await self._why_stuck(clients)
        finally:
            for task in [*clients, *faults, *watchers]:
                task.cancel()
            await asyncio.gather(*clients, *faults, *watchers, return_exceptions=True)
        await self._collect()
        await world.close()
        end.surprises += [*world.surprises, *surprises.take()]
        return end

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
            if await self._none_held() and await self._no_timers():
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
                    assert isinstance(view, kinds.FollowedView)
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
            end.firsts |= {(topic, number): log.first for number, log in enumerate(world.broker.topics[topic])}
            end.poisoned += [(r.topic, r.partition, r.offset) for r in records if r.value in POISONS]
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
                if record.value not in (*POISONS, UNKNOWN)
                for place in [(record.topic, record.partition, record.offset)]
                for about in [Envelope.of(record.headers)]
            ]

    def _tell(self, what: str) -> None:
        self.end.story.append(f"{asyncio.get_running_loop().time():8.3f}  {what}")
