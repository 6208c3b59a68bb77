"""People who write, ask, answer, join and leave all the time, whatever dies meanwhile: load for the fault tests."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from local.client import Client, Refusal
from local.ledger import Seen
from local.processes import until
from local.texts import CIRCLES, POSTS
from local.witness import Witness
from shared.contracts.groups import MemberJoined
from shared.contracts.notes import NeedOpened

NEED_STEPS = (20,)
"""Seconds until a need escalates: once, and while the load still runs."""
HASTE = 14.0
"""An answer comes at least so many seconds before its need is due, or not at all: so however long a service was
away, it is never unclear whether the answer was in time."""
HARMLESS = frozenset({"group-full", "need-closed", "unknown-comment", "unknown-content", "unknown-group"})
"""Refusals that a careful caller meets: seats are taken, a question or its answer was hidden meanwhile, a service has
not heard yet of a comment or a group."""

_REMARKS = [remark for post in POSTS for remark in post.remarks]
ADS = [remark.text for remark in _REMARKS if remark.ad]
QUESTIONS = [remark.text for remark in _REMARKS if remark.asks]
TALK = [remark.text for remark in _REMARKS if not (remark.ad or remark.asks)]


@dataclass(frozen=True, slots=True)
class Place:
    """A note or a group, and whose it is."""

    id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Said:
    """A comment that says something."""

    id: str
    note: Place
    person: str


class Crowd:
    """Every person is moved by one task and waits for each answer, so nobody contradicts themselves."""

    def __init__(self, client: Client, witness: Witness, rng: random.Random) -> None:
        self._client, self._witness, self._rng = client, witness, rng
        self.notes: list[Place] = []
        self.groups: list[Place] = []
        self.at: set[tuple[str, str]] = set()
        """Who is in which group, as far as they know: (person, group)."""
        self._waiting: set[tuple[str, str]] = set()
        self._joined, self._heard = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        """How often somebody has come to be a member, and how often that was told: news come late."""
        self._asked: set[str] = set()
        self._open: deque[NeedOpened] = deque()
        self._said: deque[Said] = deque(maxlen=200)
        self._leaving = False
        self._awake = asyncio.Event()
        self._awake.set()
        self._busy = 0
        witness.watchers.append(self._hear)

    def _hear(self, seen: Seen, _: float | None) -> None:
        # Every third question stays without an answer: its timer must fire.
        if isinstance(seen.event, NeedOpened) and self._rng.random() < 0.67:
            self._open.append(seen.event)
        if isinstance(seen.event, MemberJoined):
            where = seen.event.person_id, seen.event.group_id
            self._heard[where] += 1
            if where in self._waiting and self._heard[where] > self._joined[where]:  # else news of an earlier time
                self._waiting.discard(where)
                self._enter(where)

    async def settle_in(self) -> None:
        """Groups, some of few seats, and notes handed over to them."""
        for circle in CIRCLES:
            body = {"name": circle.name, "charter": circle.charter, "seats": min(circle.seats, 12)}
            self.groups.append(Place(await self._client.open_group(circle.owner, body), circle.owner))
        for post in POSTS:
            await self._write(post.person, post.body())
        for place, group in zip(self.notes, self.groups * 9, strict=False):
            assert await self._witness.fact("GroupOpened", group.id)
            await self._relay(place, group)

    @asynccontextmanager
    async def living(self, tasks: int, pause: float = 0.0) -> AsyncIterator[None]:
        """The crowd is at it while the block runs; at its end everybody finishes what they are at. Between two moves
        of a task there is a pause of so many seconds in the mean."""
        self._leaving = False
        people = [[f"crowd-{task}-{n}" for n in range(4)] for task in range(tasks)]
        try:
            async with asyncio.TaskGroup() as group:
                for some in people:
                    group.create_task(self._live(some, random.Random(self._rng.random()), pause))
                try:
                    yield
                finally:
                    self._leaving = True
        except* Refusal as errors:
            raise errors.exceptions[0] from None

    async def _live(self, people: list[str], rng: random.Random, pause: float) -> None:
        moves = (
            *(self._talk, self._ask, self._advertise, self._answer, self._advise, self._hand_over),
            *(self._move, self._chat, self._opine, self._report),
        )
        while not self._leaving:
            await self._awake.wait()
            self._busy += 1
            (move,) = rng.choices(moves, (24, 16, 10, 20, 10, 4, 16, 6, 4, 4))
            try:
                await move(rng.choice(people), rng)
            except Refusal as refusal:
                if refusal.reason not in HARMLESS:
                    raise
            finally:
                self._busy -= 1
            await asyncio.sleep(rng.uniform(0.0, 2 * pause))

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """Nobody is at anything while the block runs."""
        self._awake.clear()
        try:
            await until(lambda: not self._busy)
            yield
        finally:
            self._awake.set()

    # -- what they do ------------------------------------------------------------------------------------------

    async def _talk(self, person: str, rng: random.Random) -> None:
        if rng.random() < 0.1:
            return await self._write(person, rng.choice(POSTS).body())
        return await self._say(person, rng.choice(self.notes), rng)

    async def _write(self, person: str, body: dict[str, object]) -> None:
        self.notes.append(Place(await self._client.note(person, body), person))

    async def _say(self, person: str, note: Place, rng: random.Random) -> None:
        body = {"text": rng.choice(TALK)}
        if note.owner != person:
            self._said.append(Said(await self._client.comment(person, note.id, body), note, person))

    async def _ask(self, person: str, rng: random.Random) -> None:
        body = {"text": rng.choice(QUESTIONS)}
        self._asked.add(await self._client.comment(person, rng.choice(self.notes).id, body, asks=True))

    async def _advertise(self, person: str, rng: random.Random) -> None:
        text = rng.choice(ADS)
        if rng.random() < 0.3:  # with a question in it: a need that has to be withdrawn, or never opens
            text = f"{rng.choice(QUESTIONS)}\n{text}"
        await self._client.comment(person, rng.choice(self.notes).id, {"text": text})

    async def _answer(self, person: str, rng: random.Random) -> None:
        if not self._open:
            return await self._talk(person, rng)
        need = self._open.popleft()
        # Nobody answers a question in an advertisement: that would race with its verdict.
        if person == need.asker_id or need.comment_id not in self._asked or self._late(need):
            return None
        comment = await self._client.comment(person, need.note_id, {"text": rng.choice(TALK)})
        if not self._late(need):
            await self._client.accept(need.asker_id, need.need_id, comment)
        return None

    def _late(self, need: NeedOpened) -> bool:
        return need.due_at.timestamp() - self._client.journal.clock() < HASTE

    async def _advise(self, person: str, rng: random.Random) -> None:
        if not self._said:
            return await self._talk(person, rng)
        said = self._said.popleft()
        await self._client.advice(said.note.owner, said.id)
        return None

    async def _hand_over(self, _: str, rng: random.Random) -> None:
        await self._relay(rng.choice(self.notes), rng.choice(self.groups))

    async def _relay(self, note: Place, group: Place) -> None:
        await self._client.relay(note.owner, note.id, group.id)

    async def _move(self, person: str, rng: random.Random) -> None:
        where = (person, rng.choice(self.groups).id)
        if where in self.at:
            await self._client.leave(*where)
            self.at.discard(where)
        elif where not in self._waiting:
            told = await self._client.join(*where)
            if "state" in told and self._heard[where] <= self._joined[where]:
                self._waiting.add(where)
            else:
                self._enter(where)

    def _enter(self, where: tuple[str, str]) -> None:
        self._joined[where] += 1
        self.at.add(where)

    async def _chat(self, person: str, rng: random.Random) -> None:
        there = [group for who, group in sorted(self.at) if who == person]
        if there:
            await self._client.say(person, rng.choice(there), {"text": rng.choice(TALK)})

    async def _opine(self, person: str, rng: random.Random) -> None:
        await self._client.feedback(person, rng.choice(self.groups).id, "not_for_me")

    async def _report(self, _: str, rng: random.Random) -> None:
        if self._said:  # by somebody new each time: nobody may report much within an hour
            reporter, said = f"reporter-{rng.getrandbits(64):x}", rng.choice(self._said)
            await self._client.report(reporter, "comment", said.id, "other")
