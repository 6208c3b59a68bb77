"""How ours scales: batch limits, keys, partitions and processes; sizes of documents and events; a long backlog."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from tests.bench.peers.effort import Effort
from tests.bench.peers.stage import PEERS, Stage, Window, stage
from tests.bench.peers.throughput import FIRST

LIMITS = (1, 20, 200, 500)
PROCESSES = (2, 4)
PLACES = (("uniform", 1), ("uniform", 4), ("uniform", 12), ("zipf", 4), ("zipf", 12))
FILLERS = (0, 1_000, 4_000, 16_000)
SIZES = (100, 400, 1_600, 6_400)
SPREADS = ("100", "1000", "uniform", "100000")
SLICES = 20
OURS = PEERS["ours"]


async def grid(effort: Effort) -> Mapping[str, Any]:
    """Every batch limit with one process, and more processes at the usual limit, by keys and partitions."""
    cells = []
    for keys, partitions in PLACES:
        async with stage(keys, partitions, effort.comments // 3) as made:
            ways = [(limit, 1) for limit in LIMITS] + [(200, more) for more in PROCESSES if partitions > 1]
            found: dict[tuple[int, int], list[Window]] = {way: [] for way in ways}
            for _ in range(max(1, effort.rounds - 1)):
                for limit, processes in ways:
                    found[limit, processes].append(await _once(made, effort, processes, limit=limit))
        for (limit, processes), windows in found.items():
            told = {"keys": keys, "partitions": partitions, "limit": limit, "processes": processes}
            cells.append({**told, **_middle(windows)})
    return {"cells": cells}


async def growth(effort: Effort) -> Mapping[str, Any]:
    """One thing at a time: the size of a note's document, of an event, how many keys there are, and a backlog."""
    few = effort.comments // 8
    events, keys = [], []
    async with stage(many=few) as made:
        documents = [{"bytes": n, **_middle([await _once(made, effort, filler=n)])} for n in FILLERS]
    for size in SIZES:
        async with stage() as made:
            await made.fill(few, size)
            events.append({"bytes": size, **_middle([await _once(made, effort)])})
    for spread in SPREADS:
        async with stage(spread, many=few) as made:
            keys.append({"notes": spread, **_middle([await _once(made, effort)])})
    return {"documents": documents, "events": events, "keys": keys, "backlog": await _backlog(effort)}


async def _backlog(effort: Effort) -> list[dict[str, float]]:
    """The rate in each slice of one long run: as documents pile up and the rest of the topic shrinks."""
    slices = []
    async with stage(many=effort.comments) as made, made.at_work(OURS) as run:
        await run.reach(FIRST)
        for number in range(1, SLICES + 1):
            window = await run.window(600.0, int(made.many * number / SLICES) - 1)
            slices.append({"done": await run.effects(), **_middle([window])})
    return slices


async def _once(stage: Stage, effort: Effort, processes: int = 1, **more: Any) -> Window:
    async with stage.at_work(OURS, processes, **more) as run:
        await run.reach(FIRST * processes)
        window = await run.window(effort.seconds * 0.8, int(stage.many * 0.95))
    await stage.forget(run)
    return window


def _middle(windows: list[Window]) -> dict[str, float]:
    return {
        "rate": median(w.rate for w in windows),
        "own_us": median(w.micros for w in windows),
        "database_us": median(w.database / max(1, w.effects) * 1e6 for w in windows),
    }
