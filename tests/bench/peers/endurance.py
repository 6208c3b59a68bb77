"""What one meets at night: the first effect after a start and after kill -9, and memory over minutes."""

import asyncio
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from local.memory import resident
from shared.contracts.topics import NOTE_VERDICT
from tests.bench.peers.effort import Effort
from tests.bench.peers.latency import feed
from tests.bench.peers.stage import PEERS, Peer, Stage, stage

STEADY = 100.0
"""Comments a second while processes are killed: each peer bears it with ease."""
KILLS = 5
MEMORY_RATE = 1_000.0
EVERY = 5.0
BETWEEN = 3.0


async def recovery(effort: Effort) -> Mapping[str, Any]:
    """Seconds from kill -9, with the same name in the group and a start at once, to the next effect; and of a start."""
    found = {}
    for name in ("ours", "a"):
        async with stage(many=200) as made:
            starts = [await _start(made, PEERS[name]) for _ in range(effort.rounds)]
            found[name] = {"start_s": median(starts), "starts": starts, **await _kills(made, PEERS[name])}
    return {"rate": STEADY, "peers": found}


async def _start(stage: Stage, peer: Peer) -> float:
    """From the process's birth to its first effect, with an empty database."""
    began = time.monotonic()
    async with stage.at_work(peer) as run:
        await run.reach(1)
        took = time.monotonic() - began
    await stage.forget(run)
    return took


async def _kills(stage: Stage, peer: Peer) -> dict[str, Any]:
    backs = []
    async with stage.at_work(peer, instance="member-0") as run:
        await run.reach(stage.many)
        feeding = asyncio.create_task(feed(stage, STEADY, (KILLS + 1) * BETWEEN * 4))
        for _ in range(KILLS):
            await asyncio.sleep(BETWEEN)
            await run.children[0].kill()
            began, there = time.monotonic(), await stage.end(NOTE_VERDICT.name)
            run.children[0].start()
            while await stage.end(NOTE_VERDICT.name) <= there:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            backs.append(time.monotonic() - began)
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    await stage.forget(run)
    return {"recovery_s": median(backs), "recoveries": backs}


async def memory(effort: Effort) -> Mapping[str, Any]:
    """Resident memory of ours under a steady feed, every few seconds."""
    samples: list[tuple[float, float]] = []
    seconds = effort.minutes * 60
    async with stage(many=1_000) as made, made.at_work(PEERS["ours"]) as run:
        await run.reach(made.many)
        feeding = asyncio.create_task(_long(made, seconds))
        began = time.monotonic()
        while not feeding.done():
            samples.append((time.monotonic() - began, resident(run.children[0].pid)))
            await asyncio.wait({feeding}, timeout=EVERY)
        feeding.result()
        await run.reach(made.many)
    return {"rate": MEMORY_RATE, "samples": [(round(at, 1), round(held, 1)) for at, held in samples]}


async def _long(stage: Stage, seconds: float) -> None:
    """In stretches: the comments of one are made before it begins."""
    for _ in range(max(1, int(seconds / EVERY))):
        await feed(stage, MEMORY_RATE, EVERY)
