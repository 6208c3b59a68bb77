"""``make simulate``: many worlds by seed on all cores, or one of them told as a story.

python -m tests.simulation --seeds 5000 [--first 1]     worlds of a range of seeds; exit 1 if a promise was broken
python -m tests.simulation --seed 176                   one world, what happened in it, what it broke
--without inbox                                         the same with a safeguard of the lane taken away
"""

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache

import structlog
from rich.console import Console
from rich.progress import track

from tests.property.test_crashes import labels
from tests.simulation.checker import violations
from tests.simulation.end import End
from tests.simulation.plan import Plan, plan
from tests.simulation.run import run
from tests.simulation.safeguards import SAFEGUARDS

CHUNK = 25
TOLD = 3
"""Broken worlds whose story is told."""


@cache
def known_labels() -> tuple[str, ...]:
    """Every labelled step of the lane, in order."""
    return tuple(sorted(labels()))


@dataclass
class Report:
    """What a range of seeds came to."""

    seeds: int = 0
    broken: dict[int, str] = field(default_factory=dict)
    injected: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Report") -> None:
        self.seeds += other.seeds
        self.broken |= other.broken
        self.injected += other.injected
        self.labels += other.labels
        self.deaths += other.deaths
        self.answers += other.answers


def look(plan_: Plan) -> tuple[End | None, list[str]]:
    """Run a plan; what went wrong with the run itself is a broken promise, too."""
    try:
        end = run(plan_)
    except Exception as error:
        return None, [f"the world itself failed: {error!r}"]
    return end, violations(end)


def some(seeds: range, without: str) -> Report:
    """A chunk of worlds, in a process of the pool."""
    quiet()
    with SAFEGUARDS[without]() if without else nullcontext():
        return _some(seeds)


def _some(seeds: range) -> Report:
    report = Report()
    for seed in seeds:
        end, broken = look(plan(seed, known_labels()))
        report.seeds += 1
        if end is not None:
            report.injected += end.injected
            report.labels += end.labels
            report.deaths += end.deaths
            report.answers += Counter(a.outcome for a in end.answers)
        if broken:
            report.broken[seed] = broken[0]
    return report


def fewest(plan_: Plan) -> Plan:
    """The same plan with as few faults as still break something: each is left out that is not needed."""
    kept = list(plan_.faults)
    for fault in plan_.faults:
        fewer = tuple(f for f in kept if f is not fault)
        if look(plan_.without(fewer))[1]:
            kept = list(fewer)
    return plan_.without(tuple(kept))


def story(seed: int, console: Console) -> bool:
    """Tell one world; returns whether all promises were kept."""
    full = plan(seed, known_labels())
    end, broken = look(full)
    if broken:
        end, broken = look(fewest(full))
        console.print(f"[bold]seed {seed}[/]: {len(full.faults)} faults, {len(end.plan.faults) if end else '?'} needed")
    for line in end.story if end else ():
        console.print(line, highlight=False, markup=False)
    for line in broken:
        console.print(f"broken: {line}", highlight=False, markup=False)
    return not broken


def tell(report: Report, seconds: float, console: Console) -> None:
    """The figures of many worlds."""
    console.print(
        f"{report.seeds} worlds in {seconds:.0f} s, {report.seeds / seconds * 60:.0f} a minute; "
        f"{report.injected.total()} faults; commands {dict(sorted(report.answers.items()))}"
    )
    console.print("faults: " + ", ".join(f"{kind} {n}" for kind, n in sorted(report.injected.items())))
    console.print("steps passed: " + ", ".join(f"{label} {n}" for label, n in sorted(report.labels.items())))
    console.print("steps died at: " + ", ".join(f"{label} {n}" for label, n in sorted(report.deaths.items())))
    for what, counted in (("passed", report.labels), ("died at", report.deaths)):
        if missing := set(known_labels()) - counted.keys():
            console.print(f"steps never {what}: {sorted(missing)}")
    console.print(f"broken: {len(report.broken)} {dict(sorted(report.broken.items())[:10]) or ''}", markup=False)


def many(seeds: range, without: str, console: Console) -> Report:
    """All worlds of a range, on all cores."""
    chunks = [range(start, min(start + CHUNK, seeds.stop)) for start in range(seeds.start, seeds.stop, CHUNK)]
    report = Report()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done: Iterable[Report] = pool.map(some, chunks, [without] * len(chunks))
        for part in track(done, "worlds", total=len(chunks), console=console, disable=not console.is_terminal):
            report.add(part)
            if without and report.broken:  # that is all that was to be seen
                pool.shutdown(cancel_futures=True)
                break
    return report


def quiet() -> None:
    """Thousands of worlds full of trouble would log of nothing else."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


def main() -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many worlds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="one world, told")
    parser.add_argument("--without", choices=sorted(SAFEGUARDS), default="", help="a safeguard that is taken away")
    asked = parser.parse_args()
    console = Console(width=160)
    quiet()
    if asked.seed is not None:
        with SAFEGUARDS[asked.without]() if asked.without else nullcontext():
            return 0 if story(asked.seed, console) else 1
    began = time.monotonic()
    report = many(range(asked.first, asked.first + asked.seeds), asked.without, console)
    tell(report, time.monotonic() - began, console)
    for seed in sorted(report.broken)[: 0 if asked.without else TOLD]:
        story(seed, console)
    return 1 if report.broken else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings are walked in the same order only then
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606
    sys.exit(main())
