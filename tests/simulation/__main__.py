"""``make simulate``: many worlds by seed on all cores, or one of them told as a story.

python -m tests.simulation --seeds 5000 [--first 1]     worlds of a range of seeds; exit 1 if a promise was broken
python -m tests.simulation --seed 176                   one world: what happened in it, what it broke, and the least
                                                        plan that still breaks it, as Python, to be kept
--mutant 'no inbox'                                     the same with a safeguard of the lane taken away
python -m tests.simulation --mutants [--seeds 2000]     all of them: the first seed that breaks, the kept plan
"""

import argparse
import gc
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache

from rich.console import Console
from rich.progress import track

from tests.property.test_crashes import labels
from tests.simulation import surprises
from tests.simulation.checker import violations
from tests.simulation.end import End
from tests.simulation.faults import told
from tests.simulation.kept import FOUND, KEPT
from tests.simulation.least import fewest, least, literal
from tests.simulation.plan import Plan, plan
from tests.simulation.run import run
from tests.simulation.safeguards import MUTANTS

CHUNK = 25
TOLD = 3
"""Broken worlds whose story is told."""
TOLD_WIDTH = 200
LATENCIES = 20
"""So many sorts of latencies a kept plan is tried with: which of them it takes changes with every await."""


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
    drawn: Counter[str] = field(default_factory=Counter)
    drained: float = 0.0
    labels: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    fingerprint: bytes = b""
    """Of all worlds in the order of their seeds."""

    def add(self, other: "Report") -> None:
        self.seeds += other.seeds
        self.broken |= other.broken
        self.injected += other.injected
        self.drawn += other.drawn
        self.drained = max(self.drained, other.drained)
        self.labels += other.labels
        self.deaths += other.deaths
        self.answers += other.answers
        self.fingerprint = hashlib.sha256(self.fingerprint + other.fingerprint).digest()


def look(plan_: Plan) -> tuple[End | None, list[str]]:
    """Run a plan; what went wrong with the run itself is a broken promise, too."""
    try:
        end = run(plan_)
    except Exception as error:
        return None, [f"the world itself failed: {error!r}"]
    return end, violations(end)


def lane(mutant: str) -> AbstractContextManager[None]:
    """The lane as it is, or without a safeguard."""
    made: AbstractContextManager[None] = MUTANTS[mutant]() if mutant else nullcontext()
    return made


def some(seeds: range, mutant: str) -> Report:
    """A chunk of worlds, in a process of the pool."""
    quiet()
    with lane(mutant):
        return _some(seeds)


def _some(seeds: range) -> Report:
    report = Report()
    for seed in seeds:
        end, broken = look(plan(seed, known_labels()))
        report.seeds += 1
        if end is not None:
            report.injected += end.injected
            report.drawn += end.drawn
            report.drained = max(report.drained, end.drained)
            report.labels += end.labels
            report.deaths += end.deaths
            report.answers += Counter(a.outcome for a in end.answers)
            report.fingerprint += end.fingerprint
        if broken:
            report.broken[seed] = broken[0]
    return report


def is_broken(plan_: Plan) -> bool:
    """Whether a promise is broken in this world."""
    return bool(look(plan_)[1])


def story(seed: int, console: Console) -> bool:
    """Tell one world; returns whether all promises were kept."""
    full = plan(seed, known_labels())
    end, broken = look(full)
    if broken:
        cut = fewest(full, is_broken)
        end, broken = look(cut)
        console.print(f"[bold]seed {seed}[/]: {len(full.faults)} faults, {len(cut.faults)} needed")
    for line in end.story if end else ():
        console.print(line, highlight=False, markup=False)
    for line in broken:
        console.print(f"broken: {line}", highlight=False, markup=False)
    if broken:
        console.print(f"to keep: {literal(least(cut, is_broken))}", highlight=False, markup=False, soft_wrap=True)
    return not broken


