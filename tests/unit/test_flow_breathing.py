"""Long work in pieces."""

import asyncio
import time
from collections.abc import Iterator

from shared.flow.breathing import BREATH, breathing


async def test_a_long_fold_lets_others_have_their_turn() -> None:
    """Whoever waits for the loop waits for no more than a breath and a piece, however long the whole takes."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def pieces(many: int) -> Iterator[None]:
        for _ in range(many):
            ends = time.monotonic() + BREATH
            while time.monotonic() < ends:
                pass
            yield

    task = asyncio.create_task(others())
    await breathing(pieces(10))
    assert turns >= 10
    task.cancel()


async def test_a_short_fold_has_the_loop_for_itself() -> None:
    """Between pieces that take no time nobody is asked."""
    turn = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turn.set_result, None)
    await breathing(iter([None] * 3))
    assert not turn.done()
