"""How each part is told on the page docs/bench/README.md."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tests.bench.peers.stage import PEERS

Part = Mapping[str, Any]


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """A markdown table; the columns of the head are parted by ``|``."""
    columns = head.split("|")
    lines = [[column.strip() for column in columns], ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def where(part: Part) -> str:
    """What stands with every table."""
    told = part["world"]
    return (
        f"{told['measured']}, {told['cores']} cores, Python {told['python']}; {told['broker']}; {told['database']}; "
        f"{told['clients']}; other programs had {told['others']} of the processors.\n"
    )


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Of the straight line through the points, by least squares."""
    x, y = zip(*points, strict=True)
    return float(np.polyfit(x, y, 1)[0])


def rates(part: Part) -> str:
    """Events a second of all peers."""
    rows = []
    for name, peer in part["peers"].items():
        rounds = ", ".join(f"{rate:,.0f}" for rate in peer["rates"])
        micros = [f"{peer[whose]:,.0f}" for whose in ("own_us", "database_us", "broker_us")]
        rows.append([name, PEERS[name].about, f"{peer['rate']:,.0f}", rounds, *micros])
    head = "peer | what it is | events/s | rounds | own CPU, us/event | database | broker"
    plot = "![events a second](peers.svg)\n\n" if part["keys"] == "uniform" else ""
    title = f"## Events a second, {part['keys']} keys, {part['partitions']} partitions"
    return f"{title}\n\n{where(part)}\n{plot}" + table(head, rows)


def phases(part: Part) -> str:
    """Processor time by phase."""
    names = list(next(iter(part["peers"].values()))["phases_us"])
    rows = [
        [name, f"{peer['own_us']:.0f}", *(f"{peer['phases_us'][phase]:.1f}" for phase in names)]
        for name, peer in part["peers"].items()
    ]
    told = (
        "Own processor time of one event, microseconds, by what the thread that held the interpreter was in whenever "
        "py-spy looked; `driver` is writing, and what the driver does besides.\n"
    )
    return f"## Where the time goes\n\n{told}\n{where(part)}\n" + table(f"peer | all | {' | '.join(names)}", rows)


def trips(part: Part) -> str:
    """Requests and bytes."""
    figures = ("database_requests", "broker_requests", "database_bytes", "broker_bytes")
    rows = [
        [name, f"{peer['events']:,}", *(f"{peer[figure]:,.3g}" for figure in figures)]
        for name, peer in part["peers"].items()
    ]
    told = (
        "Requests sent by the process, start and stop included, and what they have left: documents as BSON without "
        "indexes, the log of the emitted events.\n"
    )
    head = "peer | events | requests to the database an event | to the broker | bytes in the database | in the topic"
    return f"## Requests and bytes an event, batches of {part['limit']}\n\n{told}\n{where(part)}\n" + table(head, rows)


def _delays(title: str, about: str) -> Callable[[Part], str]:
    def told(part: Part) -> str:
        rows = [
            [
                name,
                f"{peer.get('rate', 1 / part.get('every_s', 1)):,.0f}",
                f"{peer['p50_ms']:.1f}",
                f"{peer['p99_ms']:.1f}",
            ]
            for name, peer in part["peers"].items()
        ]
        return f"## {title}\n\n{about}\n\n{where(part)}\n" + table("peer | events/s | p50, ms | p99, ms", rows)

    return told


