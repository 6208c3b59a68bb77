"""One question for all who ask at the same time: a request to the database costs more than what it brings."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

V = TypeVar("V")
AT_ONCE = 2
"""Questions on their way: while one is answered the next is gathered, and a slow one does not hold up all."""


class Gathered(Generic[V]):
    """What is known by key. ``ask`` answers for some keys, and leaves out those of which there is nothing.

    Of nobody else about, a key is asked for at once; while questions are on their way, the keys of all who come go
    into the next one. Nobody is answered by a question that was sent before theirs.
    """

    def __init__(self, ask: Callable[[Collection[str]], Awaitable[Mapping[str, V]]]) -> None:
        self._ask = ask
        self._free = asyncio.Semaphore(AT_ONCE)
        self._keys: set[str] = set()
        self._answer: asyncio.Task[Mapping[str, V]] | None = None

    async def of(self, keys: Collection[str]) -> dict[str, V]:
        """What is known of these keys now. Raises what ``ask`` raises, to all whose keys went together."""
        if self._answer is None:
            self._answer = asyncio.create_task(self._next())
            self._answer.add_done_callback(_heard)
        self._keys.update(keys)
        found = await asyncio.shield(self._answer)  # who goes away takes nothing from the others
        return {key: found[key] for key in keys if key in found}

    async def _next(self) -> Mapping[str, V]:
        async with self._free:
            keys, self._keys, self._answer = self._keys, set(), None
            return await self._ask(keys)


def _heard(answer: "asyncio.Task[Mapping[str, V]]") -> None:
    """An error that nobody has waited for is not one more in the log."""
    if not answer.cancelled():
        answer.exception()
