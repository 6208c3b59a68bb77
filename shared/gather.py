"""One question for all who ask at the same time: a request to the database costs more than what it brings."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

from shared.errors import Transient

V = TypeVar("V")
AT_ONCE = 2
"""Questions on their way: while one is answered the next is gathered."""
MOST = 500
"""Keys of a question to which no more are added: after a while without answers all who have waited would be one."""
LONGEST = 3.0
"""Seconds for a question, as the client gives itself to find a server: nobody waits for a connection that is dead."""


class _Question(Generic[V]):
    """What is asked for together, until it is sent; then its answer."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.answer: asyncio.Task[Mapping[str, V]]


class Gathered(Generic[V]):
    """What is known by key. ``ask`` answers for some keys, and leaves out those of which there is nothing.

    Of nobody else about, a key is asked for at once; while two questions are on their way, the keys of all who come go
    into the next one. Nobody is answered by a question that was sent before they came.
    """

    def __init__(
        self, ask: Callable[[Collection[str]], Awaitable[Mapping[str, V]]], *, seconds: float = LONGEST
    ) -> None:
        self._ask, self._seconds = ask, seconds
        self._free = asyncio.Semaphore(AT_ONCE)
        self._next: _Question[V] | None = None

    async def of(self, keys: Collection[str]) -> dict[str, V]:
        """What is known of these keys now. Raises what ``ask`` raises, and Transient where it takes too long, to all
        whose keys went together."""
        question = self._next
        if question is None or len(question.keys) >= MOST:
            question = self._next = _Question()
            question.answer = asyncio.create_task(self._put(question))
            question.answer.add_done_callback(_heard)
        question.keys.update(keys)
        found = await asyncio.shield(question.answer)  # who goes away takes nothing from the others
        return {key: found[key] for key in keys if key in found}

    async def _put(self, question: _Question[V]) -> Mapping[str, V]:
        async with self._free:
            if self._next is question:
                self._next = None
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._ask(question.keys)
            except TimeoutError:
                raise Transient("no answer for too long") from None


def _heard(answer: asyncio.Task[Mapping[str, V]]) -> None:
    """An error that nobody has waited for is not one more in the log."""
    if not answer.cancelled():
        answer.exception()
