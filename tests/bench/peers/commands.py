"""Commands through HTTP by 64 clients and by one, and where the processor time of a command goes."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from os import times
from statistics import median
from typing import Any

from local.issuer import Issuer
from local.places import free_port, port_open
from local.processes import wait_for
from tests.bench.peers.callers import Answers, crowd
from tests.bench.peers.effort import Effort
from tests.bench.peers.latency import told
from tests.bench.peers.phases import sampled, sent, sent_to
from tests.bench.peers.stage import Peer, Running, Stage, stage

CLIENTS = 64
WARM = 1.0
LOOK = 0.05
VARIANTS = {"ours": "", "ours, pymongo": "pymongo", "insert": "insert", "boxes": "boxes", "edge": "alone"}
OWNERS: tuple[tuple[str, str], ...] = (
    ("lane and events", r"shared/flow/|shared/contracts/|shared/telemetry"),
    ("database client", r"pymongo/|motor/|bson/|shared/mongo"),
    ("broker client", r"aiokafka/|kafka/|shared/bus"),
    ("server", r"uvicorn/|httptools"),
    ("framework", r"fastapi/|starlette/|pydantic|anyio/"),
    ("our edge", r"shared/|structlog|prometheus_client|jwt/"),
    ("handler", r"peers/"),
)
"""Whose a frame is, by where it stands."""
REST = "loop and the rest"


def owner(stack: str) -> str:
    """Whose a sampled stack is: of the innermost frame that is anybody's, so that the standard library counts for whom
    it works."""
    for frame in reversed(stack.split(";")):
        for name, place in OWNERS:
            if re.search(place, frame):
                return name
    return REST


def spent(raw: str) -> dict[str, float]:
    """From the profiler's lines, ``frame;frame;frame count``: each owner's share of the samples."""
    seen: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        seen[owner(stack)] += int(count)
    total = seen.total() or 1
    return {name: seen[name] / total for name in (*dict(OWNERS), REST)}


async def api(effort: Effort) -> Mapping[str, Any]:
    """Rounds of all servers, interleaved; then one look of the profiler at each."""
    rounds: dict[str, dict[str, list[dict[str, float]]]] = {name: {"64": [], "1": []} for name in VARIANTS}
    looks: dict[str, dict[str, Any]] = {}
    async with stage(many=0) as made, Issuer() as issuer:
        tokens = [issuer.token(f"p{number:05d}") for number in range(CLIENTS)]
        for turn in range(effort.rounds):
            for name in list(VARIANTS)[turn % len(VARIANTS) :] + list(VARIANTS)[: turn % len(VARIANTS)]:
                async with _serving(made, VARIANTS[name], issuer) as (run, port):
                    for clients in (CLIENTS, 1):
                        rounds[name][str(clients)].append(await _asked(run, port, tokens[:clients], effort.seconds))
                await made.forget(run)
        for name, variant in VARIANTS.items():
            looks[name] = await _looked(made, variant, issuer, tokens, effort.seconds)
    middle = {
        name: {
            clients: {figure: median(r[figure] for r in rows) for figure in rows[0]} for clients, rows in each.items()
        }
        for name, each in rounds.items()
    }
    return {"clients": CLIENTS, "peers": middle, "looks": looks, "rounds": rounds}


async def _asked(run: Running, port: int, tokens: list[str], seconds: float) -> dict[str, float]:
    """One window: commands a second, how long they took, and processor time a command by whose it was."""
    await _good(port, tokens, WARM)
    before = (*run.used(), sum(times()[:2]))
    got = await _good(port, tokens, seconds)
    used = [after - held for after, held in zip((*run.used(), sum(times()[:2])), before, strict=True)]
    whose = ("own_us", "database_us", "broker_us", "callers_us")
    micros = {name: spent / got.all * 1e6 for name, spent in zip(whose, used, strict=True)}
    return {"rate": len(got.seconds) / seconds, **micros, **told(got.seconds)}


async def _good(port: int, tokens: list[str], seconds: float) -> Answers:
    got = await crowd(port, tokens, seconds)
    if got.refused or not got.seconds:
        raise RuntimeError(f"refused: {got.refused[:3]}" if got.refused else f"no answer within {seconds} s")
    return got


async def _looked(
    stage: Stage, variant: str, issuer: Issuer, tokens: list[str], seconds: float
) -> dict[str, dict[str, float]]:
    """Apart from the rounds, since looking costs: shares of the owners, and requests a command, while all ask."""
    counts, commands = stage.stack.directory / f"trips{variant}", 0
    async with _serving(stage, variant, issuer, str(counts)) as (run, port):
        before = await sent(run)
        looking = asyncio.create_task(sampled(run, seconds))
        while not looking.done():
            commands += (await _good(port, tokens, seconds / 4)).all
        requests = a_command(before, await sent(run), commands)
    await stage.forget(run)
    return {"shares": spent(looking.result()), "requests": requests}


def a_command(before: Counter[str], after: Counter[str], commands: int) -> dict[str, float]:
    """The requests for one of so many commands, from those of the process before the first and after the last."""
    seen = after - before
    return {
        "database_requests": sent_to("mongo", seen) / commands,
        "broker_requests": sent_to("kafka", seen) / commands,
        "transactions": seen["mongo commitTransaction"] / commands,
    }


@asynccontextmanager
async def _serving(stage: Stage, variant: str, issuer: Issuer, trips: str = "") -> AsyncIterator[tuple[Running, int]]:
    """A server that takes commands: ours has claimed its slot."""
    port = free_port()
    edge = f"{issuer.jwks_url} {issuer.issuer} {issuer.audience} {port}"
    async with stage.at_work(Peer("edge", "edge", variant, ""), edge=edge, trips=trips) as run:
        await wait_for(lambda: port_open(port), 60.0, "the API answers", *run.children)

        async def takes() -> bool:
            got = await crowd(port, [issuer.token("first")], LOOK)
            return bool(got.seconds) and not got.refused

        await wait_for(takes, 60.0, "commands are taken", *run.children)
        yield run, port
