"""What ``ops restored`` promises after a database was set back to a snapshot, on the toy services in memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import Envelope
from shared.contracts.moderation import ContentJudged
from shared.contracts.topics import NOTE_VERDICT
from shared.errors import Rejected, Transient
from shared.flow.control import packed, unpacked
from shared.flow.documents import LANES, RESTORED
from shared.flow.ports import Conflict
from shared.flow.rebuild import progress, rebuild
from shared.flow.restored import restored
from shared.flow.states import State
from tests.fakes.world import FakeWorld
from tests.simulation.safeguards import MUTANTS
from tests.suites.erase import EACH_FORM
from tests.suites.lane import letters, replayed
from tests.suites.rebuild import KINDS, rebuilt
from tests.suites.toy import PostNote, Verdict, comment, judged
from tests.suites.world import Crash, Node

pytestmark = pytest.mark.jumping

STATES = (State(Verdict, judged),)
Backup = dict[str, dict[str, bytes]]


@pytest.fixture(params=range(4))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[FakeWorld]:
    made = FakeWorld(request.param)
    yield made
    await made.close()


def beside(world: FakeWorld, service: str = "moderation") -> Node:
    """What the command runs in: a process without lanes."""
    return world.make(service, router=None, limits=None, slots=1, views=())


async def lost(world: FakeWorld) -> Backup:
    """A snapshot, and a timeline after it that is lost: other verdicts on what was known, and on what was not."""
    await world.start("notes")
    node = await world.start("moderation")
    for n in range(6):
        await world.put(comment(f"n{n}", f"c{n}", ("fine", "spam")[n % 2]))
    await world.quiet()
    before = world.servers["moderation"].backup()
    world.toy.spam = "late"
    for n in range(4):
        await world.put(comment(f"n{n}", f"d{n}", "late"))
    for n in range(3):
        other = Verdict(id=f"c{n}", note_id=f"n{n}", hidden=n % 2 == 0)
        await world.put(judged(other), sequence=7)
    await world.quiet()
    assert {id_ for id_, seen in (await heard(world)).items() if seen} == {
        "c0",
        "c2",
        "c3",
        "c5",
        "d0",
        "d1",
        "d2",
        "d3",
    }
    await world.stop(node)
    world.servers["moderation"].restore(before)
    world.toy.spam = "spam"
    return before


async def heard(world: FakeWorld) -> dict[str, bool]:
    """What the reader holds: whether each content is hidden."""
    return {id_: seen["hidden"] for id_, seen in (await world.documents("notes", "seen")).items()}


async def verdicts(world: FakeWorld) -> dict[str, bool]:
    return {id_: v["hidden"] for id_, v in (await world.documents("moderation", "verdicts")).items()}


async def told(world: FakeWorld) -> dict[str, int]:
    """Sequences of all verdicts on the topic, by the ids of their events."""
    found = [Envelope.of(record.headers) for record in await world.records(NOTE_VERDICT.name)]
    return {envelope.id: envelope.sequence for envelope in found if envelope.type == ContentJudged.TYPE}


async def since(world: FakeWorld, before: dict[str, int]) -> list[int]:
    """Sequences that are new; what the snapshot had not noted as sent comes again and is not."""
    return [sequence for id_, sequence in (await told(world)).items() if id_ not in before]


RIGHT = {**{f"c{n}": n % 2 == 1 for n in range(6)}, **{f"d{n}": False for n in range(4)}}
"""By the rules that hold, and without the timeline that was lost."""


async def test_readers_end_with_the_restored_state(world: FakeWorld) -> None:
    """Not with the lost timeline's, whatever sequence it had told; neither does the service that hears itself."""
    await lost(world)
    before = {id_: document["v"] for id_, document in (await world.documents("moderation", "verdicts")).items()}
    assert await restored(beside(world).runtime, STATES) == {"told": 6}
    await world.start("moderation")
    await world.quiet()
    assert await verdicts(world) == RIGHT
    assert await heard(world) == RIGHT
    # What it read back of the republication is what it had, as it was told.
    floor = (await world.documents("moderation", RESTORED))["floor"]["sequence"]
    documents = await world.documents("moderation", "verdicts")
    assert before.keys() <= documents.keys()
    assert {documents[id_]["v"] for id_ in before} == {floor}