def api(part: Part) -> str:
    """Commands through HTTP."""
    names = {
        "ours": "the api lane: group commit, replies under idempotency keys",
        "ours, pymongo": "the same with pymongo's asynchronous client",
        "insert": "one insert and one awaited publish, no promise",
        "boxes": "a transaction a command: comment, reply, outbox row",
        "edge": "the edge alone: nothing is stored or told",
    }
    rows = [
        [
            name,
            names[name],
            clients,
            f"{f['rate']:,.0f}",
            f"{f['p50_ms']:.1f}",
            f"{f['p99_ms']:.1f}",
            f"{f['own_us']:,.0f}",
        ]
        for name, by in part["peers"].items()
        for clients, f in by.items()
    ]
    told = (
        "The same edge for all (FastAPI on uvicorn, tokens, limits, counts); the clients are on the same processors.\n"
    )
    head = "server | what a command is | clients | commands/s | p50, ms | p99, ms | own CPU, us/command"
    return f"## Commands through HTTP\n\n{told}\n{where(part)}\n{table(head, rows)}{_spent(part)}"


def _spent(part: Part) -> str:
    """Whose the processor time of a command is, where it was looked at, and what one process could come to at most."""
    if "looks" not in part:
        return ""
    by = {name: of["64"] for name, of in part["peers"].items()}
    rows = [
        [
            name,
            *(f"{share * by[name]['own_us']:,.0f}" for share in look["shares"].values()),
            *(f"{by[name][whose]:,.0f}" for whose in ("database_us", "broker_us", "callers_us")),
            *(f"{look['requests'][whose]:.2g}" for whose in ("database_requests", "broker_requests")),
        ]
        for name, look in part["looks"].items()
    ]
    told = (
        "Where the processor time of a command goes with 64 clients, microseconds. The server's own by whose code the "
        "thread that held the interpreter was in whenever py-spy looked (the standard library's for whom it works); "
        "database, broker and clients beside it; and requests sent for a command.\n"
    )
    whose = " | ".join(part["looks"]["ours"]["shares"])
    head = f"server | {whose} | database | broker | clients | requests to the database | to the broker"
    return f"\n{told}\n{table(head, rows)}\n{_bounds(part)}"


def _bounds(part: Part) -> str:
    own = {name: of["64"]["own_us"] for name, of in part["peers"].items()}
    rows = [
        [
            f"against {other}",
            f"{own[other] / own['ours']:.2f}",
            f"{own[other] / own['edge']:.2f}",
            f"{(own[other] - own['edge']) / (own['ours'] - own['edge']):.2f}",
        ]
        for other in ("insert", "boxes")
    ]
    batch = 1 / part["looks"]["ours"]["requests"]["transactions"]
    told = (
        "One process does one thing at a time, so its own time bounds what it can do. How many times as many commands "
        "that allows: as it is; with a lane that cost nothing; and with an edge that cost nothing, for all. One "
        f"transaction of ours had {batch:.0f} commands.\n"
    )
    return f"{told}\n{table('ours | as it is | free lane | free edge', rows)}"


def grid(part: Part) -> str:
    """All cells."""
    rows = [
        [
            cell["keys"],
            *(f"{cell[name]}" for name in ("partitions", "processes", "limit")),
            *(f"{cell[name]:,.0f}" for name in ("rate", "own_us", "database_us")),
        ]
        for cell in part["cells"]
    ]
    head = "keys | partitions | processes | batch limit | events/s | own CPU, us/event | database"
    plot = "![events a second by batch limit](batch.svg) ![by processes](processes.svg)\n\n"
    told = f"## Batches, keys, partitions, processes\n\n{where(part)}\n{plot}" + table(head, rows)
    return f"{told}\n{_slopes(part['cells'])}"


def _slopes(cells: Iterable[Mapping[str, Any]]) -> str:
    """Straight lines through the cells of each kind: a batch by its inputs, an event by the processes."""
    rows = []
    for (keys, partitions), of in by_place(cells).items():
        singles = [(c["limit"], c["limit"] * partitions / c["rate"]) for c in of if c["processes"] == 1]
        each = slope(singles)
        fixed = sum(took - each * limit for limit, took in singles) / len(singles)
        shared = [(c["processes"], c["own_us"]) for c in of if c["limit"] == 200]
        more = f"{slope(shared):+.1f} us" if len(shared) > 1 else ""
        rows.append([keys, f"{partitions}", f"{fixed * 1e3:.1f} ms", f"{each * 1e6:.0f} us", more])
    told = "Slopes: how long a batch of one lane takes, and each event in it, while all lanes are at work.\n\n"
    head = "keys | partitions | a batch | an event in it | own CPU an event, for each process more"
    return told + table(head, rows)


