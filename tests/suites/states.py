"""What republication and repetition promise, on the toy services."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.contracts import Envelope, Event
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import NeedOpened
from shared.contracts.topics import NOTE, NOTE_VERDICT
from shared.flow.documents import LANES
from shared.flow.fold import Limits
from shared.flow.states import State, republish
from tests.suites.toy import Need, Verdict, comment, judged
from tests.suites.world import Crash, Node, World


def told(verdict: Verdict) -> Event | None:
    return None if verdict.id == "private" else judged(verdict)


def opened(need: Need) -> Event:
    ids = {"need_id": need.id, "note_id": need.note_id, "comment_id": need.id}
    return NeedOpened(**ids, asker_id=need.asker_id, due_at=need.due)


STATES = (State(Verdict, told),)


async def verdicts(world: World) -> list[tuple[str, int, str]]:
    """Subject, sequence and id of everything told about verdicts."""
    found = [Envelope.of(record.headers) for record in await world.records(NOTE_VERDICT.name)]
    return [(e.subject, e.sequence, e.id) for e in found if e.type == ContentJudged.TYPE]


async def begun(world: World, limits: Limits | None = None) -> Node:
    node = await world.start("moderation", limits=limits)
    for n in range(7):
        await world.put(comment(f"n{n}", f"c{n}", "spam" if n % 2 else "fine"))
    await world.put(comment("n1", "private"))
    await world.quiet()
    return node


class StatesSuite:
    """Behaviours; a subclass gives the fixture ``world``."""

    async def test_state_is_told_with_its_sequence(self, world: World) -> None:
        """Each document with a public state once, whole, in its sequence; a second time with the same ids."""
        node = await begun(world)
        before = await verdicts(world)
        assert await republish(node.runtime, STATES) == {"told": 7, "nothing": 1}
        first = [v for v in await verdicts(world) if v not in before]
        assert {(s, n) for s, n, _ in first} == {(s, n) for s, n, _ in before if s != "private"}
        assert await republish(node.runtime, STATES) == {"told": 7, "nothing": 1}
        assert {id_ for *_, id_ in await verdicts(world)} == {id_ for *_, id_ in [*before, *first]}
        await world.quiet()
        documents = await world.documents("moderation", "verdicts")
        assert {d["v"] for d in documents.values()} == {1}

    async def test_it_goes_on_where_it_was_cut_short(self, world: World) -> None:
        """Killed after a page, run again: every state is told, with ids of which none is new the second time."""
        node = await begun(world, Limits(inputs=2))

        before = {id_ for *_, id_ in await verdicts(world)}
        commits = Counter[str]()

        def at(label: str) -> None:
            commits[label] += 1
            if label == "commit:after" and commits[label] == 2:
                raise Crash(label)

        with pytest.raises(Crash):
            await republish(replace(node.runtime, at=at), STATES)
        (stored,) = [s for n, s in (await world.documents("moderation", LANES)).items() if n.startswith("republish")]
        assert stored["next"]
        counts = await republish(node.runtime, STATES)
        assert 0 < counts["told"] < 7
        new = [v for v in await verdicts(world) if v[2] not in before]
        assert {s for s, *_ in new} == {f"c{n}" for n in range(7)}
        assert len({id_ for *_, id_ in new}) == 7
        (stored,) = [s for n, s in (await world.documents("moderation", LANES)).items() if n.startswith("republish")]
        assert stored["next"] == []

    async def test_a_republication_cut_short_stops_no_timer(self, world: World) -> None:
        """What it left unsent was told before: no answer is in it that a timer would have to wait for."""
        world.toy.patience = timedelta(hours=1)
        node = await world.start("notes")
        await world.put(comment("n", "c", "why?"))
        await world.quiet()
        node.publisher.away = True
        telling = asyncio.ensure_future(republish(node.runtime, (State(Need, opened),)))

        async def committed() -> bool:
            return bool((await world.documents("notes", LANES)).get("republish:0", {}).get("outbox"))

        await world.until(committed, "something unsent")
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        node.publisher.away = False
        world.toy.patience = timedelta(milliseconds=100)
        await world.put(comment("n", "later", "why?"))

        async def escalated() -> bool:
            return (await world.types(NOTE.name))["need_escalated"] == 1

        await world.until(escalated, "escalated")
        assert await republish(node.runtime, (State(Need, opened),)) != {}
