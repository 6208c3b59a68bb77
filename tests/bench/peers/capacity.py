"""The page docs/capacity.md: what the figures of docs/bench come to for so many comments a day."""

import math
from collections.abc import Mapping
from typing import Any

from tests.bench.peers.sections import table, where

DAYS = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
PEAK = 3.0
"""How many times the mean the busiest minute of a day is: assumed."""
FILLED = 0.5
"""How much of what is measured as the most is planned with."""
COPIES = 3
KEPT_DAYS = 30

PAGE = """# Capacity

How many partitions, pods and database processors so many comments a day take. `make bench` writes this page from the
figures of [docs/bench](bench/README.md); the work is the one of that page, one service that judges, stores, counts and
tells. A real comment is met by four services: multiply by what your services do, and measure them.

**Measured** here, with the servers named below, which share {cores} cores with everything else:

{where}
- one lane (one partition, batches of up to 200): **{lane:,.0f} events/s**; a step is 200 / {lane:,.0f} s =
  {step:.0f} ms from load to commit, publishing beside it;
- one process, 4 partitions: **{process:,.0f} events/s**, with {own:.0f} us of its own processor an event,
  {database:.0f} us of the database's, {broker:.0f} us of the broker's;
- {stored:,.0f} bytes of documents and {topic:,.0f} bytes of emitted events stay of an event.

**The rule.** A lane does one batch after the other:

```
events/s of a partition = batch / (load + fold + commit)        and no more than batch / publish
partitions              = peak events/s / (events/s of a partition x {filled:g})
pods                    = peak events/s x own CPU an event / {filled:g} of a core
database cores          = peak events/s x database CPU an event / {filled:g}
```

Partitions are for life (more of them is a new version of the topic), so choose them for the largest day you foresee;
pods may be anything up to that number. With a database that is farther away a step takes longer by its round trips (a
query for all collections beside each other, one for the inbox, one for the few writes and one for each collection of
many, the commit), and the batch grows until it is cut: partitions are then what you need more of, not processors.

{table}
The peak is {peak:g} times the mean, an assumption. Bytes: documents once, the topic in {copies} copies over {kept}
days.

**Extrapolated.** Peaks up to {process:,.0f} events/s lie within what one process did here. Everything above is straight
lines drawn from it: CPU an event does not rise with partitions or processes by more than the [grid](bench/README.md)
shows, and events of different keys share nothing but the servers. What no line can tell, because nothing of it was run:
a mongod instead of SecantusDB, replication to other machines, a network between them, more than one broker under load.
One replica set takes the writes of a service on one primary: where the column of database cores passes what one machine
has, the service's collections must be sharded by the key of their lanes, and a transaction of one lane then touches
several shards. That has not been tried. At a billion comments a day it is the first thing to try.
"""


def page(found: Mapping[str, Any]) -> str:
    """The page; empty while one of the parts it needs was never measured."""
    if not {"uniform", "grid", "trips"} <= found.keys():
        return ""
    ours, trips = found["uniform"]["peers"]["ours"], found["trips"]["peers"]["ours"]
    lane = next(c["rate"] for c in found["grid"]["cells"] if (c["partitions"], c["limit"]) == (1, 200))
    rows = [_row(day, lane, ours, trips) for day in DAYS]
    head = (
        "comments a day | events/s at the peak | that rate was | partitions | pods | database cores | "
        "documents a day | topic"
    )
    return PAGE.format(
        cores=found["uniform"]["world"]["cores"],
        where=where(found["uniform"]),
        lane=lane,
        step=200 / lane * 1000,
        process=ours["rate"],
        own=ours["own_us"],
        database=ours["database_us"],
        broker=ours["broker_us"],
        stored=trips["database_bytes"],
        topic=trips["broker_bytes"],
        filled=FILLED,
        peak=PEAK,
        copies=COPIES,
        kept=KEPT_DAYS,
        table=table(head, rows),
    )


def _row(day: int, lane: float, ours: Mapping[str, float], trips: Mapping[str, float]) -> list[str]:
    peak = day / 86_400 * PEAK
    cores = [peak * ours[whose] / 1e6 / FILLED for whose in ("own_us", "database_us")]
    return [
        f"{day:,}",
        f"{peak:,.0f}",
        "measured" if peak <= ours["rate"] else "extrapolated",
        f"{_up(peak / (lane * FILLED))}",
        f"{_up(cores[0])}",
        f"{cores[1]:.1f}",
        _bytes(day * trips["database_bytes"]),
        _bytes(day * trips["broker_bytes"] * COPIES * KEPT_DAYS),
    ]


def _up(value: float) -> int:
    return max(1, -int(-value // 1))


def _bytes(count: float) -> str:
    step = min(5, int(math.log10(max(1.0, count)) // 3))
    return f"{count / 1000**step:.3g} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[step]}"
