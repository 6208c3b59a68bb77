"""What the lane has to reach beside its peers, and below what the run fails.

``bar`` is what a noisy machine holds too: a target that is missed by less is told as missed, and does not fail.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

Found = Mapping[str, Any]
"""What the parts have found, by part."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure, of which part, what is aimed at, where it fails; ``most`` turns both round."""

    figure: str
    part: str
    target: float
    bar: float
    read: Callable[[Any], float]
    most: bool = False

    def met(self, value: float) -> bool:
        """Whether the target is reached."""
        return value <= self.target if self.most else value >= self.target

    def fails(self, value: float) -> bool:
        """Whether even the bar is missed."""
        return value > self.bar if self.most else value < self.bar

    def row(self, value: float) -> list[str]:
        """For the table."""
        sign = "≤" if self.most else "≥"
        said = "fails" if self.fails(value) else "met" if self.met(value) else "missed"
        return [self.figure, f"{sign} {self.target:g}", f"{value:.3g}", f"{sign} {self.bar:g}", said]


def against(ours: str, other: str) -> Callable[[Any], float]:
    """How many times as many events a second."""
    return lambda part: float(part["peers"][ours]["rate"] / part["peers"][other]["rate"])


def times(of: str, figure: str, ours: str = "ours") -> Callable[[Any], float]:
    """How many times the figure of another one ours is."""
    return lambda part: float(part["peers"][ours][figure] / part["peers"][of][figure])


def commands(other: str) -> Callable[[Any], float]:
    """How many times as many commands a second, 64 clients."""
    return lambda part: float(part["peers"]["ours"]["64"]["rate"] / part["peers"][other]["64"]["rate"])


def processes(part: Any) -> float:
    """Processor time an event of four processes against one: the median over keys and partitions."""
    by = {(c["keys"], c["partitions"], c["processes"]): float(c["own_us"]) for c in part["cells"] if c["limit"] == 200}
    return median(took / by[keys, partitions, 1] for (keys, partitions, many), took in by.items() if many == 4)


TARGETS = (
    Target("against (a) single message, times", "uniform", 20, 15, against("ours", "a")),
    Target("against (a) with max_workers=4, times", "uniform", 12, 8, against("ours", "a, 4 workers")),
    Target("against (d) inbox and outbox per event, times", "uniform", 8, 6, against("ours", "d")),
    Target("database stubbed, against (e), times", "uniform", 0.40, 0.28, against("ours, stubbed", "e")),
    Target("against the same transaction, bare, times", "uniform", 0.8, 0.65, against("ours", "ours, bare")),
    Target("lone event, p99 against (a), times", "lone", 2, 3.5, times("a", "p99_ms"), most=True),
    Target(
        "half of the peak, p99, ms", "half", 150, 300, lambda part: float(part["peers"]["ours"]["p99_ms"]), most=True
    ),
    Target("API, 64 clients, against one insert and publish, times", "api", 3, 0.7, commands("insert")),
    Target("API, 64 clients, against a transaction a command, times", "api", 8, 1.5, commands("boxes")),
    Target("CPU an event, 4 processes against 1, times", "grid", 1.18, 1.6, processes, most=True),
    Target(
        "requests to the database at 200 against (d), times",
        "trips",
        1 / 50,
        1 / 40,
        times("d", "database_requests"),
        most=True,
    ),
)
"""In the order of the issue that set them."""


def judged(found: Found) -> list[tuple[Target, float]]:
    """Every target whose part was measured, with its value."""
    return [(target, target.read(found[target.part])) for target in TARGETS if target.part in found]
