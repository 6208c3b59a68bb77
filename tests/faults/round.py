"""One round of load with faults in it, and the verdict at its end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from math import inf
from statistics import median

import pytest

from local import kafka
from local.audit import Audit
from local.book import TWO_BODIES, Fact
from local.ledger import Seen
from local.processes import until, wait_for
from local.texts import POSTS
from local.witness import QUIET
from shared.contracts.dead import DEAD_LETTERS, DeadLetter
from tests.faults.crowd import HARMLESS, TALK
from tests.faults.system import Place, System

ON_REAL_PARTS = [
    pytest.mark.stack,
    pytest.mark.kafka,
    pytest.mark.skipif(kafka.missing() is not None, reason=f"no Apache Kafka on this machine: {kafka.missing()}"),
    pytest.mark.asyncio(loop_scope="package"),
]
"""The marks of a module of fault tests."""
TASKS = 10
"""People who do something at a time."""
FEW_TASKS, PAUSE = 4, 0.25
"""In `make test`, with so many seconds between two moves: they leave room for those who start."""
WITHIN = 600
"""Accepted commands and records, at most, between two faults."""
STALLED = 180.0
"""Seconds without enough progress of the load; all limits here are for a machine that is busy with other things."""
DRAINED = 60.0
LONGEST = 300.0
THROUGH = 180.0
"""Seconds in which something new must have gone all the way, once what was broken is whole again."""
LETTERS = frozenset(kind.__name__ for kind in DEAD_LETTERS.values())
"""Of one input there may be several, by replays; what there must be, their test says."""
PATHS = 4
"""Notes and messages that are sent to find that out: the more, the more lanes they meet."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a round came to; the line that `make faults` writes."""

    test: str
    inputs: int
    """Accepted commands and records."""
    faults: int
    lost: int
    doubled: int
    differing: int
    """What the APIs tell in the end otherwise than accepted commands make of it."""
    dead: int
    back: float
    """Seconds from a fault, or from its end, until all works again: the median."""
    back_most: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.inputs:,} inputs, {self.faults} faults in {self.seconds:.0f} s; lost {self.lost}, doubled"
            f" {self.doubled}, other counts {self.differing}, dead letters {self.dead}; all works again after"
            f" {self.back:.1f} s (most {self.back_most:.1f} s)"
        )


