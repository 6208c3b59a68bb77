"""Where an event's time goes: processor time by phase, by a sampling profiler; requests and stored bytes an event."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

from local.processes import Child, wait_for
from shared.contracts.topics import NOTE_VERDICT
from tests.bench.peers.effort import Effort
from tests.bench.peers.stage import BENCH, PEERS, SOON, Running, Stage, stage
from tests.bench.peers.throughput import FIRST, once
from tests.bench.peers.trips import ASK

RATE = 200
"""Samples a second."""
PHASES: tuple[tuple[str, str], ...] = (
    ("commit", r"commit_transaction|_finish_transaction"),
    ("driver", r"bulk_write|_operation \(|to_mongo|writes \(shared|advance \(shared"),
    ("publish", r"aiokafka/producer|publish \(shared|outbox\.py"),
    ("load", r"reading\.py|from_mongo|to_list|cursor"),
    ("driver", r"pymongo/|motor/|bson/"),
    ("decode", r"flow/inputs\.py"),
    ("fold", r"flow/fold\.py|flow/work\.py"),
    ("fetch", r"aiokafka/consumer|aiokafka/record|faststream|shared/consumer\.py|offer \(|aiokafka/"),
)
"""A stack belongs to the first whose pattern it holds. ``driver`` is writing, and what the driver does besides."""
REST = "the rest"


def phase(stack: str) -> str:
    """Of one sampled stack, its frames joined by semicolons."""
    return next((name for name, pattern in PHASES if re.search(pattern, stack)), REST)


def shares(raw: str) -> dict[str, float]:
    """From the profiler's lines, ``frame;frame;frame count``: each phase's share of the samples."""
    seen: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        seen[phase(stack)] += int(count)
    total = seen.total() or 1
    return {name: seen[name] / total for name in (*dict(PHASES), REST)}


async def phases(effort: Effort) -> Mapping[str, Any]:
    """Microseconds an event of ours by phase, at the peak."""
    found = {}
    async with stage(many=effort.comments // 2) as made:
        for name in ("ours", "ours, stubbed"):
            window = await once(made, PEERS[name], effort)
            async with made.at_work(PEERS[name]) as run:
                await run.reach(FIRST)
                raw = await sampled(run, effort.seconds)
            await made.forget(run)
            by = {phase: share * window.micros for phase, share in shares(raw).items()}
            found[name] = {"own_us": window.micros, "phases_us": by}
    return {"peers": found}


async def sampled(run: Running, seconds: float) -> str:
    """What a sampling profiler saw: lines of ``frame;frame;frame count``."""
    place = run.stage.stack.directory / f"{run.job.group}.stacks"
    # Of the thread that holds the interpreter: others wait, for a socket or a queue, which it does not always see.
    argv = [str(BENCH.with_name("py-spy")), "record", "--gil", "--pid", str(run.children[0].pid), "--format", "raw"]
    argv += ["--rate", str(RATE), "--duration", str(max(1, int(seconds))), "--output", str(place)]
    await Child("py-spy", argv, {}, place.with_suffix(".log")).finish(seconds + 30)
    return place.read_text()


async def trips(effort: Effort) -> Mapping[str, Any]:
    """Requests to the database and to the broker, and bytes left in both, for one event."""
    found = {}
    for name, many in (("ours", effort.comments // 10), ("a", effort.comments // 200), ("d", effort.comments // 200)):
        async with stage(many=many) as made:
            counts = made.stack.directory / "trips"
            async with made.at_work(PEERS[name], trips=str(counts)) as run:
                await run.reach(many)
            seen = json.loads(counts.read_text())
            found[name] = {
                "events": many,
                "database_requests": sent_to("mongo", seen) / many,
                "broker_requests": sent_to("kafka", seen) / many,
                "database_bytes": await _stored(made, run) / many,
                "broker_bytes": _logged(made) / many,
                "requests": seen,
            }
    return {"limit": 200, "peers": found}


async def sent(run: Running) -> Counter[str]:
    """The requests of a peer so far, by what they are, while it is at work."""
    counts = run.stage.stack.directory / run.job.trips
    counts.unlink(missing_ok=True)
    os.kill(run.children[0].pid, ASK)

    async def told() -> bool:
        return counts.exists()

    await wait_for(told, SOON, "requests are told", *run.children)
    return Counter(json.loads(counts.read_text()))


def sent_to(whose: str, seen: Mapping[str, int]) -> int:
    """Those of them to the database (``mongo``) or to the broker (``kafka``)."""
    return sum(many for what, many in seen.items() if what.startswith(f"{whose} "))


async def _stored(stage: Stage, run: Running) -> int:
    """Bytes of all documents of a run's database, without indexes."""
    total = 0
    async with AsyncMongoClient(stage.stack.mongo, document_class=RawBSONDocument) as client:
        database = client[run.job.database]
        for name in await database.list_collection_names():
            async for document in database[name].find():
                total += len(document.raw)
    return total


def _logged(stage: Stage) -> int:
    """Bytes of the topic of verdicts."""
    return sum(path.stat().st_size for path in _logs(stage.stack.directory / "broker"))


def _logs(place: Path) -> list[Path]:
    return list(place.rglob(f"{NOTE_VERDICT.name}-*/*.log"))
