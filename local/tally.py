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
    """Samples over time, at equal distances; when they become many, of two neighbours the higher one stays."""

    waiting: list[float] = field(default_factory=list)
    """Effects that were expected and not seen yet."""
    seconds: list[float] = field(default_factory=list)
    """Since when the oldest of them was expected."""
    every: int = 1
    """How many samples taken stand behind one that is kept."""
    _taken: int = 0

    def add(self, waiting: float, seconds: float) -> None:
        """One more sample."""
        if self._taken % self.every:
            self.waiting[-1] = max(self.waiting[-1], waiting)
            self.seconds[-1] = max(self.seconds[-1], seconds)
        else:
            self.waiting.append(waiting)
            self.seconds.append(seconds)
        self._taken += 1
        if len(self.waiting) >= MOST_SAMPLES and self._taken % self.every == 0:
            self.waiting, self.seconds = _halved(self.waiting), _halved(self.seconds)
            self.every *= 2


def _halved(values: Sequence[float]) -> list[float]:
    return [max(values[i : i + 2]) for i in range(0, len(values), 2)]