async def test_what_comes_after_it_is_higher_too(world: FakeWorld) -> None:
    """A verdict that changes again goes on from the floor; headers and numbers of JavaScript can hold it."""
    await lost(world)
    before = await told(world)
    await restored(beside(world).runtime, STATES)
    await world.start("moderation")
    await world.put(comment("n1", "c1", "fine"))
    await world.put(comment("n1", "c1", "spam"))
    await world.put(comment("n1", "c1", "fine"))
    await world.quiet()
    assert (await heard(world))["c1"] is False
    new = await since(world, before)
    floor = (await world.documents("moderation", RESTORED))["floor"]["sequence"]
    assert min(new) == floor > max(before.values())
    assert max(new) == floor + 3 < 2**53
    assert len(str(max(new))) <= 18


@EACH_FORM
async def test_what_waited_in_an_outbox_is_above_the_lost_timeline(world: FakeWorld, lists: bool) -> None:
    """A verdict that a rebuild took away, and that was not sent yet, is nowhere else: it is told, and read back."""
    await world.start("notes")
    node = await world.start("moderation")
    node.publisher.away = True
    await world.put(comment("n", "c", "spam"))
    await world.until(lambda: any(lane.outbox.size for lane in node.process.lanes), "the verdict")
    runtime = beside(world).runtime
    await rebuild(runtime, KINDS["moderation"])

    async def over() -> bool:
        return not await progress(runtime.database)

    await world.until(over, "the rebuild")
    assert await verdicts(world) == {}
    if lists:
        assert await world.as_lists("moderation")
    before = world.servers["moderation"].backup()
    node.publisher.away = False
    await world.quiet()
    await world.put(judged(Verdict(id="c", note_id="n", hidden=False)), sequence=7)
    await world.quiet()
    assert await heard(world) == {"c": False}
    await world.stop(node)
    world.servers["moderation"].restore(before)
    await restored(beside(world).runtime, STATES)
    await world.start("moderation")
    await world.quiet()
    assert await verdicts(world) == await heard(world) == {"c": True}


async def test_the_same_backup_twice(world: FakeWorld) -> None:
    """What was told after the first restore is a lost timeline as well: the second is above it."""
    before = await lost(world)
    await restored(beside(world).runtime, STATES)
    node = await world.start("moderation")
    world.toy.spam = "fine"
    for _ in range(3):
        await world.put(comment("n2", "c2", "fine"))
    await world.quiet()
    assert (await heard(world))["c2"] is True
    await world.stop(node)
    world.servers["moderation"].restore(before)
    world.toy.spam = "spam"
    first = await told(world)
    await restored(beside(world).runtime, STATES)
    await world.start("moderation")
    await world.quiet()
    assert min(await since(world, first)) > max(first.values())
    assert await heard(world) == await verdicts(world) == RIGHT


async def test_a_rebuild_reads_what_the_restored_service_told(world: FakeWorld) -> None:
    """Of two timelines on one topic the later one comes out, also where each began with the same version."""
    await lost(world)
    await restored(beside(world).runtime, STATES)
    node = await world.start("moderation")
    await world.quiet()
    await rebuilt(world, node)
    assert await verdicts(world) == RIGHT
    notes = next(n for n in world.nodes if n.service == "notes")
    await rebuilt(world, notes)
    assert await heard(world) == RIGHT


async def test_a_rebuild_before_the_republication_was_read(world: FakeWorld) -> None:
    """It folds the lost timeline once more, and then finds on the service's own topic what holds."""
    await lost(world)
    for number in range(world.partitions):
        # As if the lane had come so far: past the lost verdicts, and not to those that the command tells.
        passed = [[NOTE_VERDICT.name, world.broker.topics[NOTE_VERDICT.name][number].end]]
        lane = {"_id": f"note:{number}"}
        (stored,) = await world.database("moderation").find(LANES, lane)
        at = [place for place in stored["next"] if place[0] != NOTE_VERDICT.name]
        await world.database("moderation").modify(LANES, lane, {"$set": {"next": at + passed}})
    await restored(beside(world).runtime, STATES)
    await rebuild(beside(world).runtime, KINDS["moderation"])
    await world.start("moderation")
    await world.quiet()
    assert await verdicts(world) == await heard(world) == RIGHT


async def test_an_owner_from_before_the_snapshot_commits_nothing(world: FakeWorld) -> None:
    """It slept through all of it, and the snapshot has its epoch, batch and session."""
    zombie = await world.start("moderation")
    await world.quiet()
    before = world.servers["moderation"].backup()
    await wakes_fenced(world, zombie, before)


async def test_an_owner_from_the_lost_timeline_commits_nothing(world: FakeWorld) -> None:
    """The command's own claim has its epoch again, and the batch has the same number; the session has not."""
    await from_the_lost_timeline(world)


async def test_without_the_session_in_the_comparison_it_commits(world: FakeWorld) -> None:
    """The schedule above is the one that is kept for this safeguard: epoch and batch alone do not fence."""
    epoch_and_batch = MUTANTS["control document compared without the session"]
    with epoch_and_batch(), pytest.raises(AssertionError, match="the zombie is told"):
        await from_the_lost_timeline(world)


