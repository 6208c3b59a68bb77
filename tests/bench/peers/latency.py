"""From an event's making to its effect: a lone event, and half of the peak."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import median
from typing import Any

from aiokafka import AIOKafkaProducer

from local.report import quantile
from shared.contracts import partition_of
from shared.contracts.topics import NOTE
from tests.bench.peers.effort import Effort
from tests.bench.peers.report import kept
from tests.bench.peers.stage import PEERS, Peer, Stage, stage, verdicts
from tests.bench.peers.workload import comments, posted

LONE_EVERY = 0.2
PEAK = 8_000.0
"""Assumed while none was measured."""
STEP = 0.01
WARM = 2.0


async def feed(stage: Stage, rate: float, seconds: float) -> None:
    """Writes comments at a steady rate, each with the time of its making."""
    many = int(rate * seconds)
    made = [(c, c.model_dump_json().encode()) for c in comments(many, stage.keys, first=stage.many)]
    clock = asyncio.get_running_loop().time
    async with AIOKafkaProducer(bootstrap_servers=stage.stack.kafka, max_batch_size=1 << 18) as producer:
        began, sent = clock(), 0
        while sent < many:
            due = min(many, int((clock() - began) * rate) + 1)
            for comment, value in made[sent:due]:
                place = partition_of(comment.key, stage.partitions)
                headers = posted(comment, datetime.now(UTC), str(time.time_ns())).headers()
                await producer.send(NOTE.name, value, comment.key.encode(), place, headers=headers)
            sent = due
            await asyncio.sleep(max(STEP, began + sent / rate - clock()) if rate * STEP < 1 else STEP)
    stage.many += many


async def delays(stage: Stage, group: str, since: int) -> list[float]:
    """Seconds from making to effect, of one peer, for what was made since then (nanoseconds of the epoch). The broker
    tells whole milliseconds of which it is in the middle, so each counts as one more: these are bounds from above."""
    found = []
    for record in await verdicts(stage):
        if f'"model":"{group}"'.encode() in record.value:
            made = dict(record.headers)["ce_correlationid"]
            if made.isdigit() and int(made) >= since:
                found.append(record.timestamp / 1000 + 0.001 - int(made) / 1e9)
    return found


def told(seconds: list[float]) -> dict[str, float]:
    """Quantiles in milliseconds."""
    return {
        "p50_ms": quantile(seconds, 0.5) * 1000,
        "p99_ms": quantile(seconds, 0.99) * 1000,
        "samples": len(seconds),
    }


async def lone(effort: Effort) -> Mapping[str, Any]:
    """One event at a time, five a second: ours and plain FastStream, each on an idle machine of its own turn."""
    found: dict[str, Any] = {}
    for name in ("ours", "ours, pymongo", "a"):
        seconds: list[float] = []
        async with stage(many=0) as made:
            for _ in range(effort.rounds):
                seconds += await _fed(made, PEERS[name], 1 / LONE_EVERY, effort.seconds * 4)
        found[name] = told(seconds)
    return {"every_s": LONE_EVERY, "peers": found}


async def half(effort: Effort) -> Mapping[str, Any]:
    """At half of the peak that was measured, the feeder on the same processors; beside it (a) at half of its own."""
    peers = kept().get("uniform", {}).get("peers", {})
    found: dict[str, Any] = {}
    for name, peak in (("ours", PEAK), ("ours, pymongo", PEAK), ("a", PEAK / 20)):
        rate = float(peers.get(name, {}).get("rate", peak)) / 2
        async with stage(many=0) as made:
            seconds = effort.seconds * 2
            rounds = [told(await _fed(made, PEERS[name], rate, seconds)) for _ in range(effort.rounds)]
        found[name] = {
            "rate": rate,
            **{q: median(r[q] for r in rounds) for q in ("p50_ms", "p99_ms")},
            "rounds": rounds,
        }
    return {"peers": found}


async def _fed(stage: Stage, peer: Peer, rate: float, seconds: float) -> list[float]:
    """Delays of one peer at this rate, once it is warm."""
    before = stage.many
    async with stage.at_work(peer) as run:
        if before:
            await run.reach(before)
        await feed(stage, rate, WARM)
        await run.reach(stage.many)
        since = time.time_ns()
        await feed(stage, rate, seconds)
        await run.reach(stage.many)
    await stage.forget(run)
    return await delays(stage, run.job.group, since)
