"""Events a second, end to end, one process a peer: interleaved rounds, so that a slow minute is slow for all."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from tests.bench.peers.effort import Effort
from tests.bench.peers.stage import PEERS, Peer, Stage, Window, here, stage

FIRST = 300
"""Effects before the clock starts: connections are made, the interpreter is warm."""


async def uniform(effort: Effort) -> Mapping[str, Any]:
    """All peers, keys drawn evenly."""
    return await _keys("uniform", effort)


async def zipf(effort: Effort) -> Mapping[str, Any]:
    """All peers, few keys hot."""
    return await _keys("zipf", effort)


async def _keys(keys: str, effort: Effort) -> Mapping[str, Any]:
    peers = [peer for peer in PEERS.values() if here(peer)]
    found: dict[str, list[Window]] = {peer.name: [] for peer in peers}
    async with stage(keys, many=effort.comments) as made:
        for number in range(effort.rounds):
            for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
                found[peer.name].append(await once(made, peer, effort))
    return {"keys": keys, "partitions": made.partitions, "peers": {name: summary(w) for name, w in found.items()}}


async def once(stage: Stage, peer: Peer, effort: Effort, *, limit: int = 200, processes: int = 1) -> Window:
    """One window of a peer that starts with an empty database."""
    async with stage.at_work(peer, processes, limit=limit) as run:
        await run.reach(FIRST * processes)
        window = await run.window(effort.seconds, int(stage.many * 0.95))
    await stage.forget(run)
    return window


def summary(windows: list[Window]) -> dict[str, Any]:
    """Medians, and every round's rate."""
    return {
        "rate": median(w.rate for w in windows),
        "rates": [round(w.rate, 1) for w in windows],
        "own_us": median(w.micros for w in windows),
        "database_us": median(w.database / max(1, w.effects) * 1e6 for w in windows),
        "broker_us": median(w.broker / max(1, w.effects) * 1e6 for w in windows),
    }