async def from_the_lost_timeline(world: FakeWorld) -> None:
    first = await world.start("moderation")
    await world.quiet()
    before = world.servers["moderation"].backup()
    await world.stop(first)
    zombie = await world.start("moderation")
    await world.quiet()
    await wakes_fenced(world, zombie, before)


async def wakes_fenced(world: FakeWorld, zombie: Node, before: Backup) -> None:
    zombie.database.transactions.clear()
    zombie.database.gate.clear()
    await world.put(comment("n1", "c", "spam"))
    await zombie.database.waiting.wait()
    world.servers["moderation"].restore(before)
    await restored(beside(world).runtime, STATES)
    zombie.database.gate.set()
    await world.until(lambda: zombie.troubles("fenced") > 0, "the zombie is told")
    assert zombie.database.transactions == []
    # From here on it is an owner like any other: it claims, and knows the floor.
    await world.quiet()
    assert min((await told(world)).values()) > (await world.documents("moderation", RESTORED))["floor"]["sequence"]


async def with_slot(world: FakeWorld) -> Node:
    node = await world.start("notes")
    await world.until(lambda: node.process.slots.ready, "a slot")
    return node


async def test_a_commit_whose_reply_was_lost_with_its_timeline(world: FakeWorld) -> None:
    """Epoch and batch are as if it had been applied, and it was not: its caller gets 503, and the retry is done."""
    node = await with_slot(world)
    before = world.servers["notes"].backup()
    for _ in range(2):
        await world.stop(node)
        node = await with_slot(world)
    node.database.reply.clear()
    node.database.commits.append("not applied, reply lost")
    lost = PostNote(person_id="p", note_id="a", title="t")
    first = asyncio.ensure_future(world.submit(node, lost, "key"))
    await node.database.unanswered.wait()
    world.servers["notes"].restore(before)
    await restored(beside(world, "notes").runtime, ())
    other = await world.start("notes")
    await world.submit(other, PostNote(person_id="p", note_id="b", title="t"))
    lane = (await world.documents("notes", LANES))["api:0"]
    assert (lane["epoch"], lane["batch"]) == (3, 1)
    node.database.reply.set()
    with pytest.raises(Transient):
        await first
    await world.stop(node)
    assert (await world.insist(other, lost, "key")).status == 201
    assert set(await world.documents("notes", "notes")) == {"a", "b"}


@pytest.mark.parametrize("step", ["raised", "fenced", "commit:after"])
async def test_one_that_is_killed_is_run_again(world: FakeWorld, step: str) -> None:
    """Wherever it was killed, in the republication too."""
    await lost(world)

    def at(label: str) -> None:
        if label == step:
            raise Crash(label)

    with pytest.raises(Crash):
        await restored(replace(beside(world).runtime, at=at), STATES, at)
    assert await restored(beside(world).runtime, STATES) == {"told": 6}
    await world.start("moderation")
    await world.quiet()
    assert await heard(world) == await verdicts(world) == RIGHT


async def test_a_snapshot_of_a_republication_begins_anew(world: FakeWorld) -> None:
    """Where it stood, what it had still to send and why it was held says nothing of what readers know now."""
    await lost(world)
    old = {"b": 1, "r": [], "at": world.now() - timedelta(days=8)}
    half = {"$set": {"next": [["0", "c3"]], "epoch": 1, "batch": 1, "outbox": [old], "held": "horizon: a week ago"}}
    await world.database("moderation").modify(LANES, {"_id": "republish:0"}, half, upsert=True)
    assert await restored(beside(world).runtime, STATES) == {"told": 6}


async def test_what_a_dead_owner_left_open_is_aborted(world: FakeWorld) -> None:
    """Else its locks would keep the command waiting for the minute that a transaction may be open."""
    node = await world.start("moderation", crash_at=("commit:written", 1))
    await world.put(comment("n1", "c", "spam"))
    await node.crashed.wait()
    await world.kill(node)
    world.servers["moderation"].restore(world.servers["moderation"].backup())
    began = world.now()
    await restored(beside(world).runtime, STATES)
    assert world.now() - began < timedelta(seconds=1)


async def test_a_snapshot_of_a_rebuild_is_folded_to_its_end_first(world: FakeWorld) -> None:
    """What is half folded is not told as the state; all else is done, and the operator hears what to do."""
    node = await world.start("moderation")
    await world.put(comment("n1", "c", "spam"))
    await world.quiet()
    await rebuild(node.runtime, KINDS["moderation"])
    before = world.servers["moderation"].backup()
    assert await progress(world.database("moderation"))
    await world.stop(node)
    world.servers["moderation"].restore(before)
    with pytest.raises(Conflict, match="rebuild"):
        await restored(beside(world).runtime, STATES)
    assert await world.documents("moderation", RESTORED)


