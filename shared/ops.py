"""``python -m services.<name> ops``: what an operator does to lanes."""

import argparse
import json
import sys
from typing import Any

from shared.admin import dead_letters
from shared.contracts import dead_topic
from shared.errors import Transient
from shared.flow import control
from shared.flow.documents import LANES
from shared.flow.ports import Conflict, Database
from shared.flow.replay import replay
from shared.flow.runtime import Runtime


def add_parser(verbs: Any) -> None:
    """Declare the verbs."""
    parser = verbs.add_parser("ops", help="lanes, hold, release, replay")
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("lanes", help="every lane's control document, a JSON line each")
    held = acts.add_parser("hold", help="stop a lane until it is released")
    held.add_argument("lane")
    held.add_argument("reason")
    released = acts.add_parser("release", help="let a held lane go on, past a gap if that held it")
    released.add_argument("lane")
    acts.add_parser("replay", help="feed dead letters to the handler that failed, once each")


async def operate(database: Database, chosen: argparse.Namespace) -> int:
    """Look at lanes, hold or release one; 0 when it was done, 1 when there was none to do it to, 75 to try again."""
    try:
        match chosen.act:
            case "lanes":
                return await _lanes(database)
            case "hold":
                done = await control.hold(database, chosen.lane, chosen.reason)
                return _say({"held": chosen.lane}) if done else _say({"no such lane": chosen.lane}, 1)
            case _:
                done = await control.release(database, chosen.lane)
                return _say({"released": chosen.lane}) if done else _say({"not held": chosen.lane}, 1)
    except (Transient, Conflict) as error:
        return _say({"try again": str(error)}, 75)


async def replay_letters(runtime: Runtime, servers: str) -> int:
    """Feed the dead letters that are there now to the handlers that failed; 0 when done, 75 to try again."""
    service = runtime.scope.service
    partitions = runtime.scope.partitions[dead_topic(service).name]
    try:
        counts = await replay(runtime, dead_letters(servers, service, partitions))
    except Transient as error:
        return _say({"try again": error.reason}, 75)
    return _say({"replayed": counts})


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
                "lease": lane.lease.isoformat() if lane.lease else None,
            }
        )
    return 0


def _say(what: dict[str, Any], status: int = 0) -> int:
    sys.stdout.write(json.dumps(what, ensure_ascii=False) + "\n")
    return status
