"""What makes a lane hold itself until an operator has looked: most of its inputs die, or its outbox is too old."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from .control import DYING, HORIZON, Batch
from .documents import INBOX_KEPT


@dataclass(frozen=True, slots=True)
class Poison:
    """How much may die: a lane is held when within ``window`` seconds at least ``least`` inputs have died, and these
    are at least ``share`` of what it has folded."""

    share: float = 0.5
    window: float = 60.0
    least: int = 50


class Deaths:
    """What one lane has folded since it was claimed, as far back as the window goes.

    A death is a dead letter of a bug or of something unreadable. What a handler has rejected is not: the handler
    works, and the sender is wrong.
    """

    def __init__(self, poison: Poison) -> None:
        self._poison = poison
        self._batches: deque[tuple[float, int, int]] = deque()
        self._folded = self._died = 0

    def count(self, time: float, outcomes: Iterable[str]) -> None:
        """Add the outcomes of a batch."""
        known = list(outcomes)
        died = sum(o.startswith("dead:") and o != "dead:rejected" for o in known)
        self._batches.append((time, len(known), died))
        self._folded += len(known)
        self._died += died
        while self._batches[0][0] < time - self._poison.window:
            _, folded, gone = self._batches.popleft()
            self._folded -= folded
            self._died -= gone

    def alarm(self) -> str:
        """Why the lane is to be held; empty if it is not."""
        too_many = self._died >= self._poison.least and self._died >= self._poison.share * self._folded
        return f"{DYING}{self._died} of the last {self._folded} inputs" if too_many else ""


def expired(batch: Batch, now: datetime) -> bool:
    """Whether readers may have forgotten a batch that was sent in part: they would count it twice."""
    return batch.at is not None and now - batch.at >= INBOX_KEPT


def too_late(batches: Iterable[Batch], now: datetime) -> str:
    """Why these batches must not be sent without a person's word; empty if they may."""
    old = [batch for batch in batches if expired(batch, now)]
    return f"{HORIZON}{len(old)} unsent batches, the oldest of {old[0].at:%Y-%m-%d %H:%M} UTC" if old else ""
