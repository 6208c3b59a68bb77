"""What the lanes promise, from a command to the last document: run on the fakes and on the embedded stack."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import Envelope, partition_of
from shared.contracts.dead import NotesDeadLetter
from shared.contracts.notes import NotePosted
from shared.contracts.topics import NOTE, NOTE_VERDICT, NOTES_DEAD
from shared.errors import Rejected, Transient
from shared.flow import control
from shared.flow.documents import INBOX, LANES, StoredReply, Timer
from shared.flow.fold import Limits
from shared.flow.ports import Conflict, Database, Fence, Json
from shared.flow.replay import replay
from shared.flow.router import Reply
from tests.fakes.faults import FaultyDatabase
from tests.suites.toy import Accept, EditNote, PostComment, PostNote, Shut, Verdict, comment, judged
from tests.suites.world import Node, World


async def letters(world: World) -> list[NotesDeadLetter]:
    return [NotesDeadLetter.model_validate_json(r.value or b"") for r in await world.records(NOTES_DEAD.name)]


async def replayed(world: World, node: Node) -> dict[str, int]:
    async def feed() -> Any:
        for record in await world.records(NOTES_DEAD.name):
            yield record

    return await replay(node.runtime, feed())


async def comments(world: World, note_id: str = "n") -> int:
    found = (await world.documents("notes", "tallies")).get(note_id, {})
    return int(found.get("comments", 0))


class Watched(FaultyDatabase):
    """Tells whose sessions were killed through it."""

    def __init__(self, inner: Database) -> None:
        super().__init__(inner)
        self.killed: list[bytes] = []

    async def kill_session(self, id_: bytes) -> None:
        self.killed.append(id_)
        await super().kill_session(id_)


class LaneSuite:
    """Behaviours; a subclass gives the fixture ``world``."""

    # -- the chain -----------------------------------------------------------------------------------------

    async def test_a_command_runs_through_both_services(self, world: World) -> None:
        """Command, event, two handlers, another service, its event, a document: each once."""
        notes = await world.start("notes")
        await world.start("moderation")
        reply = await world.submit(notes, PostComment(person_id="p", comment_id="c", note_id="n", text="spam"))
        assert reply == Reply(status=201, body={"comment_id": "c"})
        await world.quiet()
        assert await comments(world) == 1
        assert (await world.documents("notes", "remembered"))["c"]["times"] == 1
        assert (await world.documents("moderation", "verdicts"))["c"]["hidden"] is True
        assert (await world.documents("notes", "seen"))["c"]["hidden"] is True
        assert await world.types(NOTE.name) == {"comment_posted": 1}
        assert await world.types(NOTE_VERDICT.name) == {"content_judged": 1}

    async def test_an_event_tells_where_it_comes_from(self, world: World) -> None:
        """Correlation and trace go through the chain, each event names its cause, state events their version."""
        notes = await world.start("notes")
        await world.start("moderation")
        await world.submit(notes, PostComment(person_id="p", comment_id="c", note_id="n", text="t"), "key")
        await world.quiet()
        (posted,) = [Envelope.of(r.headers) for r in await world.records(NOTE.name)]
        (verdict,) = [Envelope.of(r.headers) for r in await world.records(NOTE_VERDICT.name)]
        assert (posted.causation, posted.correlation) == ("cmd:key:", "test")
        assert (verdict.causation, verdict.correlation) == (posted.id, "test")
        assert (verdict.subject, verdict.sequence, verdict.time) == ("c", 1, posted.time)

    # -- doubles -------------------------------------------------------------------------------------------

    async def test_a_double_on_the_wire_is_dropped(self, world: World) -> None:
        """The same ``ce_id`` at another offset, at once or later, counts once."""
        node = await world.start("notes")
        await world.put(comment("n", "c"), "same", times=2)
        await world.quiet()
        await world.put(comment("n", "c"), "same")
        await world.quiet()
        assert await comments(world) == 1
        assert (await world.documents("notes", "remembered"))["c"]["times"] == 1
        assert node.outcomes == {"done": 2, "double": 4}

    async def test_a_successor_goes_on_where_the_lane_stood(self, world: World) -> None:
        """The position in the database rules: what is read again from the topic's start is dropped."""
        first = await world.start("notes")
        for n in range(3):
            await world.put(comment("n", f"c{n}"))
        await world.quiet()
        await world.stop(first)
        second = await world.start("notes")
        await world.put(comment("n", "c3"))
        await world.quiet()
        assert await comments(world) == 4
        assert second.outcomes == {"done": 2}

    async def test_an_outbox_of_the_release_before_is_sent(self, world: World) -> None:
        """What 0.1.0 left unsent stands there as lists: a lane and a slot publish it, as it was told."""
        first = await world.start("notes")
        await world.until(lambda: first.process.slots.ready, "a slot")
        await world.quiet()
        first.publisher.away = True
        await world.submit(first, PostComment(person_id="p", comment_id="c", note_id="n", text="t"))
        await world.put(comment("n", "d", "why?"))
        await world.until(lambda: first.lane(partition_of("n", world.partitions)).outbox.size > 0, "something unsent")
        await world.kill(first)
        assert await world.as_lists("notes") == 2
        await world.start("notes")
        await world.quiet()
        assert await world.types(NOTE.name) == {"comment_posted": 2, "need_opened": 1}
        assert await comments(world) == 2

    async def test_types_that_nobody_handles_are_passed_by_their_header(self, world: World) -> None:
        """Neither their body nor their number makes work; the position moves past them and is stored."""
        node = await world.start("notes")
        envelope = await world.put(NotePosted(note_id="n", author_id="a", title="t", text="x"))
        number = partition_of("n", world.partitions)
        headers = [(k, v if k != "ce_type" else b"lianyi.notes.unheard_of.v9") for k, v in envelope.headers()]
        await world.raw(NOTE.name, number, b"no JSON", headers)
        await world.quiet()
        lane = f"note:{number}"

        async def stored() -> bool:
            control_ = control.read_control(lane, (await world.documents("notes", LANES))[lane])
            return control_.next.get(NOTE.name) == node.lane(number).done[NOTE.name]

        await world.until(stored, "the position is stored")
        assert node.outcomes == {}
        assert await letters(world) == []
        assert await world.documents("notes", INBOX) == {}

    # -- own decisions -------------------------------------------------------------------------------------

    async def test_what_a_lane_has_told_itself_is_passed_by(self, world: World) -> None:
        """Its own decision only moves the position, which is stored; a double of it is folded, and known."""
        node = await world.start("moderation")
        await world.put(comment("n", "c", "spam"))
        await world.quiet()
        (told,) = await world.records(NOTE_VERDICT.name)
        lane = f"note:{told.partition}"

        async def stored() -> bool:
            control_ = control.read_control(lane, (await world.documents("moderation", LANES))[lane])
            return control_.next.get(NOTE_VERDICT.name) == told.offset + 1

        await world.until(stored, "the position is stored")
        assert node.outcomes == {"done": 1}
        await world.raw(NOTE_VERDICT.name, told.partition, told.value or b"", told.headers)
        await world.quiet()
        assert node.outcomes == {"done": 1, "known": 1}

    async def test_what_a_former_owner_has_told_is_folded(self, world: World) -> None:
        """Whoever takes a lane over knows of no decision without looking: the database may be another one."""
        first = await world.start("moderation")
        first.publisher.away = True
        await world.put(comment("n", "c", "spam"))

        async def committed() -> bool:
            return "c" in await world.documents("moderation", "verdicts")

        await world.until(committed, "the verdict is committed")
        await world.kill(first)
        second = await world.start("moderation")
        await world.quiet()
        assert second.outcomes == {"known": 1}

    # -- dead letters --------------------------------------------------------------------------------------

    async def test_every_reason_of_a_dead_letter(self, world: World) -> None:
        """Each bad input becomes a letter with its reason and raw bytes; its neighbours do not notice."""
        number = partition_of("n", world.partitions)
        good = await world.put(comment("n", "first"))
        await world.raw(NOTE.name, number, b"stranger", [("x", b"\xff")])
        swapped = {"ce_type": b"lianyi.groups.group_changed.v1"}
        await world.raw(NOTE.name, number, b"{}", [(k, swapped.get(k, v)) for k, v in good.headers()])
        await world.raw(NOTE.name, number, b'{"note_id": 5}', [*good.headers(), ("ce_id", b"body")])
        other_key = comment("m", "c").model_dump_json().encode()
        await world.raw(NOTE.name, number, other_key, [*good.headers(), ("ce_id", b"key")])
        stray = next(n for n in range(world.partitions) if n != number)
        await world.raw(NOTE.name, stray, comment("n", "c").model_dump_json().encode(), good.headers())
        verdict = judged(Verdict(id="c", note_id="n", hidden=False))
        elsewhere = {"ce_type": b"lianyi.notes.comment_posted.v1"}
        await world.raw(NOTE_VERDICT.name, number, b"{}", [(k, elsewhere.get(k, v)) for k, v in good.headers()])
        for text in ("rejected", "bug", "huge", "wrong topic"):
            await world.put(comment("n", text.replace(" ", "-"), text))
        await world.put(comment("n", "last"))
        await world.put(verdict, sequence=1)
        await world.start("notes")
        await world.quiet()
        dead = await letters(world)
        assert sorted((d.reason, d.handler) for d in dead) == [
            ("body", ""),
            ("body", ""),
            ("body", ""),
            ("bug", "count_comment"),
            ("bug", "count_comment"),
            ("envelope", ""),
            ("rejected", "count_comment"),
            ("size", "count_comment"),
            ("type", ""),
            ("type", ""),
        ]
        assert await comments(world) == 2
        remembered = await world.documents("notes", "remembered")
        assert set(remembered) == {"first", "last", "rejected", "bug", "huge", "wrong-topic"}
        assert await world.documents("notes", Timer.COLLECTION) == {}
        assert set(await world.documents("notes", "seen")) == {"c"}

    async def test_what_the_database_refuses_harms_only_itself(self, world: World) -> None:
        """A poisoned input that only the commit can find dies alone; the batch around it is folded."""
        for n in range(3):
            await world.put(comment("n", f"before{n}"))
        await world.put(comment("n", "poison", "overflow"))
        await world.put(comment("n", "after"))
        await world.start("notes")
        await world.quiet()
        assert await comments(world) == 4
        (dead,) = await letters(world)
        assert (dead.reason, dead.handler) == ("bug", "")

    async def test_a_replay_after_the_mend_folds_once(self, world: World) -> None:
        """A bug leaves no mark and no trace; mended, a replay runs the failed handler only, and only once."""
        node = await world.start("notes")
        await world.put(comment("n", "c", "bug"), "buggy")
        await world.quiet()
        assert await comments(world) == 0
        assert (await world.documents("notes", "remembered"))["c"]["times"] == 1
        world.toy.broken = False
        assert await replayed(world, node) == {"done": 1}
        assert await comments(world) == 1
        assert (await world.documents("notes", "remembered"))["c"]["times"] == 1
        assert await replayed(world, node) == {}
        await world.put(comment("n", "c", "bug"), "buggy")
        await world.quiet()
        assert await comments(world) == 1

    async def test_a_replay_passes_what_was_folded_meanwhile(self, world: World) -> None:
        """Lane and replay share the marks: a second copy on the wire came after the mend."""
        node = await world.start("notes")
        await world.put(comment("n", "c", "bug"), "buggy")
        await world.quiet()
        world.toy.broken = False
        await world.put(comment("n", "c", "bug"), "buggy")
        await world.quiet()
        assert await comments(world) == 1
        assert await replayed(world, node) == {"double": 1}
        assert await comments(world) == 1

    async def test_a_replay_without_the_mend_makes_a_new_letter(self, world: World) -> None:
        """What fails again is not lost: a new letter says so, and can be replayed in its turn."""
        node = await world.start("notes")
        await world.put(comment("n", "c", "bug"))
        await world.quiet()
        assert await replayed(world, node) == {"dead:bug": 1}
        first, second = await letters(world)
        assert first == second
        assert len(set(await world.ids(NOTES_DEAD.name))) == 2
        world.toy.broken = False
        assert await replayed(world, node) == {"done": 1}
        assert await comments(world) == 1

    async def test_a_replay_that_cannot_send_says_so(self, world: World) -> None:
        """It is done when what it had to tell is with the broker; run again, it sends what it left."""
        node = await world.start("notes")
        await world.put(comment("n", "c", "bug"))
        await world.quiet()
        node.publisher.away = True
        with pytest.raises(Transient):
            await replayed(world, node)
        node.publisher.away = False
        assert await replayed(world, node) == {}
        assert len(set(await world.ids(NOTES_DEAD.name))) == 2

    async def test_a_double_that_dies_makes_one_letter(self, world: World) -> None:
        """Two copies on the wire of what nobody can take: the letters have one id, and a replay folds one."""
        node = await world.start("notes")
        await world.put(comment("n", "c", "bug"), "buggy", times=2)
        await world.quiet()
        assert len(await letters(world)) == 2
        assert len(set(await world.ids(NOTES_DEAD.name))) == 1
        world.toy.broken = False
        assert await replayed(world, node) == {"done": 1, "double": 1}
        assert await comments(world) == 1

    async def test_a_timer_that_died_is_replayed(self, world: World) -> None:
        """A reminder whose handler raised is gone from the timers and kept as a letter, again and again."""
        world.toy.patience = timedelta(milliseconds=200)
        node = await world.start("notes")
        await world.put(comment("n", "buggy", "why?"))
        await world.until(lambda: self._letters(world, 1), "the letter")
        await world.quiet()
        assert await world.documents("notes", Timer.COLLECTION) == {}
        assert await replayed(world, node) == {"dead:bug": 1}
        first, second = await letters(world)
        assert first == second
        world.toy.broken = False
        assert await replayed(world, node) == {"done": 1}
        assert (await world.documents("notes", "needs"))["buggy"]["state"] == "escalated"
        assert await replayed(world, node) == {}

    async def _letters(self, world: World, count: int) -> bool:
        return len(await letters(world)) >= count

    # -- commands ------------------------------------------------------------------------------------------

    async def test_a_refused_command_leaves_nothing(self, world: World) -> None:
        """Rejected is told at once, and neither document nor event of the command is there."""
        node = await world.start("notes")
        with pytest.raises(Rejected, match="bad-title"):
            await world.submit(node, PostNote(person_id="p", note_id="a", title="refused"), "key")
        with pytest.raises(RuntimeError, match="a bug"):
            await world.submit(node, PostNote(person_id="p", note_id="a", title="bug"))
        await world.quiet()
        assert await world.documents("notes", "notes") == {}
        assert await world.documents("notes", StoredReply.COLLECTION) == {}
        assert await world.records(NOTE.name) == []
        assert await letters(world) == []

    async def test_a_poisoned_command_harms_only_itself(self, world: World) -> None:
        """One that only the commit can find is told of the bug; those beside it are answered."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        titles = ["a", "overflow", "b"]
        answers = await asyncio.gather(
            *(world.submit(node, PostNote(person_id="p", note_id=t, title=t)) for t in titles), return_exceptions=True
        )
        assert [isinstance(a, Reply) for a in answers] == [True, False, True]
        assert not isinstance(answers[1], Rejected | Transient)
        assert set(await world.documents("notes", "notes")) == {"a", "b"}

    async def test_an_idempotency_key_gives_the_same_reply(self, world: World) -> None:
        """The second time nothing happens and the first reply comes; another body is refused."""
        node = await world.start("notes")
        command = PostNote(person_id="p", note_id="a", title="t")
        first = await world.submit(node, command, "key", b"body")
        again = await world.submit(node, command, "key", b"body")
        assert again == first
        with pytest.raises(Rejected, match="idempotency-key-reused"):
            await world.submit(node, command, "key", b"other")
        await world.quiet()
        assert await world.types(NOTE.name) == {"note_posted": 1}

    async def test_an_idempotency_key_holds_within_a_batch(self, world: World) -> None:
        """Two requests with one key at once: one is applied, both get its reply."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        command = PostNote(person_id="p", note_id="a", title="t")
        first, again = await asyncio.gather(*(world.submit(node, command, "key", b"body") for _ in range(2)))
        assert first == again
        await world.quiet()
        assert await world.types(NOTE.name) == {"note_posted": 1}

    async def test_refusals_are_not_kept(self, world: World) -> None:
        """The same key after a refusal is tried anew: things may have changed."""
        node = await world.start("notes")
        accept = Accept(person_id="p", need_id="c")
        with pytest.raises(Rejected, match="unknown-need"):
            await world.submit(node, accept, "key")
        world.toy.patience = timedelta(hours=1)
        await world.put(comment("n", "c", "why?"))
        await world.quiet()
        assert (await world.submit(node, accept, "key")).status == 202

    async def test_commands_at_once_share_a_commit(self, world: World) -> None:
        """A hundred commands on one document cost a few transactions and keep their order."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        before = len(node.database.transactions)
        edits = [world.submit(node, EditNote(person_id="p", note_id="a")) for _ in range(100)]
        replies = await asyncio.gather(*edits)
        assert [r.body["edits"] for r in replies] == list(range(1, 101))
        assert len(node.database.transactions) - before <= 3

    async def test_a_stop_sends_all_and_gives_the_slot_back(self, world: World) -> None:
        """After a graceful stop every outbox is empty, the events are there and no lease is left."""
        node = await world.start("notes")
        for n in range(5):
            await world.submit(node, PostComment(person_id="p", comment_id=f"c{n}", note_id=f"n{n}", text="t"))
        await world.stop(node)
        lanes = await world.documents("notes", LANES)
        assert all(lane["outbox"] == [] for lane in lanes.values())
        assert all(lane.get("lease") is None for lane in lanes.values())
        assert await world.types(NOTE.name) == {"comment_posted": 5}
        with pytest.raises(Transient):
            await node.process.slots.submit(EditNote(person_id="p", note_id="a"), correlation="test")

    # -- unknown results -----------------------------------------------------------------------------------

    @pytest.mark.parametrize("fault", ["refused", "applied, reply lost", "not applied, reply lost"])
    async def test_a_caller_is_told_the_truth(self, world: World, fault: Any) -> None:
        """Whatever became of the commit or its reply: the command is applied once and answered."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        node.database.commits.append(fault)
        reply = await world.submit(node, PostNote(person_id="p", note_id="a", title="t"))
        assert reply.status == 201
        await world.quiet()
        assert set(await world.documents("notes", "notes")) == {"a"}
        assert await world.types(NOTE.name) == {"note_posted": 1}

    @pytest.mark.parametrize("fault", ["refused", "applied, reply lost", "not applied, reply lost"])
    async def test_a_key_lane_goes_on_after_a_lost_reply(self, world: World, fault: Any) -> None:
        """Events are folded once whatever became of a commit or its reply."""
        world.toy.patience = timedelta(hours=1)
        node = await world.start("notes")
        await world.quiet()
        node.database.commits.append(fault)
        await world.put(comment("n", "c0", "why?"))
        await world.put(comment("n", "c1"))
        await world.quiet()
        assert await comments(world) == 2
        assert (await world.types(NOTE.name))["need_opened"] == 1

    @pytest.mark.parametrize("fault", ["applied, reply lost", "not applied, reply lost"])
    async def test_another_owner_between_commit_and_reply_is_a_503(self, world: World, fault: Any) -> None:
        """Who has had the slot since may have committed, too: nothing can be told, and the key tells at the retry."""
        node = await world.start("notes", slots=2)
        await world.until(lambda: node.process.slots.ready, "a slot")
        slot = node.process.slots.lanes[0].name
        node.database.reply.clear()
        node.database.commits.append(fault)
        command = PostNote(person_id="p", note_id="a", title="t")
        first = asyncio.ensure_future(world.submit(node, command, "key"))
        await node.database.unanswered.wait()
        intruder = world.database("notes")
        session = await intruder.open_session()
        before, own = await control.claim(intruder, slot, session)
        advanced = control.advance(own, before.batch, {}, before.outbox, world.now() + timedelta(seconds=2))
        await intruder.transact(session, [advanced])
        node.database.reply.set()
        with pytest.raises(Transient):
            await first
        assert (await world.insist(node, command, "key")).status == 201
        await world.quiet()
        assert set(await world.documents("notes", "notes")) == {"a"}
        assert await world.types(NOTE.name) == {"note_posted": 1}

    # -- owners --------------------------------------------------------------------------------------------

    async def test_a_zombie_changes_nothing(self, world: World) -> None:
        """An owner that slept through a takeover is fenced: its batch is the successor's, and counts once."""
        zombie = await world.start("notes")
        await world.quiet()
        zombie.database.gate.clear()
        await world.put(comment("n", "c0"))
        await zombie.database.waiting.wait()
        await world.expel(zombie)
        successor = await world.start("notes")
        await world.until(lambda: successor.outcomes["done"] == 2, "the successor has folded it")
        zombie.database.gate.set()
        await world.until(lambda: zombie.troubles("fenced") > 0, "the zombie is told")
        await world.kill(zombie)
        await world.put(comment("n", "c1"))
        await world.quiet()
        assert await comments(world) == 2
        assert zombie.outcomes["done"] == 0

    async def test_who_is_late_for_a_slot_kills_nobody(self, world: World) -> None:
        """A slot that another process took since the look is left alone, and so is what its owner has open."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        own = node.process.slots.lanes[0].own
        assert own is not None
        late = Watched(world.database("notes"))
        session = await late.open_session()
        with pytest.raises(Conflict):
            await control.claim(late, own.lane, session, free=own.epoch - 1)
        assert late.killed == []
        await control.claim(late, own.lane, session, free=own.epoch)
        assert late.killed == [own.session.id]
        await session.close()

    @pytest.mark.parametrize("there", [True, False])
    async def test_a_fold_over_an_old_version_is_folded_again(self, world: World, there: bool) -> None:
        """Two processes load one document, or find it absent; the later commit sees what the earlier one did."""
        first, second = [await world.start("notes", slots=2) for _ in range(2)]
        for node in (first, second):
            await world.until(lambda n=node: n.process.slots.ready, "a slot")  # type: ignore[misc]
        edit = EditNote(person_id="p", note_id="x")
        if there:
            await world.submit(first, edit)
        second.database.gate.clear()
        late = asyncio.ensure_future(world.submit(second, edit))
        await second.database.waiting.wait()
        await world.submit(first, edit)
        second.database.gate.set()
        assert (await late).body == {"edits": 2 + there}
        assert (await world.documents("notes", "notes"))["x"]["edits"] == 2 + there

    @pytest.mark.parametrize("guarded", [True, False])
    async def test_what_decides_is_guarded(self, world: World, guarded: bool) -> None:
        """Each of two commands changes what the other decided by: with a guard the later one sees it."""
        first, second = [await world.start("notes", slots=2) for _ in range(2)]
        for note_id in ("a", "b"):
            await world.submit(first, PostNote(person_id="p", note_id=note_id, title="open"))
        await world.until(lambda: second.process.slots.ready, "a slot")
        second.database.gate.clear()
        shut = [Shut(person_id="p", note_id=x, other_id=y, guarded=guarded) for x, y in ("ab", "ba")]
        late = asyncio.ensure_future(self._decided(world.submit(second, shut[1])))
        await second.database.waiting.wait()
        await world.submit(first, shut[0])
        second.database.gate.set()
        refused = isinstance(await late, Rejected)
        stored = await world.documents("notes", "notes")
        open_ = [note_id for note_id, note in stored.items() if note["title"] == "open"]
        assert (refused, open_) == ((True, ["b"]) if guarded else (False, []))

    async def _decided(self, asked: Awaitable[Reply]) -> Reply | Rejected:
        try:
            return await asked
        except Rejected as error:
            return error

    async def test_hold_and_release(self, world: World) -> None:
        """A held lane does nothing and says why, another goes on; released it goes on where it stood."""
        node = await world.start("notes")
        await world.quiet()
        number = partition_of("n", world.partitions)
        other = next(f"o{i}" for i in range(99) if partition_of(f"o{i}", world.partitions) != number)
        operator = world.database("notes")
        assert not await control.release(operator, f"note:{number}")
        await control.hold(operator, f"note:{number}", "an operator looks at it")
        await world.put(comment("n", "c0"))
        await world.put(comment(other, "c1"))
        await world.until(lambda: node.lane(number).held != "", "held")
        await world.until(lambda: node.outcomes["done"] == 2, "the other lane goes on")
        report = next(r for r in node.process.reports() if r.name == f"note:{number}")
        assert report.held == "an operator looks at it"
        assert node.process.stuck() == []
        assert not [missing for missing in node.process.ready() if "claimed" in missing]
        assert await comments(world) == 0
        assert await control.release(operator, f"note:{number}")
        await world.until(lambda: node.lane(number).held == "", "released")
        await world.quiet()
        assert await comments(world) == 1

    # -- order ---------------------------------------------------------------------------------------------

    async def test_the_higher_sequence_wins_in_any_order(self, world: World) -> None:
        """State events that come in swapped order leave the same document."""
        await world.start("notes")
        for subject, order in (("a", (1, 2)), ("b", (2, 1))):
            for sequence in order:
                verdict = judged(Verdict(id=subject, note_id="n", hidden=sequence == 2))
                await world.put(verdict, sequence=sequence)
        await world.quiet()
        seen = await world.documents("notes", "seen")
        assert {k: (d["sequence"], d["hidden"]) for k, d in seen.items()} == {"a": (2, True), "b": (2, True)}

    # -- timers --------------------------------------------------------------------------------------------

    async def test_a_timer_fires_once_and_not_before_it_is_due(self, world: World) -> None:
        """The need is escalated after its due time, once, with the due time as the event's time."""
        world.toy.patience = timedelta(milliseconds=400)
        await world.start("notes")
        asked = await world.put(comment("n", "c", "why?"))
        due = asked.time + world.toy.patience

        async def escalated() -> bool:
            return (await world.types(NOTE.name))["need_escalated"] == 1

        await world.until(escalated, "escalated")
        assert world.now() >= due
        await world.quiet()
        (event,) = [e for r in await world.records(NOTE.name) if "escalated" in (e := Envelope.of(r.headers)).type]
        assert event.time == due
        assert await world.documents("notes", Timer.COLLECTION) == {}
        assert (await world.documents("notes", "needs"))["c"]["checks"] == 1

    async def test_a_timer_may_set_itself_anew(self, world: World) -> None:
        """A reminder that asks for its own name again fires again."""
        world.toy.patience = timedelta(milliseconds=100)
        world.toy.checks = 3
        await world.start("notes")
        await world.put(comment("n", "c", "why?"))

        async def done() -> bool:
            return (await world.types(NOTE.name))["need_escalated"] == 1

        await world.until(done, "the third check")
        assert (await world.documents("notes", "needs"))["c"]["checks"] == 3
        await world.quiet()
        assert await world.documents("notes", Timer.COLLECTION) == {}

    async def test_a_cancelled_timer_does_not_fire(self, world: World) -> None:
        """What was answered in time is not escalated, though a later timer of the same lane fires."""
        world.toy.patience = timedelta(seconds=3)
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        await world.put(comment("n", "c0", "why?"))
        await world.until(lambda: node.outcomes["done"] >= 2, "the need is open")
        await world.submit(node, Accept(person_id="p", need_id="c0"))
        await world.quiet()
        assert await world.documents("notes", Timer.COLLECTION) == {}
        world.toy.patience = timedelta(milliseconds=50)
        await world.put(comment("n", "c1", "why?"), at=world.now() + timedelta(seconds=3))

        async def escalated() -> bool:
            return (await world.types(NOTE.name))["need_escalated"] == 1

        await world.until(escalated, "the later one")
        needs = await world.documents("notes", "needs")
        assert {k: n["state"] for k, n in needs.items()} == {"c0": "answered", "c1": "escalated"}

    async def test_a_timer_fires_beside_an_outbox_of_a_later_release(self, world: World) -> None:
        """In a rollout, and after one that was taken back: an unknown topic holds up nothing that is read here."""
        world.toy.patience = timedelta(milliseconds=100)
        node = await world.start("notes")
        unknown = ["lianyi.notes.later.v1", 0, "n", b"{}", ["id", "lianyi.notes.sung.v1", "n", world.now()]]
        left: Json = {"epoch": 1, "batch": 1, "next": [], "outbox": [{"b": 1, "r": [unknown]}]}
        await node.runtime.database.modify(LANES, {"_id": "note:99"}, {"$set": left}, upsert=True)
        await world.put(comment("n", "c", "why?"))

        async def escalated() -> bool:
            return (await world.types(NOTE.name))["need_escalated"] == 1

        await world.until(escalated, "escalated")

    # -- trouble -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("fault", ["lost", "doubled", "late", "acknowledgement lost"])
    async def test_no_event_is_lost_or_counted_twice(self, world: World, fault: Any) -> None:
        """A batch that the broker lost, doubled, delayed or did not acknowledge counts once at the reader."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        node.publisher.faults.append(fault)
        for n in range(4):
            await world.submit(node, PostComment(person_id="p", comment_id=f"c{n}", note_id="n", text="t"))
        await world.until(lambda: not node.publisher.late, "what is late has come")
        await world.quiet()
        assert await comments(world) == 4
        assert set(await world.types(NOTE.name)) == {"comment_posted"}
        assert len(set(await world.ids(NOTE.name))) == 4

    async def test_a_broker_that_is_away_loses_nothing(self, world: World) -> None:
        """Commands are taken while the outbox has room, and all events come when the broker is back."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        node.publisher.away = True
        for n in range(4):
            await world.submit(node, PostComment(person_id="p", comment_id=f"c{n}", note_id="n", text="t"))
        assert await world.records(NOTE.name) == []
        await world.until(lambda: max(r.outbox_seconds for r in node.process.reports()) > 0, "told by the report")
        node.publisher.away = False
        await world.quiet()
        assert await comments(world) == 4

    async def test_a_database_that_is_away_loses_nothing(self, world: World) -> None:
        """Events wait, no letter is written, and all are folded when the database is back."""
        node = await world.start("notes")
        await world.quiet()
        node.database.away = True
        for n in range(4):
            await world.put(comment("n", f"c{n}"))
        await world.until(lambda: node.troubles("transient") > 2, "trouble")
        node.database.away = False
        await world.quiet()
        assert await comments(world) == 4
        assert await letters(world) == []

    async def test_what_a_lane_has_in_hand_lags(self, world: World) -> None:
        """An input that a step tries again and again counts as waiting, also when nothing waits behind it."""
        node = await world.start("notes")
        await world.quiet()
        node.database.away = True
        await world.put(comment("n", "c"))
        await world.until(lambda: node.troubles("transient") > 2, "trouble")
        assert max(r.lag_seconds for r in node.process.reports()) > 0
        node.database.away = False
        await world.quiet()
        assert max(r.lag_seconds for r in node.process.reports()) == 0

    async def test_callers_do_not_wait_for_a_database_that_is_away(self, world: World) -> None:
        """They hear soon to come again, later ones at once; nothing of theirs is done when it is back."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        loop = asyncio.get_running_loop()
        node.database.away = True
        began = loop.time()
        answers = [self._answer(world.submit(node, EditNote(person_id="p", note_id="a"))) for _ in range(5)]
        assert all(isinstance(a, Transient) for a in await asyncio.gather(*answers))
        assert loop.time() - began < 6.0
        began = loop.time()
        assert isinstance(await self._answer(world.submit(node, EditNote(person_id="p", note_id="a"))), Transient)
        assert loop.time() - began < 0.5
        node.database.away = False
        assert (await world.insist(node, EditNote(person_id="p", note_id="a"))).body == {"edits": 1}
        await world.quiet()
        assert (await world.documents("notes", "notes"))["a"]["edits"] == 1

    async def test_a_stop_does_not_wait_for_a_broker_that_is_away(self, world: World) -> None:
        """What cannot be sent stays in the outbox, the slot is given back, and a successor sends it."""
        node = await world.start("notes")
        await world.until(lambda: node.process.slots.ready, "a slot")
        node.publisher.away = True
        for n in range(3):
            await world.submit(node, PostComment(person_id="p", comment_id=f"c{n}", note_id="n", text="t"))
        loop = asyncio.get_running_loop()
        began = loop.time()
        await world.stop(node)
        assert loop.time() - began < 5.0
        assert all(lane.get("lease") is None for lane in (await world.documents("notes", LANES)).values())
        await world.start("notes")
        await world.until(lambda: self._told(world, 3), "sent")
        await world.quiet()
        assert await comments(world) == 3

    async def _told(self, world: World, count: int) -> bool:
        return (await world.types(NOTE.name))["comment_posted"] >= count

    async def test_a_full_outbox_takes_no_commands(self, world: World) -> None:
        """Beyond the limit a caller hears to come again; when there is room the same slot goes on."""
        node = await world.start("notes", limits=Limits(outbox=2_000))
        await world.until(lambda: node.process.slots.ready, "a slot")
        node.publisher.away = True
        slot = node.process.slots.lanes[0]
        asked = [PostComment(person_id="p", comment_id=f"c{n}", note_id="n", text="t") for n in range(20)]
        answers = [await self._answer(world.submit(node, command)) for command in asked]
        taken = sum(isinstance(answer, Reply) for answer in answers)
        assert isinstance(answers[-1], Transient)
        assert 2 <= taken <= 6
        node.publisher.away = False
        await world.quiet()
        assert await comments(world) == taken
        await world.submit(node, PostComment(person_id="p", comment_id="more", note_id="n", text="t"))
        assert node.process.slots.lanes[0] is slot

    async def _answer(self, asked: Awaitable[Reply]) -> Reply | Transient:
        try:
            return await asked
        except Transient as error:
            return error

    async def test_a_key_lane_pauses_on_a_full_outbox(self, world: World) -> None:
        """Commits run ahead of publishing up to the limit, then the lane waits; nothing is lost."""
        world.toy.patience = timedelta(hours=1)
        node = await world.start("notes", limits=Limits(inputs=2, outbox=2_000))
        await world.quiet()
        node.publisher.away = True
        for n in range(20):
            await world.put(comment("n", f"c{n}", "why?"))
        lane = node.lane(partition_of("n", world.partitions))
        await world.until(lambda: lane.phase == "full", "the lane waits for room")
        assert 0 < await comments(world) < 20
        node.publisher.away = False
        await world.quiet()
        assert await comments(world) == 20
        assert (await world.types(NOTE.name))["need_opened"] == 20

    async def test_what_a_lane_has_committed_does_not_lag(self, world: World) -> None:
        """A lane that waits for room lags by what it still has in hand, not by the older input that is committed."""
        await world.put(comment("n", "old", "why?"), at=world.now() - timedelta(days=1))
        for n in range(20):
            await world.put(comment("n", f"c{n}", "why?"))
        node = await world.start("notes", limits=Limits(outbox=2_000))
        node.publisher.away = True
        lane = node.lane(partition_of("n", world.partitions))
        await world.until(lambda: lane.phase == "full", "the lane waits for room")
        assert 0 < await comments(world) < 21
        assert 0 < lane.report().lag_seconds < 3_600

    # -- size ----------------------------------------------------------------------------------------------

    async def test_a_batch_is_cut_by_writes(self, world: World) -> None:
        """No transaction has many more writes than the limit, and none of the inputs is left over."""
        for n in range(30):
            await world.put(comment(f"n{n}", f"c{n}"))
        node = await world.start("notes", limits=Limits(writes=6))
        await world.quiet()
        assert len(await world.documents("notes", "tallies")) == 30
        # Two documents for each input, and beside them the inbox page and the control document.
        assert max(len(writes) for writes in node.database.transactions) <= 6 + 2 + 2

    async def test_a_batch_is_cut_by_the_bytes_of_its_events(self, world: World) -> None:
        """Each input here makes 200 KB of events: the batch ends where the outbox is full."""
        for n in range(4):
            await world.put(comment("n", f"c{n}", "large"))
        node = await world.start("notes", limits=Limits(outbox=300_000))
        await world.quiet()
        assert await comments(world) == 4
        assert await comments(world, "elsewhere") == 40
        fences = [writes[0] for writes in node.database.transactions]
        outboxes = [fence.change["$set"]["outbox"] for fence in fences if isinstance(fence, Fence)]
        sizes = [[sum(len(r[3]) for r in control.unpacked(batch)) for batch in outbox] for outbox in outboxes]
        # The input that fills the outbox still goes in; and less than that may be unsent of the batches before (0005).
        assert 300_000 < max(size for batches in sizes for size in batches) < 300_000 + 210_000
        assert max(map(sum, sizes)) < 300_000 + 300_000 + 210_000
