"""How far a lane is behind what the broker has, whether or not anything of it reaches the lane."""

from collections.abc import Callable, Mapping
from datetime import datetime


class Backlog:
    """What the broker told last of a lane's topics, and since when the lane has not passed it.

    A consumer that receives nothing looks like topics in which nothing is. So their ends are asked for apart from it,
    now and then; while the broker does not tell them, something may wait.
    """

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._target: Mapping[str, int] | None = {}
        """What was there at ``_since``; None while nobody knows."""
        self._ends: Mapping[str, int] = {}

    def told(self, now: datetime, done: Mapping[str, int], ends: Mapping[str, int] | None) -> None:
        """Take up the ends by topic; None if the broker did not tell them."""
        self._ends = ends or self._ends
        known_at_last = self._target is None and ends is not None
        if known_at_last or not self._behind(done):
            self._since, self._target = now, ends

    def age(self, now: datetime, done: Mapping[str, int], in_hand: datetime | None) -> float:
        """Seconds for which a lane that stands at ``done`` has let wait what it has in hand, or has not seen."""
        times = [time for time in (in_hand, self._since if self._behind(done) else None) if time is not None]
        return max((max(0.0, (now - time).total_seconds()) for time in times), default=0.0)

    def records(self, done: Mapping[str, int], high: Callable[[str], int | None]) -> int:
        """Records beyond ``done``, by the last fetch or by the last look, whichever knows of more."""
        return sum(max(0, max(high(topic) or 0, self._ends.get(topic, 0)) - at) for topic, at in done.items())

    def _behind(self, done: Mapping[str, int]) -> bool:
        return self._target is None or any(done.get(topic, 0) < end for topic, end in self._target.items())
