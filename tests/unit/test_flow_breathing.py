"""Long work in pieces."""

import asyncio
import time
from collections.abc import Iterator

from shared.flow.breathing import BREATH, FEWEST, LONG, Pace, breathing


def burn(seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass


def pieces(many: int) -> Iterator[None]:
    for _ in range(many):
        burn(BREATH)
        yield


async def test_a_long_fold_lets_others_have_their_turn() -> None:
    """Whoever waits for the loop waits for no more than a breath and a piece, however long the whole takes."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

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


async def test_the_turns_of_others_are_not_counted() -> None:
    """How long a work took is what it took itself, or a lane would take less and less beside busy ones."""

    async def others() -> None:
        while True:
            burn(0.02)
            await asyncio.sleep(0)

    task, began = asyncio.create_task(others()), time.monotonic()
    took = await breathing(pieces(10))
    whole = time.monotonic() - began
    task.cancel()
    assert 10 * BREATH <= took <= whole - 9 * 0.02


def test_a_batch_of_what_takes_long_is_small() -> None:
    """As many as fit into a tenth of a second, a few at the least and at first, and all once they take no time."""
    pace = Pace()
    assert pace.most(200) == FEWEST
    pace.took(0.0, FEWEST)
    assert pace.most(200) == 200
    for _ in range(50):
        pace.took(0.002 * 50, 50)
    assert pace.most(200) == LONG / 0.002
    for _ in range(50):
        pace.took(1.0, 1)
    assert pace.most(200) == FEWEST
    assert pace.most(1) == 1
    for _ in range(50):
        pace.took(0.0, 200)
    assert pace.most(200) == 200