@dataclass
class Round:
    """What a test works with while the crowd is at it."""

    system: System
    test: str
    scale: float
    """0 in `make test`: few rounds. Else `make faults` has asked for so many times the full number."""
    faults: int = 0
    back: list[float] = field(default_factory=list)
    """Seconds until all worked again, one for each fault or for each group of them."""
    letters: list[DeadLetter] = field(default_factory=list)
    """The dead letters that have come."""
    emptied: set[str] = field(default_factory=set)
    """Ids of events with a text of somebody who was erased: they may come again under their id, emptied (ADR 0040)."""
    harmless: set[str] = field(default_factory=lambda: set(HARMLESS))
    """Reasons for which commands may be refused."""

    def times(self, few: int, full: int) -> Iterator[int]:
        """So often: a few times in `make test`, the full number in `make faults`, times its N."""
        clock = asyncio.get_running_loop().time
        number, began = max(1, round(full * self.scale)) if self.scale else few, clock()
        for n in range(number):
            yield n
            told = f"{n + 1}/{number}, {self.system.load:,} inputs, {clock() - began:.0f} s"
            print(f"  {self.test}: {told}", flush=True)

    @contextmanager
    def recovery(self) -> Iterator[None]:
        """Measures the block: from here on it is being mended, and at its end all works again."""
        clock = asyncio.get_running_loop().time
        began = clock()
        yield
        self.back.append(clock() - began)

    async def loaded(self, more: int) -> None:
        """Returns when the load has moved on by so many inputs. TimeoutError when it stands still."""
        moment = self.system.load + more
        async with asyncio.timeout(STALLED):
            await until(lambda: self.system.load >= moment, every=0.003)

    async def sometime(self, within: int = WITHIN) -> None:
        """Returns at a moment that chance decides, before so many more inputs; before a quarter of them in `make
        test`."""
        await self.loaded(self.system.rng.randint(1, within if self.scale else within // 4))

    async def lettered(self, number: int) -> None:
        """Returns when so many dead letters have come."""
        assert await self.system.witness.until(lambda: len(self.letters) >= number, THROUGH), self.letters

    async def flows(self) -> None:
        """Returns when something new has gone all the way through the four services."""
        async with asyncio.TaskGroup() as group:
            for n in range(PATHS):
                group.create_task(self._goes_through(n))

    async def _goes_through(self, n: int) -> None:
        system = self.system
        client, place = system.client, system.crowd.groups[n]
        note = await client.note(f"path-{n}", POSTS[n].body())
        message = await client.say(place.owner, place.id, {"text": TALK[n]})
        ends: list[Fact] = [("ContentJudged", note), ("GroupsSuggested", note, "1"), ("MessageJudged", message)]
        for end in ends:
            assert await system.witness.fact(*end, within=THROUGH), f"{end} does not come"

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Nobody does anything while the block runs; all that was done before has had its effects, timers too."""
        async with self.system.crowd.resting():
            await self.settled()
            await self.decided()
            await self.settled()
            yield

    def _decided(self) -> bool:
        needs = self.system.witness.ledger.needs.values()
        return all(need.over or need.due == inf for need in needs)

    async def decided(self) -> None:
        """Returns when each need is over, or has escalated as often as it can."""
        told = "a need is neither over nor escalated"
        assert await self.system.witness.until(self._decided, LONGEST), told

    async def settled(self) -> None:
        """Returns when all is read and nothing is missing; what is still missing after a time of silence, is."""
        witness = self.system.witness

        async def all_there() -> bool:
            if witness.broken is not None:
                raise witness.broken
            silent = witness.ledger.clock() - witness.last
            if silent <= QUIET or witness.behind is None or await witness.behind():
                return False
            return silent > DRAINED or not self.lost()

        await wait_for(all_there, LONGEST, "the topics are silent")
        await self.system.drained(DRAINED)

    def lost(self) -> list[Fact]:
        """What is missing now, and dead letters of what nobody has planted."""
        ledger = self.system.witness.ledger
        missing = set(self.system.witness.verdict().lost) - set(ledger.dead) - self.system.known
        dead = [_fact(letter) for letter in self.letters if _place(letter) not in self.system.planted]
        return [*dead, *sorted(fact for fact in missing if not _planted(fact, self.system.planted))]

    def hear(self, seen: Seen, _: float | None) -> None:
        """A watcher of the witness."""
        if isinstance(seen.event, DeadLetter):
            self.letters.append(seen.event)
        if any(getattr(seen.event, who) in self.system.erased for who in seen.event.TEXTS):
            self.emptied.add(seen.envelope.id)


Told = Callable[[str, object], None]
"""pytest's `record_property`."""
Rounds = Callable[[System], AbstractAsyncContextManager[Round]]
"""The fixture `rounds`: one of them, on a system."""


@asynccontextmanager
async def play(system: System, test: str, scale: float, told: Told) -> AsyncIterator[Round]:
    """The crowd lives while the block runs; then all has to come out, and it has to be right.

    Raises AssertionError with what was lost, doubled or counted otherwise. What dies must have been planted.
    """
    await system.whole()
    round_ = Round(system, test, scale)
    clock = asyncio.get_running_loop().time
    began, inputs, refused = clock(), system.load, len(system.journal.refused)
    system.witness.watchers.append(round_.hear)
    try:
        async with system.crowd.living(*((TASKS,) if scale else (FEW_TASKS, PAUSE))):
            yield round_
        if scale:  # else the next round looks
            await round_.decided()
        await round_.settled()
        wrong = await _wrong(round_)
    finally:
        system.witness.watchers.remove(round_.hear)
    back = round_.back or [0.0]
    report = Report(
        test=test,
        inputs=system.load - inputs,
        faults=round_.faults,
        **{name: len(facts) for name, facts in wrong.items()},
        dead=len(round_.letters),
        back=median(back),
        back_most=max(back),
        seconds=clock() - began,
    )
    told("figures", str(report))
    told("report", asdict(report))
    print(f"  {test}: {report}", flush=True)
    assert not any(wrong.values()), {name: facts[:20] for name, facts in wrong.items()}
    assert not system.witness.others
    assert {refusal.reason for refusal in system.journal.refused[refused:]} <= round_.harmless


async def _wrong(round_: Round) -> dict[str, list[Fact]]:
    """What is lost, doubled, or is told otherwise by the APIs, and was told by no round before."""
    system, lost = round_.system, round_.lost()
    audit = await Audit(system.client, system.witness.ledger, gone=system.erased).all()
    verdict, differing = system.witness.verdict(), (*audit.lost, *audit.doubled)
    doubled = [fact for fact in set(verdict.doubled) - system.known if fact[0] not in LETTERS]
    new: dict[str, list[Fact]] = {
        "lost": lost,
        "doubled": sorted(fact for fact in doubled if fact[1] != TWO_BODIES or fact[2] not in round_.emptied),
        "differing": sorted(set(differing) - system.known),
    }
    system.known.update(verdict.lost, verdict.doubled, differing)
    return new


def _place(letter: DeadLetter) -> Place:
    return letter.topic, letter.partition, letter.offset


def _fact(letter: DeadLetter) -> Fact:
    return type(letter).__name__, letter.reason, letter.handler, letter.fingerprint, *map(str, _place(letter))


def _planted(fact: Fact, planted: set[Place]) -> bool:
    """Whether it is a record of the test's that the witness cannot read, as nobody can."""
    topic, place, *_ = fact
    partition, _, offset = place.partition(":")
    return offset.isdigit() and (topic, int(partition), int(offset)) in planted
