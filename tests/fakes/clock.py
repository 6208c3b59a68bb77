"""An event loop whose time jumps to the next thing to do: hours of waiting cost nothing."""

import asyncio
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")
MOST_TURNS = 200_000
MOST_SECONDS = 3_600.0
"""After so many turns on one spot, or so much time, a test has failed: it would go on for ever."""
RESOLUTION = 1e-6
"""What is due within so many seconds counts as due, so that time always moves."""
START = datetime(2026, 5, 4, 8, tzinfo=UTC)


class JumpingLoop(asyncio.BaseEventLoop):
    """Loop time starts at 0 and moves only when all tasks wait; a loop without timers is a deadlock and fails.

    It has no sockets and no pipe to other threads, so a turn costs what its callbacks cost.
    """

    _ready: Any
    """asyncio's own queue of what is to be run next."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0
        self._later: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._made = 0
        self.keeps: Callable[[Any], bool] | None = None
        """Takes a callback away instead of its being run."""

    def time(self) -> float:
        return self.now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._made += 1
        heapq.heappush(self._later, (when, self._made, handle))
        return handle

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def _write_to_self(self) -> None:
        """Ctrl-C is heard at the next turn."""

    def _run_once(self) -> None:
        ready, later = self._ready, self._later
        if ready or self._stopping:  # type: ignore[attr-defined]
            self._turns += 1
            if self._turns > MOST_TURNS:
                raise RuntimeError("time stands still: a task is busy and never waits")
        else:
            self._jump()
        due = self.now + RESOLUTION
        while later and later[0][0] < due:
            ready.append(heapq.heappop(later)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled and not (self.keeps is not None and self.keeps(handle)):
                handle._run()

    def _jump(self) -> None:
        later = self._later
        while later and later[0][2].cancelled():
            heapq.heappop(later)
        if not later:
            raise RuntimeError("everything waits and nothing is due: a deadlock")
        if later[0][0] > self.now:
            self.now, self._turns = later[0][0], 0
        if self.now > MOST_SECONDS:
            raise RuntimeError("what a task waits for does not come")


def wall() -> datetime:
    """The wall clock that belongs to the loop's time."""
    return _after(int(asyncio.get_running_loop().time() * 1000))


@lru_cache(64)
def _after(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def simulate(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end on a jumping loop; what is still running then is cancelled."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main())
