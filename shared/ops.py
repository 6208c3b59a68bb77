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
from shared.flow.lane import Runtime
from shared.flow.replay import replay


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


async def operate(runtime: Runtime, servers: str, chosen: argparse.Namespace) -> int:
    """Carry out one act; 0 when it was done, 1 when there was nothing to do it to, 75 to try again."""
    try:
        match chosen.act:
            case "lanes":
                return await _lanes(runtime)
            case "hold":
                await control.hold(runtime.database, chosen.lane, chosen.reason)
                return _say({"held": chosen.lane})
            case "release":
                done = await control.release(runtime.database, chosen.lane)
                return _say({"released": chosen.lane}) if done else _say({"not held": chosen.lane}, 1)
            case _:
                service = runtime.scope.service
                partitions = runtime.scope.partitions[dead_topic(service).name]
                counts = await replay(runtime, dead_letters(servers, service, partitions))
                return _say({"replayed": counts})
    except Transient as error:
        return _say({"try again": error.reason}, 75)


async def _lanes(runtime: Runtime) -> int:
    stored = await runtime.database.find(LANES, {}, sort=[("_id", 1)])
    for document in stored:
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
