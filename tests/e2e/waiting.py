"""How long something takes to become true."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def within(
    seconds: float, true: Callable[[], Awaitable[bool]], began: float = 0.0, *, every: float = 0.1
) -> float:
    """Seconds until it is true, since `began` or the call; looks `every` so many, and fails after too many."""
    began = began or time.monotonic()
    while not await true():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        await asyncio.sleep(every)
    return time.monotonic() - began
