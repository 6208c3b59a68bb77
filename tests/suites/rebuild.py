"""What a rebuild promises, on the toy services: the same projections, nothing told twice, nothing lost."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import TOPICS, Envelope
from shared.contracts.notes import NeedOpened
from shared.contracts.topics import NOTE
from shared.errors import Rejected
from shared.flow import control
from shared.flow.documents import DEAD, INBOX, LANES, Timer
from shared.flow.ports import Conflict
from shared.flow.rebuild import progress, rebuild
from tests.suites.lane import comments, replayed
from tests.suites.toy import Accept, Need, PostComment, Remembered, Seen, Tally, Verdict, comment
from tests.suites.world import Node, World

KINDS = {"notes": (Tally, Remembered, Need, Seen), "moderation": (Verdict,)}


class Stopped(Exception):
    """The command was killed here."""


async def everything(world: World, service: str = "notes") -> dict[str, Any]:
    """All documents of a service, the lanes' own left out."""
    return {kind.COLLECTION: await world.documents(service, kind.COLLECTION) for kind in KINDS[service]}


async def told(world: World) -> set[str]:
    """Every event by its id. A double on the wire is no new event."""
    return {id_ for topic in TOPICS for id_ in await world.ids(topic)}


async def history(world: World, node: Node, patience: timedelta = timedelta(hours=1)) -> None:
    world.toy.patience = patience
    for n in range(12):
        text = ("hello", "spam", "why?")[n % 3]
        await world.submit(node, PostComment(person_id="p", comment_id=f"c{n}", note_id=f"n{n % 5}", text=text))
    await world.submit(node, Accept(person_id="p", need_id="c2"))
    await world.quiet()


async def rebuilt(world: World, node: Node, stop_at: Sequence[str] = ()) -> None:
    """Run the command; it is killed at each of these steps, one run after the other, before it gets through."""
    for step in stop_at:

        def at(label: str, step: str = step) -> None:
            if label == step:
                raise Stopped(step)

        with pytest.raises(Stopped):
            await rebuild(node.runtime, KINDS[node.service], at)
    await rebuild(node.runtime, KINDS[node.service])

    async def spoken() -> bool:
        return not await progress(node.runtime.database)

    await world.until(spoken, "the rebuild is done")
    await world.quiet()