def by_place(cells: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], list[Mapping[str, Any]]]:
    """Cells by keys and partitions."""
    found: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for cell in cells:
        found.setdefault((cell["keys"], cell["partitions"]), []).append(cell)
    return found


def growth(part: Part) -> str:
    """What grows, by how much."""
    rows = []
    for name, what, unit in (("documents", "document of a note", 1_000), ("events", "text of an event", 1_000)):
        for whose in ("own_us", "database_us"):
            more = slope([(point["bytes"] / unit, point[whose]) for point in part[name]])
            points = ", ".join(f"{point['bytes']:,}: {point[whose]:,.0f}" for point in part[name])
            rows.append([what, whose.removesuffix("_us"), points, f"{more:+.1f} us a kB"])
    for point in part["keys"]:
        notes = "10000" if point["notes"] == "uniform" else point["notes"]
        rows.append(["notes", "own, database", f"{notes}: {point['own_us']:,.0f}, {point['database_us']:,.0f}", ""])
    backlog = part["backlog"]
    drift = slope([(point["done"] / 100_000, point["rate"]) for point in backlog[1:]])
    first, last = (f"{backlog[n]['rate']:,.0f}" for n in (1, -1))
    rows.append(["backlog", "events/s", f"first {first}, last {last}", f"{drift:+,.0f}/s per 100,000 events done"])
    told = "One thing at a time, microseconds of processor an event, one process, batches of 200.\n"
    plot = "![cost by size](growth.svg) ![rate over a backlog](backlog.svg)\n\n"
    return f"## Growth\n\n{told}\n{where(part)}\n{plot}" + table("what grows | whose | points | slope", rows)


def recovery(part: Part) -> str:
    """Start, and after kill -9."""
    rows = [
        [name, f"{peer['start_s']:.1f}", f"{peer['recovery_s']:.1f}", f"{max(peer['recoveries']):.1f}"]
        for name, peer in part["peers"].items()
    ]
    told = (
        f"Seconds from the birth of a process to its first effect; at {part['rate']:.0f} events a second, from a start "
        "right after kill -9, under the same name in the group, to the next effect. Without a name a group waits 10 s "
        "for its dead member, whoever it is: [faults](../faults.md).\n"
    )
    return f"## Start and recovery\n\n{told}\n{where(part)}\n" + table("peer | start | kill -9, median | most", rows)


def memory(part: Part) -> str:
    """Slope of the second half."""
    samples = part["samples"]
    later = samples[len(samples) // 2 :]
    drift = slope([(at / 60, held) for at, held in later])
    told = (
        f"Resident memory of ours at {part['rate']:,.0f} events a second over {samples[-1][0] / 60:.0f} minutes: "
        f"{samples[0][1]:.0f} MB at first, {max(held for _, held in samples):.0f} at most, {samples[-1][1]:.0f} at the "
        f"end; over the second half {drift:+.2f} MB a minute.\n"
    )
    return f"## Memory\n\n{told}\n{where(part)}\n![memory](memory.svg)\n"


SECTIONS: dict[str, Callable[[Part], str]] = {
    "uniform": rates,
    "zipf": rates,
    "phases": phases,
    "trips": trips,
    "lone": _delays(
        "A lone event", "Milliseconds from the making of an event to its effect, one every fifth of a second."
    ),
    "half": _delays(
        "Half of the peak",
        "The same at half of the rate that each peer reached, the feeder on the same processors; medians of rounds.",
    ),
    "api": api,
    "grid": grid,
    "growth": growth,
    "recovery": recovery,
    "memory": memory,
}
"""In the order of the page."""
