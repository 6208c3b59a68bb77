"""An event loop whose time jumps to the next thing to do: hours of waiting cost nothing."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
MOST_TURNS = 200_000
MOST_SECONDS = 3_600.0
"""After so many turns on one spot, or so much time, a test has failed: it would go on for ever."""
LOOK_OUT = 64
"""Nothing comes from outside but signals: so many turns pass between two looks at the real world."""
START = datetime(2026, 5, 4, 8, tzinfo=UTC)


class _Jumping(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0
        self._looks = 0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everything waits and nothing is due: a deadlock")
        self._turns = 0 if timeout > 0 else self._turns + 1
        if self._turns > MOST_TURNS:
            raise RuntimeError("time stands still: a task is busy and never waits")
        self.now += max(timeout, 0.0)
        if self.now > MOST_SECONDS:
            raise RuntimeError("what a task waits for does not come")
        self._looks += 1
        return [] if self._looks % LOOK_OUT else super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Loop time starts at 0 and moves only when all tasks wait; a loop without timers is a deadlock and fails."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        # What is due within the resolution of the clock counts as due, so that time always moves.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumping.now


def wall() -> datetime:
    """The wall clock that belongs to the loop's time."""
    seconds = asyncio.get_running_loop().time()
    return START + timedelta(milliseconds=int(seconds * 1000))


def simulate(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end on a jumping loop; what is still running then is cancelled."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main())
