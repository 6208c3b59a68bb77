"""``python -m services.<name> ops``: what an operator does to lanes."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID

from shared.admin import DeadLetters, beginnings
from shared.brokers import Brokers
from shared.contracts import TOPICS, topics_read_by
from shared.errors import Rejected, Transient
from shared.flow import control
from shared.flow.documents import LANES, Document
from shared.flow.erased import erase
from shared.flow.ports import Conflict, Database, DeadTopic, Now
from shared.flow.rebuild import progress, rebuild
from shared.flow.replay import replay
from shared.flow.restored import restored
from shared.flow.runtime import Runtime
from shared.flow.states import State, republish

WITH_BROKER = ("replay", "rebuild", "republish", "restored")
"""What needs the broker from its first step; of all else only an erasure does, for its last."""


def add_parser(verbs: Any) -> None:
    """Declare the verbs."""
    parser = verbs.add_parser("ops", help="lanes, hold, release, erase, replay, rebuild, republish, restored")
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("lanes", help="every lane's control document, a JSON line each")
    held = acts.add_parser("hold", help="stop a lane until it is released")
    held.add_argument("lane")
    held.add_argument("reason")
    released = acts.add_parser("release", help="let a held lane go on, past a gap if that held it")
    released.add_argument("lane")
    erased = acts.add_parser("erase", help="take a person's texts out of this service, for good")
    erased.add_argument("--person", help="the person's id; read from standard input if it is not given")
    acts.add_parser("replay", help="feed dead letters to the handler that failed, once each")
    rebuilt = acts.add_parser("rebuild", help="take projections away and fold them again from the topics")
    rebuilt.add_argument(
        "--what-is-left", action="store_true", help="also where a topic no longer has its first records"
    )
    acts.add_parser("republish", help="send the current state of everything that has a state event")
    acts.add_parser("restored", help="before a lane starts on a database from a backup: shut out what was lost")
    rebuilt.add_argument("--wait", action="store_true", help="until all lanes are where they were, with a bar")


@dataclass(frozen=True, slots=True)
class Stores:
    """What the acts that need no broker to begin with work on: all kinds that the service keeps, and its letters."""

    database: Database
    kinds: Sequence[type[Document]]
    dead: DeadTopic
    now: Now


async def operate(stores: Stores, chosen: argparse.Namespace) -> int:
    """Look at lanes, hold or release one, erase a person.

    Returns 0 when it was done, 1 when there was none to do it to, 75 to try again.
    """
    database = stores.database
    try:
        match chosen.act:
            case "lanes":
                return await _lanes(database)
            case "hold":
                done = await control.hold(database, chosen.lane, chosen.reason)
                return _say({"held": chosen.lane}) if done else _say({"no such lane": chosen.lane}, 1)
            case "erase":
                return await _erase(stores, chosen.person)
            case _:
                done = await control.release(database, chosen.lane)
                return _say({"released": chosen.lane}) if done else _say({"not held": chosen.lane}, 1)
    except (Transient, Conflict) as error:
        return _say({"try again": str(error)}, 75)


@dataclass(frozen=True, slots=True)
class Means:
    """What the acts that need the broker work with: the service's parts, and where the broker is."""

    runtime: Runtime
    kinds: Sequence[type[Document]]
    states: Sequence[State]
    brokers: Brokers


async def work(means: Means, chosen: argparse.Namespace) -> int:
    """Rebuild, republish, replay, restored; 0 when it was done, 1 when it was refused, 75 to try again."""
    runtime = means.runtime
    try:
        if chosen.act == "rebuild":
            return await _rebuild(means, chosen)
        if chosen.act == "restored":
            return _say({"restored": await restored(runtime, means.states)})
        if await progress(runtime.database):
            return _say({"try again": "a rebuild is going on"}, 75)
        if chosen.act == "republish":
            return _say({"republished": await republish(runtime, means.states)})
        return await _replay(runtime, means.brokers)
    except Rejected as error:
        return _say({"refused": error.type, "detail": error.detail}, 1)
    except (Transient, Conflict) as error:
        return _say({"try again": str(error)}, 75)


async def _rebuild(means: Means, chosen: argparse.Namespace) -> int:
    runtime, kinds, brokers = means.runtime, means.kinds, means.brokers
    read = topics_read_by(runtime.scope.service)
    firsts = await beginnings(brokers, {topic.name: runtime.scope.lanes[topic.key] for topic in read})
    cut = sorted({topic for (topic, _), first in firsts.items() if first and TOPICS[topic].cleanup == "delete"})
    if cut and not chosen.what_is_left:
        return _say({"refused": "the first records are gone", "topics": cut}, 1)
    await rebuild(runtime, kinds)
    if chosen.wait:
        await watch(runtime.database)
    return _say(
        {"rebuilding" if await progress(runtime.database) else "rebuilt": [k.COLLECTION for k in kinds if k.REBUILT]}
    )


async def watch(database: Database) -> None:
    """A bar for each lane until a rebuild is done; a database that is away for a moment is asked again, since the
    lanes fold without this command."""
    with Progress(console=Console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}
        while True:
            with suppress(Transient):
                left = await progress(database)
                for lane in left:
                    if lane.lane not in tasks:
                        tasks[lane.lane] = bar.add_task(lane.lane, total=lane.total)
                    bar.update(tasks[lane.lane], completed=lane.done)
                for name in tasks.keys() - {lane.lane for lane in left}:
                    bar.update(tasks[name], completed=bar.tasks[tasks[name]].total)
                if not left:
                    return
            await asyncio.sleep(1.0)


async def _replay(runtime: Runtime, brokers: Brokers) -> int:
    """Feed the dead letters that are there now to the handlers that failed."""
    letters = DeadLetters(brokers, runtime.scope.service).letters()
    return _say({"replayed": await replay(runtime, letters)})


async def _erase(stores: Stores, person: str | None) -> int:
    """The id stands in no log and in no answer."""
    person = person or sys.stdin.readline().strip()
    if not person:
        return _say({"refused": "no person is named"}, 1)
    letters = await erase(stores.database, stores.dead, stores.kinds, person, stores.now)
    return _say({"erased": [kind.COLLECTION for kind in stores.kinds if kind.TEXTS], "letters told again": letters})


async def _lanes(database: Database) -> int:
    for document in await database.find(LANES, {}, sort=[("_id", 1)]):
        lane = control.read_control(document["_id"], document)
        _say(
            {
                "lane": lane.lane,
                "epoch": lane.epoch,
                "batch": lane.batch,
                "next": dict(lane.next),
                "unsent_batches": len(lane.outbox),
                "unsent_records": sum(len(b.records) for b in lane.outbox),
                "held": lane.held,
                "mute": dict(lane.mute),
                "lease": lane.lease.isoformat() if lane.lease else None,
            }
        )
    return 0


def _say(what: dict[str, Any], status: int = 0) -> int:
    sys.stdout.write(json.dumps(what, ensure_ascii=False) + "\n")
    return status
