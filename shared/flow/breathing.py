"""Long work in pieces, so that nobody waits for the whole of it."""

import asyncio
from collections.abc import Iterable

BREATH = 0.01
"""Seconds for which a fold has the loop for itself."""


async def breathing(pieces: Iterable[None]) -> None:
    """Goes through the pieces of a work. After so long (BREATH) whatever else there is to do here has its turn: answers
    to callers, heartbeats, what is to be published, other lanes."""
    clock = asyncio.get_running_loop().time
    began = clock()
    for _ in pieces:
        if clock() - began >= BREATH:
            await asyncio.sleep(0)
            began = clock()
