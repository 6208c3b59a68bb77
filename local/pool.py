"""Much work, a little at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def spread(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Does `work` for every item, started in their order, at most `at_once` at a time; the items are taken one by
    one. The first error cancels the rest and is raised."""
    left: Iterator[T] = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
