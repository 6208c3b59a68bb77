"""Long work in pieces, and batches that are not too long, so that nobody waits for the whole of it."""

import asyncio
from collections.abc import Iterable

BREATH = 0.01
"""Seconds for which a fold has the loop for itself."""
LONG = 0.1
"""Seconds for which a batch may be folded: the first of its inputs has its effect with the last."""
FEWEST = 16
"""Inputs of a batch, however long they take: a commit has its price, too."""
LATELY = 0.2
"""The part of the newest batch in how long an input takes."""


async def breathing(pieces: Iterable[None]) -> float:
    """Goes through the pieces of a work; how many seconds that took. After so long (BREATH) whatever else is to be done
    here has its turn, which is not counted: answers to callers, heartbeats, what is to be published, other lanes."""
    clock = asyncio.get_running_loop().time
    took, began = 0.0, clock()
    for _ in pieces:
        if clock() - began >= BREATH:
            took += clock() - began
            await asyncio.sleep(0)
            began = clock()
    return took + clock() - began


class Pace:
    """How many inputs a lane takes at once, by how long one of them has taken lately; few before anything is known."""

    def __init__(self) -> None:
        self._each: float | None = None

    def took(self, seconds: float, inputs: int) -> None:
        """A batch of so many was folded."""
        each = seconds / max(1, inputs)
        self._each = each if self._each is None else self._each + LATELY * (each - self._each)

    def most(self, limit: int) -> int:
        """Inputs of the next one, at most."""
        if self._each is None:
            return min(limit, FEWEST)
        return limit if self._each * limit <= LONG else min(limit, max(FEWEST, int(LONG / self._each)))