class RebuildSuite:
    """Behaviours; a subclass gives the fixture ``world``."""

    async def test_what_was_told_comes_out_the_same(self, world: World) -> None:
        """Documents are equal to the byte, versions too; no event is told again; the inbox knows its marks."""
        notes = await world.start("notes")
        await world.start("moderation")
        await history(world, notes)
        before, ids = await everything(world), await told(world)
        await rebuilt(world, notes)
        assert await everything(world) == before
        assert await told(world) == ids
        assert await world.documents("notes", INBOX)
        for stored in (await world.documents("notes", LANES)).values():
            assert control.read_control(stored["_id"], stored).mute == {}

    async def test_a_wrong_projection_is_mended(self, world: World) -> None:
        """What a bug left in a document goes with the document."""
        notes = await world.start("notes")
        await world.start("moderation")
        await history(world, notes)
        before = await everything(world)
        database = world.database("notes")
        await database.modify("tallies", {"_id": "n1"}, {"$set": {"comments": 77}})
        await database.modify("tallies", {"_id": "of a bug"}, {"$set": {"comments": 1, "v": 1}}, upsert=True)
        await rebuilt(world, notes)
        assert await everything(world) == before

    async def test_what_lay_unread_is_told_once(self, world: World) -> None:
        """Inputs that no lane had read when the rebuild began are folded as new ones: their events come, once."""
        notes = await world.start("notes")
        await world.start("moderation")
        await history(world, notes)
        await world.stop(notes)
        for n in range(6):
            await world.put(comment(f"n{n}", f"late{n}", "how?"))
        ids = await told(world)
        notes = await world.start("notes")
        await rebuild(notes.runtime, KINDS["notes"])
        await world.put(comment("n0", "latest", "where?"))
        await world.until(lambda: _opened(world, 4 + 7), "the needs are opened")
        await world.quiet()
        assert ids < await told(world)
        assert await _opened(world, 4 + 7)
        assert await comments(world, "n0") == 3 + 1 + 1

    async def test_it_works_while_commands_come(self, world: World) -> None:
        """Owners are fenced wherever they are; what is accepted meanwhile is counted once and told once."""
        notes = await world.start("notes", slots=2)
        other = await world.start("notes", slots=2)
        await world.start("moderation")
        await history(world, notes)
        for n in range(20):
            await world.insist(other, PostComment(person_id="p", comment_id=f"m{n}", note_id=f"n{n % 5}", text="m?"))
            if n == 7:
                await rebuild(notes.runtime, KINDS["notes"])
        await world.until(lambda: _opened(world, 4 + 20), "all needs are opened")
        await world.quiet()
        assert sum(t["comments"] for t in (await world.documents("notes", "tallies")).values()) == 32
        assert all(r["times"] == 1 for r in (await world.documents("notes", "remembered")).values())
        assert await _opened(world, 4 + 20)

    @pytest.mark.parametrize("step", ["stopped", "reset", "emptied", "released"])
    async def test_one_that_is_killed_is_run_again(self, world: World, step: str) -> None:
        """A lane that is half reset waits for the next run, whatever an operator says; then all is as if it had not."""
        notes = await world.start("notes")
        await world.start("moderation")
        await history(world, notes)
        before, ids = await everything(world), await told(world)
        with pytest.raises(Stopped):
            await rebuild(notes.runtime, KINDS["notes"], _stop)
        with pytest.raises(Conflict):
            await control.release(world.database("notes"), "note:0")
        with pytest.raises(Conflict, match="rebuild"):  # or its release would start the lane
            await control.hold(world.database("notes"), "note:0", "by hand")
        await rebuilt(world, notes, [step])
        assert await everything(world) == before
        assert await told(world) == ids

    async def test_a_rebuild_in_a_rebuild_stays_mute(self, world: World) -> None:
        """The second one forgets nothing of where the first was to speak again."""
        notes = await world.start("notes")
        await world.start("moderation")
        await history(world, notes)
        before, ids = await everything(world), await told(world)
        with pytest.raises(Stopped):
            await rebuild(notes.runtime, KINDS["notes"], _stop)
        for number in range(world.partitions):
            half = {"$set": {"next": [[NOTE.name, 1]]}}
            await world.database("notes").modify(LANES, {"_id": f"note:{number}"}, half)
        await rebuilt(world, notes)
        assert await everything(world) == before
        assert await told(world) == ids

    async def test_what_had_died_is_left_to_its_replay(self, world: World) -> None:
        """A rebuild does not fold a dead input, mended or not, so that its replay tells what it has to tell."""
        notes = await world.start("notes")
        await world.put(comment("n1", "c", "bug"))
        await world.put(comment("n1", "d", "hello"))
        await world.quiet()
        ids = await told(world)
        world.toy.broken = False
        await rebuilt(world, notes)
        assert await comments(world, "n1") == 1
        assert (await world.documents("notes", "remembered")).keys() == {"c", "d"}
        assert (await replayed(world, notes))["done"] == 1
        await rebuilt(world, notes)
        assert await comments(world, "n1") == 2
        assert await told(world) == ids
        assert await world.documents("notes", DEAD) == {}

    async def test_timers_stay_and_wait(self, world: World) -> None:
        """A timer that was set fires once, after the rebuild; one that was cancelled stays so."""
        notes = await world.start("notes")
        await world.start("moderation")
        await history(world, notes, timedelta(seconds=60))
        timers = await world.documents("notes", Timer.COLLECTION)
        assert timers.keys() == {"need:c5", "need:c8", "need:c11"}
        await rebuilt(world, notes)
        await world.until(lambda: _no_timers(world), "timers fire")
        await world.quiet()
        assert (await world.types(NOTE.name))["need_escalated"] == 3
        needs = await world.documents("notes", "needs")
        assert {n: need["state"] for n, need in needs.items()} == {
            "c2": "answered",
            "c5": "escalated",
            "c8": "escalated",
            "c11": "escalated",
        }

    async def test_decisions_are_read_and_not_made_again(self, world: World) -> None:
        """Verdicts come back as they were told, by other rules of today too; new texts are judged by these."""
        notes = await world.start("notes")
        moderation = await world.start("moderation")
        await history(world, notes)
        before, ids = await everything(world, "moderation"), await told(world)
        assert {v["hidden"] for v in before["verdicts"].values()} == {True, False}
        world.toy.spam = "hello"
        await rebuilt(world, moderation)
        assert await everything(world, "moderation") == before
        assert await told(world) == ids
        await world.put(comment("n1", "new", "hello"))
        await world.quiet()
        assert (await world.documents("moderation", "verdicts"))["new"]["hidden"] is True

    async def test_a_decision_still_unsent_comes_back(self, world: World) -> None:
        """What stood in an outbox when the rebuild began is sent by it, and read like any other."""
        moderation = await world.start("moderation")
        await world.quiet()
        moderation.publisher.away = True
        await world.put(comment("n1", "c", "spam"))
        await world.until(lambda: _judged(world), "the verdict is committed")
        await rebuild(moderation.runtime, KINDS["moderation"])
        moderation.publisher.away = False
        await world.quiet()
        await rebuilt(world, moderation)
        assert (await world.documents("moderation", "verdicts"))["c"]["hidden"] is True
        assert len(await told(world)) == 2

    async def test_every_kind_must_say_what_it_is(self, world: World) -> None:
        """A kind that was forgotten would be kept and counted again: the command refuses, and nothing was done."""
        notes = await world.start("notes")
        await world.quiet()
        with pytest.raises(Rejected, match="Not said of: Timer"):
            await rebuild(notes.runtime, [*KINDS["notes"], Timer])
        assert not await progress(world.database("notes"))

    async def test_a_held_lane_is_not_rebuilt(self, world: World) -> None:
        """Whoever holds a lane has a reason: the command refuses, and nothing was done."""
        notes = await world.start("notes")
        await world.quiet()
        await control.hold(world.database("notes"), "note:0", "by hand")
        with pytest.raises(Rejected, match="note:0"):
            await rebuild(notes.runtime, KINDS["notes"])
        assert not await progress(world.database("notes"))


def _stop(step: str) -> None:
    if step == "emptied":
        raise Stopped(step)


async def _opened(world: World, count: int) -> bool:
    """Whether so many needs were told as opened: as many events, and not one more."""
    found = [Envelope.of(record.headers) for record in await world.records(NOTE.name)]
    return len({envelope.id for envelope in found if envelope.type == NeedOpened.TYPE}) == count


async def _judged(world: World) -> bool:
    return bool(await world.documents("moderation", "verdicts"))


async def _no_timers(world: World) -> bool:
    return not await world.documents("notes", Timer.COLLECTION)