def tell(report: Report, seconds: float, console: Console) -> None:
    """The figures of many worlds."""
    console.print(
        f"{report.seeds} worlds in {seconds:.0f} s, {report.seeds / seconds:.1f} a second; "
        f"{report.injected.total()} faults; commands {dict(sorted(report.answers.items()))}"
    )
    console.print("faults that acted, of those drawn: " + told(report.injected, report.drawn))
    console.print(f"all done at most {report.drained:.1f} s after the last fault")
    console.print("steps passed: " + ", ".join(f"{label} {n}" for label, n in sorted(report.labels.items())))
    console.print("steps died at: " + ", ".join(f"{label} {n}" for label, n in sorted(report.deaths.items())))
    for what, counted in (("passed", report.labels), ("died at", report.deaths)):
        if missing := set(known_labels()) - counted.keys():
            console.print(f"steps never {what}: {sorted(missing)}")
    console.print(f"fingerprint: {report.fingerprint.hex()}")
    console.print(f"broken: {len(report.broken)} {dict(sorted(report.broken.items())[:10]) or ''}", markup=False)


def kept(mutant: str) -> str:
    """What the kept plan of a mutant breaks, and whether the lane as it is stands it."""
    for latencies in range(LATENCIES):
        tried = replace(KEPT[mutant], seed=KEPT[mutant].seed + latencies)
        with lane(mutant):
            broken = look(tried)[1]
        if broken:
            whole = look(tried)[1]
            return f"THE WHOLE LANE BREAKS {whole[0]}" if whole else f"breaks {broken[0]}"
    return "STANDS"


def mutants(seeds: range, console: Console) -> bool:
    """The table of all safeguards; whether each is seen to be missing, and only then."""
    good = True
    for mutant in KEPT:
        found = min(many(seeds, mutant, console).broken, default=f"> {len(seeds)}") if seeds else "-"
        end, plan_ = kept(mutant), KEPT[mutant]
        good &= end.startswith("breaks ")
        told = f"{mutant:<47}  seed {found:<6}  kept: {len(plan_.asks):>2} commands, {len(plan_.faults)} faults  {end}"
        console.print(told[:TOLD_WIDTH], highlight=False, markup=False, soft_wrap=True)
    for name, plan_ in FOUND.items():
        broken = [line for n in range(LATENCIES) for line in look(replace(plan_, seed=plan_.seed + n))[1]]
        good &= not broken
        console.print(
            f"found: {name:<70}  {broken or 'mended'}"[:TOLD_WIDTH], highlight=False, markup=False, soft_wrap=True
        )
    return good


def many(seeds: range, mutant: str, console: Console) -> Report:
    """All worlds of a range, on all cores."""
    chunks = [range(start, min(start + CHUNK, seeds.stop)) for start in range(seeds.start, seeds.stop, CHUNK)]
    report = Report()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done: Iterable[Report] = pool.map(some, chunks, [mutant] * len(chunks))
        for part in track(done, "worlds", total=len(chunks), console=console, disable=not console.is_terminal):
            report.add(part)
            if mutant and report.broken:  # that is all that was to be seen
                pool.shutdown(cancel_futures=True)
                break
    return report


def quiet() -> None:
    """Thousands of worlds full of trouble would log of nothing else, and what is imported need not be collected."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    surprises.listen()


def main() -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many worlds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="one world, told")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), default="", help="a safeguard that is taken away")
    parser.add_argument("--mutants", action="store_true", help="the table of them; with --seeds 0 of kept plans alone")
    asked = parser.parse_args()
    console = Console(width=160)
    quiet()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.mutants:
        return 0 if mutants(seeds, console) else 1
    if asked.seed is not None:
        with lane(asked.mutant):
            return 0 if story(asked.seed, console) else 1
    began = time.monotonic()
    report = many(seeds, asked.mutant, console)
    tell(report, time.monotonic() - began, console)
    for seed in sorted(report.broken)[: 0 if asked.mutant else TOLD]:
        story(seed, console)
    return 1 if report.broken else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings are walked in the same order only then
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606
    sys.exit(main())
