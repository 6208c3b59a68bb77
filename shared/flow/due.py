"""Timers: how one is made, and those whose time has come, on their way to the lane that folds them."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from .documents import Timer
from .router import Reminder
from .scope import Cause


@dataclass(frozen=True, slots=True)
class DueTimers:
    """Timers that wait for the lane to pass ``ends``, so that no answer in a topic is overlooked."""

    timers: tuple[Timer, ...]
    ends: Mapping[str, int]

    def ripe(self, done: Mapping[str, int]) -> bool:
        """Whether a lane that stands at ``done`` has passed them."""
        return all(done.get(topic, 0) >= end for topic, end in self.ends.items())


class Due(deque[DueTimers]):
    """What was handed over to a lane, oldest first."""

    def ripe(self, done: Mapping[str, int]) -> bool:
        """Whether the oldest may fire."""
        return bool(self) and self[0].ripe(done)

    def take(self, done: Mapping[str, int]) -> list[Timer]:
        """Those that may fire, up to the first that may not."""
        taken: list[Timer] = []
        while self.ripe(done):
            taken += self.popleft().timers
        return taken


def timer(name: str, due: datetime, payload: Reminder, lane: str, cause: Cause) -> Timer:
    """A reminder as a document; its chain of causes goes on."""
    return Timer(
        id=name,
        v=1,
        lane=lane,
        due=due,
        type=type(payload).__name__,
        payload=msgspec.to_builtins(payload),
        correlation=cause.correlation,
        traceparent=cause.traceparent,
    )