async def test_a_clock_that_is_behind_is_refused(world: FakeWorld) -> None:
    """By it the sequences would come round again; nothing was done."""
    node = await world.start("moderation")
    await world.quiet()
    await world.stop(node)
    await restored(beside(world).runtime, STATES)
    lanes, runtime = await world.documents("moderation", LANES), beside(world).runtime
    with pytest.raises(Rejected):
        await restored(replace(runtime, now=lambda: world.now() - timedelta(hours=1)), STATES)
    assert await world.documents("moderation", LANES) == lanes


@EACH_FORM
async def test_an_outbox_of_a_later_release_is_refused(world: FakeWorld, lists: bool) -> None:
    """Whether its event carries state, and so has to be lifted, is not known here; nothing was done."""
    node = await world.start("moderation")
    node.publisher.away = True
    await world.put(comment("n", "c", "spam"))
    await world.until(lambda: any(lane.outbox.size for lane in node.process.lanes), "the verdict")
    await world.stop(node)
    database = world.database("moderation")
    (lane,) = await database.find(LANES, {"outbox": {"$ne": []}})
    (record,) = unpacked(lane["outbox"][0])
    record[4][1] = "lianyi.moderation.content_weighed.v1"
    lane["outbox"][0]["r"] = [record] if lists else packed([record])
    await database.modify(LANES, {"_id": lane["_id"]}, {"$set": {"outbox": lane["outbox"]}})
    lanes = await world.documents("moderation", LANES)
    with pytest.raises(Rejected, match="content_weighed"):
        await restored(beside(world).runtime, STATES)
    assert await world.documents("moderation", LANES) == lanes
    assert not await world.documents("moderation", RESTORED)


async def test_what_the_snapshot_does_not_know_is_taken_up_as_told(world: FakeWorld) -> None:
    """A decision on what the snapshot has not: a rebuild may have taken it away, and readers hold it as it was told."""
    node = await world.start("moderation")
    await world.quiet()
    before = world.servers["moderation"].backup()
    await world.stop(node)
    await world.put(judged(Verdict(id="x", note_id="n1", hidden=True)), sequence=3)
    world.servers["moderation"].restore(before)
    await restored(beside(world).runtime, STATES)
    await world.start("notes")
    await world.start("moderation")
    await world.quiet()
    assert await verdicts(world) == await heard(world) == {"x": True}


async def test_a_letter_of_the_lost_timeline_is_not_replayed(world: FakeWorld) -> None:
    """What died in it is read anew: a part, which has no mark in the inbox, is done once."""
    node = await world.start("notes")
    await world.quiet()
    before = world.servers["notes"].backup()
    world.toy.part = 2
    await world.put(comment("n", "buggy", "many 4"))
    await world.until(lambda: both_died(world), "the letters")
    await world.stop(node)
    world.servers["notes"].restore(before)
    world.toy.broken = False
    await restored(beside(world, "notes").runtime, ())
    node = await world.start("notes")
    await world.until(lambda: all_parts(world), "the parts")
    assert await replayed(world, node) == {"nothing": 2}
    assert set((await parts(world)).values()) == {1}


async def both_died(world: FakeWorld) -> bool:
    return len(await letters(world)) == 2


async def all_parts(world: FakeWorld) -> bool:
    return len(await parts(world)) == 4


async def parts(world: FakeWorld) -> dict[str, int]:
    """How often each effect of the large input was made."""
    return {i: d["times"] for i, d in (await world.documents("notes", "remembered")).items() if i.startswith("buggy-")}


class Spy:
    """A view that holds what was there before, until it is told to forget."""

    def __init__(self) -> None:
        self.forgotten = 0

    async def refresh(self) -> None:
        """Nothing to read."""

    def forget(self) -> None:
        self.forgotten += 1

    def committed(self, documents: Mapping[tuple[str, str], Any]) -> None:
        """Nothing to follow."""


async def test_a_process_that_slept_forgets_its_views(world: FakeWorld) -> None:
    """What it knows by heart is the lost timeline's."""
    spy = Spy()
    await world.start("moderation", views=(spy,))
    await world.quiet()
    before, forgotten = world.servers["moderation"].backup(), spy.forgotten
    world.servers["moderation"].restore(before)
    await restored(beside(world).runtime, STATES)
    await world.until(lambda: spy.forgotten > forgotten, "the view is forgotten")
