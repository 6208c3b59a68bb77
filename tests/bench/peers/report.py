"""The page docs/bench/README.md, from what the parts have left in docs/bench/*.json."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from local import kafka
from local.database import FLAGS, program
from local.processes import ROOT
from tests.bench.peers.sections import SECTIONS, table
from tests.bench.peers.stage import TICK
from tests.bench.peers.targets import judged
from tests.pages import by_hand

PLACE = ROOT / "docs" / "bench"
HEAD = """# The lane beside its peers

`make bench` has written this page: one command, the same broker, database, events and effect for all. The work is to
judge a comment by a small fixed rule set, to store the judgement, to count it on its note and on its author, and to
emit one event. An effect is an event that the broker has; rates are the growth of that topic, with one process for each
peer and medians of interleaved rounds. Every figure is of the machine and the servers named with it, on which all of
them share the processors, and is good for comparing with its neighbours; nothing here says anything about a real
mongod. `make bench ONLY=uniform` measures one part anew. Raw figures are in the JSON files beside this page.

"""


def world() -> dict[str, str]:
    """The machine and the servers, by name, version and flags."""
    server = program()
    told = f"secantusdb {version('secantusdb')} (secantusd-py)"
    if server.name == "secantusd-rs":
        said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
        told = said.partition("\n")[0].strip() or server.name
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": f"{os.cpu_count()}",
        "python": platform.python_version(),
        "broker": f"Apache Kafka {kafka.VERSION}, one broker, {' '.join(kafka.TUNING)}",
        "database": f"{told} {' '.join(FLAGS)}",
        "clients": ", ".join(f"{name} {version(name)}" for name in ("faststream", "aiokafka", "motor", "pymongo")),
    }


def others(busy: float, own: float, passed: float, cores: int) -> float:
    """The share of the processors that others had: seconds busy, one's own, and that have passed."""
    return max(0.0, busy - own) / (passed * cores)


class Watch:
    """What else ran on the machine, from here on: a figure is worth less for it."""

    def __init__(self) -> None:
        self._began = self._spent()

    def share(self) -> float:
        """Of all processors, what neither this process took nor those of its children that have ended."""
        busy, own, passed = (after - before for after, before in zip(self._spent(), self._began, strict=True))
        return others(busy, own, passed, os.cpu_count() or 1)

    @staticmethod
    def _spent() -> tuple[float, float, float]:
        user, nice, system, _, _, irq, soft, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
        *own, passed = os.times()
        return (user + nice + system + irq + soft + steal) / TICK, sum(own), passed


def keep(part: str, found: Mapping[str, Any], elsewhere: float, place: Path = PLACE) -> None:
    """Leaves what a part has found, with where it was, and what share of the processors others had meanwhile."""
    place.mkdir(parents=True, exist_ok=True)
    told = {"world": world() | {"others": f"{elsewhere:.0%}"}, **found}
    (place / f"{part}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def kept(place: Path = PLACE) -> dict[str, Any]:
    """All parts that were ever measured."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(place.glob("*.json"))}


def page(found: Mapping[str, Any], before: str = "") -> str:
    """The whole page, with what was written by hand at the end of the one ``before``."""
    told = [HEAD, _targets(found)]
    told += [write(found[part]) for part, write in SECTIONS.items() if part in found]
    return "\n".join(told) + by_hand(before)


def _targets(found: Mapping[str, Any]) -> str:
    rows = [target.row(value) for target, value in judged(found)]
    told = "A figure beyond its bar fails the run; the bars are what a noisy machine holds.\n"
    return f"## Targets\n\n{told}\n" + table("figure | target | found | bar | so it is", rows)
