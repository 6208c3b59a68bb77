"""What a feed counts on the way: where a note's own group stood, and how far the effects lagged behind."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

FIRST = (1, 3, 5)
MOST_SAMPLES = 512


@dataclass(slots=True)
class Hits:
    """How often the right one was among the first 1, 3 and 5."""

    asked: int = 0
    among: Counter[int] = field(default_factory=Counter)

    def count(self, right: str, offered: Sequence[str]) -> None:
        """One question: what was right, and what was offered, best first."""
        self.asked += 1
        for first in FIRST:
            self.among[first] += right in offered[:first]

    def shares(self) -> str:
        """In words."""
        if not self.asked:
            return "not measured"
        return ", ".join(f"{self.among[first] / self.asked:.3f} @{first}" for first in FIRST)


@dataclass(slots=True)
class Popularity:
    """The baseline: the groups that got most notes so far. It knows of a note's group when the system does."""

    told: Counter[str] = field(default_factory=Counter)

    def first(self) -> list[str]:
        """The most popular ones as of now; of equals the one told first."""
        return [group for group, _ in self.told.most_common(max(FIRST))]


@dataclass(slots=True)
class Lag:
    """Samples over time, at equal distances; when they become many, of two neighbours the higher values stay.

    A sample is the seconds since the start, effects expected and not seen yet, seconds since the oldest of them was
    expected, and the memory of each process in MB.
    """

    samples: list[tuple[float, ...]] = field(default_factory=list)
    every: int = 1
    """How many samples taken stand behind one that is kept."""
    _taken: int = 0

    def add(self, *sample: float) -> None:
        """One more sample."""
        if self._taken % self.every:
            self.samples[-1] = _peaks([self.samples[-1], sample])
        else:
            self.samples.append(sample)
        self._taken += 1
        if len(self.samples) >= MOST_SAMPLES and self._taken % self.every == 0:
            self.samples, self.every = self.stretches(len(self.samples) // 2), self.every * 2

    @property
    def waiting(self) -> list[float]:
        """Effects under way."""
        return [sample[1] for sample in self.samples]

    @property
    def seconds(self) -> list[float]:
        """Ages of the oldest."""
        return [sample[2] for sample in self.samples]

    def stretches(self, most: int) -> list[tuple[float, ...]]:
        """The peaks of at most so many stretches of equal time."""
        size = max(1, -(-len(self.samples) // most))
        return [_peaks(self.samples[i : i + size]) for i in range(0, len(self.samples), size)]


def _peaks(samples: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(max(values) for values in zip(*samples, strict=True))
