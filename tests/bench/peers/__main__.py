"""``make bench``: every part of the comparison, and the page docs/bench/README.md.

python -m tests.bench.peers [--only uniform,zipf] [--glance]     some parts; or few events, and nothing is kept

Fails where a figure misses its bar (``targets``), in any part that was ever kept.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from local.database import program
from local.processes import ROOT, CannotStartError
from tests.bench.peers import capacity, commands, endurance, grid, latency, phases, throughput
from tests.bench.peers.effort import GLANCE, Effort
from tests.bench.peers.report import PLACE, Watch, keep, kept, page
from tests.bench.peers.stage import BENCH
from tests.bench.peers.targets import judged

PARTS: Mapping[str, Callable[[Effort], Coroutine[Any, Any, Mapping[str, Any]]]] = {
    "uniform": throughput.uniform,
    "zipf": throughput.zipf,
    "phases": phases.phases,
    "trips": phases.trips,
    "lone": latency.lone,
    "half": latency.half,
    "api": commands.api,
    "grid": grid.grid,
    "growth": grid.growth,
    "recovery": endurance.recovery,
    "memory": endurance.memory,
}


def main(only: Sequence[str], glance: bool) -> int:
    """1 when a figure is beyond its bar, or something did not come up."""
    if not glance and program().name != "secantusd-rs":
        print("figures are kept of the Rust server only: `make secantus`, or --glance", file=sys.stderr)
        return 1
    found: dict[str, Any] = {}
    for part in only:
        print(f"{part} …", flush=True)
        watch = Watch()
        try:
            found[part] = asyncio.run(PARTS[part](GLANCE if glance else Effort()))
        except CannotStartError as error:
            print(error, file=sys.stderr)
            return 1
        if not glance:
            keep(part, found[part], watch.share())
    if glance:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    found = kept()
    told = PLACE / "README.md"
    told.write_text(page(found, told.read_text() if told.exists() else ""))
    if reckoned := capacity.page(found):
        (PLACE.parent / "capacity.md").write_text(reckoned)
    subprocess.run([str(BENCH), "-m", "tests.bench.peers.plots", str(PLACE)], cwd=ROOT, check=True)
    values = judged(found)
    for target, value in values:
        print(" | ".join(target.row(value)))
    return int(any(target.fails(value) for target, value in values))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.bench.peers", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}, separated by commas")
    parser.add_argument("--glance", action="store_true", help="few events, nothing kept")
    chosen = parser.parse_args()
    wanted = [part for part in chosen.only.split(",") if part]
    if unknown := [part for part in wanted if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}")
    sys.exit(main(wanted, chosen.glance))
