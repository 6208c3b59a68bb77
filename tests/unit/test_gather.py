"""R15. Who asks at the same time is answered together, each of what holds when they ask."""

import asyncio
import gc
from collections.abc import Collection

import pytest

from shared.errors import Transient
from shared.gather import AT_ONCE, MOST, Gathered

pytestmark = pytest.mark.jumping


class Source:
    """Answers when it is told to; `asked` are the keys of each question."""

    def __init__(self, **held: int) -> None:
        self.held = held
        self.asked: list[set[str]] = []
        self.gates: list[asyncio.Event] = []
        self.came = asyncio.Semaphore(0)

    async def ask(self, keys: Collection[str]) -> dict[str, int]:
        self.asked.append(set(keys))
        found = {key: self.held[key] for key in keys if key in self.held}
        self.gates.append(gate := asyncio.Event())
        self.came.release()
        await gate.wait()
        if self.held.get("fault"):
            raise Transient("away")
        return found

    async def sent(self) -> None:
        """Returns when one more question has come."""
        await asyncio.wait_for(self.came.acquire(), 5)

    def answer(self, *questions: int) -> None:
        for question in questions:
            self.gates[question].set()


async def full(source: Source, one: Gathered[int]) -> list[asyncio.Task[dict[str, int]]]:
    """As many questions on their way as may be, each of somebody who came alone."""
    came = []
    for n in range(AT_ONCE):
        came.append(asyncio.create_task(one.of([f"first-{n}"])))
        await source.sent()
    return came


async def test_who_comes_alone_is_asked_for_at_once() -> None:
    """And gets what there is, without what there is not."""
    source = Source(a=1)
    asking = asyncio.create_task(Gathered(source.ask).of(["a", "b"]))
    await source.sent()
    source.answer(0)
    assert await asking == {"a": 1}
    assert source.asked == [{"a", "b"}]


async def test_who_comes_meanwhile_goes_together() -> None:
    """Fifty who come while questions are on their way are one question, and each gets their own."""
    source = Source(**{f"k{n}": n for n in range(50)})
    one = Gathered(source.ask)
    before = await full(source, one)
    many = []
    for n in range(50):
        many.append(asyncio.create_task(one.of([f"k{n}"])))
        await asyncio.sleep(0)  # each in a turn of its own
    source.answer(0)
    await source.sent()
    source.answer(*range(1, AT_ONCE + 1))
    told = await asyncio.wait_for(asyncio.gather(*many), 5)
    assert told == [{f"k{n}": n} for n in range(50)]
    assert source.asked[AT_ONCE:] == [{f"k{n}" for n in range(50)}]
    await asyncio.gather(*before)


async def test_nobody_is_answered_by_what_was_asked_before_they_came() -> None:
    """What changes before somebody asks is in their answer, though the same key is on its way."""
    source = Source(a=1)
    one = Gathered(source.ask)
    early = asyncio.create_task(one.of(["a"]))
    await source.sent()
    source.held["a"] = 2
    late = asyncio.create_task(one.of(["a"]))
    await source.sent()
    source.answer(0, 1)
    assert (await early, await late) == ({"a": 1}, {"a": 2})


async def test_after_a_stall_a_question_is_bounded() -> None:
    """However many have waited, no question has more than so many keys, and all are answered."""
    source = Source(**{f"k{n}": n for n in range(2 * MOST)})
    one = Gathered(source.ask)
    before = await full(source, one)
    many = [asyncio.create_task(one.of([f"k{n}"])) for n in range(2 * MOST)]
    await asyncio.sleep(0)
    source.answer(0, 1)
    for _ in range(2):
        await source.sent()
    source.answer(2, 3)
    told = await asyncio.wait_for(asyncio.gather(*many), 5)
    assert sum(map(len, told)) == 2 * MOST
    assert list(map(len, source.asked[AT_ONCE:])) == [MOST, MOST]
    await asyncio.gather(*before)


async def test_a_fault_is_told_to_all_of_that_question_and_to_nobody_after() -> None:
    """However many questions fail, the next one is asked."""
    source = Source(a=1, fault=1)
    one = Gathered(source.ask)
    for n in range(2 * AT_ONCE):
        both = [asyncio.create_task(one.of([key])) for key in "ab"]
        await source.sent()
        source.answer(n)
        assert [type(told) for told in await asyncio.gather(*both, return_exceptions=True)] == [Transient, Transient]
    del source.held["fault"]
    again = asyncio.create_task(one.of(["a"]))
    await source.sent()
    source.answer(2 * AT_ONCE)
    assert await again == {"a": 1}


async def test_questions_that_hang_hold_nobody_up_for_long() -> None:
    """They are given up as a fault of the world, and who came after them is answered."""
    source = Source(a=1)
    one = Gathered(source.ask, seconds=0.05)
    hung = await full(source, one)
    late = asyncio.create_task(one.of(["a"]))
    given_up = await asyncio.wait_for(asyncio.gather(*hung, return_exceptions=True), 5)
    assert list(map(type, given_up)) == [Transient] * AT_ONCE
    await source.sent()
    source.answer(AT_ONCE)
    assert await late == {"a": 1}


async def test_who_goes_away_takes_nothing_from_the_others() -> None:
    """A client that hangs up ends its own wait, not the question."""
    source = Source(a=1)
    one = Gathered(source.ask)
    gone, stays = (asyncio.create_task(one.of(["a"])) for _ in range(2))
    await source.sent()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    source.answer(0)
    assert await stays == {"a": 1}
    assert len(source.asked) == 1


async def test_an_error_that_nobody_waits_for_is_quiet() -> None:
    """All who have asked have gone: what their question came to is no news to anybody."""
    loop, told = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, what: told.append(what))
    source = Source(a=1, fault=1)
    gone = asyncio.create_task(Gathered(source.ask).of(["a"]))
    await source.sent()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    source.answer(0)
    (question,) = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait([question])
    del question
    gc.collect()
    assert told == []
