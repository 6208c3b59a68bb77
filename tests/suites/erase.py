"""What an erasure promises, on the toy services: the texts of a person are gone, and stay gone."""

import asyncio
import base64
from collections.abc import Collection, Iterable
from typing import Any

import pytest

from shared.contracts import partition_of
from shared.contracts.dead import NotesDeadLetter
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE
from shared.errors import Rejected, Transient
from shared.flow import control
from shared.flow.documents import LANES, StoredReply
from shared.flow.erased import UNHEARD, erase
from shared.flow.ports import Conflict, DeadTopic, Json
from shared.flow.replay import replay
from tests.fakes.faults import FaultyDatabase
from tests.suites.dead import Dying, Killed
from tests.suites.lane import letters, replayed
from tests.suites.rebuild import KINDS, rebuilt
from tests.suites.toy import Note, PostComment, PostNote, comment
from tests.suites.world import Node, World

ALL = (Note, *KINDS["notes"])
SECRET = "my own words"
EACH_FORM = pytest.mark.parametrize("lists", [False, True], ids=["one value", "lists"])
"""What waits in outboxes as this release stores it, and as 0.1.0 did."""


async def erased(world: World, person: str = "writer", dead: DeadTopic | None = None) -> None:
    await erase(world.database("notes"), dead or world.dead("notes"), ALL, person, world.now)


def by_another(note_id: str, comment_id: str, text: str) -> CommentPosted:
    """A comment that is not the person's."""
    return comment(note_id, comment_id, text).model_copy(update={"author_id": "other"})


async def kept_letters(world: World) -> list[NotesDeadLetter]:
    """The dead letters that can still be read."""
    return [NotesDeadLetter.model_validate_json(r.value or b"") async for r in world.dead("notes").letters()]


def spoken(found: Iterable[NotesDeadLetter]) -> bool:
    """Whether a letter quotes the words."""
    return any(SECRET.encode() in base64.b64decode(letter.value) for letter in found)


async def kept(world: World) -> list[Any]:
    """Everything in the database of notes, control documents too."""
    names = [*(kind.COLLECTION for kind in ALL), LANES, StoredReply.COLLECTION, "timers", "inbox", "dead"]
    return [document for name in names for document in (await world.documents("notes", name)).values()]


async def silent(world: World) -> bool:
    """Whether none of the words is anywhere in the database."""
    return SECRET not in repr(await kept(world))


class EraseSuite:
    """Behaviours; a subclass gives the fixture ``world``."""

    async def test_texts_leave_documents_and_replies(self, world: World) -> None:
        """What the person wrote is empty, what others wrote stays; numbers, ids and the person's id stay too."""
        node = await world.start("notes")
        await world.submit(node, PostNote(person_id="writer", note_id="n1", title=SECRET), "key")
        await world.submit(node, PostNote(person_id="other", note_id="n2", title="other words"), "key2")
        await world.put(comment("n1", "c", SECRET))
        await world.quiet()
        assert not await silent(world)
        await erased(world)
        await world.quiet()
        assert await silent(world)
        found = await world.documents("notes", "notes")
        assert [(n["author_id"], n["title"]) for n in found.values()] == [("writer", ""), ("other", "other words")]
        assert (await world.documents("notes", "remembered"))["c"] == {
            "_id": "c",
            "v": 2,
            "author_id": "writer",
            "text": "",
            "times": 1,
        }
        assert [r["person"] for r in (await world.documents("notes", StoredReply.COLLECTION)).values()] == ["other"]

    async def test_what_comes_late_comes_without_text(self, world: World) -> None:
        """An event that was on its way, a replayed letter, a rebuild: they count, and say nothing."""
        node = await world.start("notes")
        await world.put(comment("n1", "first", SECRET))
        await world.put(comment("n1", "buggy", "bug"))
        await world.quiet()
        await erased(world)
        await world.put(comment("n1", "late", SECRET))
        await world.quiet()
        world.toy.broken = False
        assert (await replayed(world, node))["done"] >= 1
        await rebuilt(world, node)
        await world.quiet()
        remembered = await world.documents("notes", "remembered")
        assert {(id_, r["text"], r["times"]) for id_, r in remembered.items()} == {
            ("first", "", 1),
            ("buggy", "", 1),
            ("late", "", 1),
        }
        assert (await world.documents("notes", "tallies"))["n1"]["comments"] == 3

    async def test_a_letter_does_not_quote_the_person(self, world: World) -> None:
        """An input that dies after the erasure is kept without its text."""
        await world.start("notes")
        await world.quiet()
        await erased(world)
        await world.put(comment("n1", "refused", SECRET))
        await world.quiet()
        (letter,) = await letters(world)
        assert b"refused" in base64.b64decode(letter.value)
        assert SECRET.encode() not in base64.b64decode(letter.value)
        assert await silent(world)

    async def test_letters_from_before_lose_the_words(self, world: World) -> None:
        """What had died before the erasure says nothing of the person any more, and others' letters all they said."""
        await world.start("notes")
        await world.put(comment("n1", "refused", SECRET))
        await world.put(by_another("n1", "of-another", "rejected"))
        await world.quiet()
        assert spoken(await kept_letters(world))
        await erased(world)
        left = await kept_letters(world)
        assert not spoken(left)
        quoted = {letter.letter_id: b'"rejected"' in base64.b64decode(letter.value) for letter in left}
        assert sorted(quoted.values()) == [False, True], "each, though the lane may have sent it again"

    async def test_a_letter_that_stands_there_twice_counts_once(self, world: World) -> None:
        """The command died between telling again and forgetting: a replay does each input once, timers' parts too."""
        node = await world.start("notes")
        world.toy.part = 2
        for id_ in ("c", "d"):
            await world.put(comment("n1", id_, "bug"))
        await world.put(by_another("n1", "of-another", "bug"))
        await world.put(by_another("n1", "buggy", "many 4"))
        await world.until(lambda: node.outcomes["dead:bug"] == 5, "the letters")
        await world.quiet()
        before = await kept_letters(world)
        with pytest.raises(Killed):
            await erased(world, dead=Dying(world.dead("notes")))
        assert len(await kept_letters(world)) > len(before)
        await erased(world)
        after = await kept_letters(world)
        assert len(after) > len({letter.letter_id for letter in after}) == len(before)
        world.toy.broken = False
        assert (await replay(node.runtime, world.dead("notes").letters()))["done"] == 5
        await world.quiet()
        assert (await world.documents("notes", "tallies"))["n1"]["comments"] == 4
        remembered = await world.documents("notes", "remembered")
        ids = {"c", "d", "of-another", "buggy", *(f"buggy-{n:04d}" for n in range(4))}
        assert {id_: r["times"] for id_, r in remembered.items() if id_ in ids} == dict.fromkeys(ids, 1)
        assert not await world.documents("notes", "dead")
        assert "done" not in await replay(node.runtime, world.dead("notes").letters())

    @pytest.mark.parametrize("runs", [1, 2])
    async def test_a_letter_that_was_being_sent_is_waited_for(self, world: World, runs: int) -> None:
        """What the former owner was sending comes with the words, after its outbox was cleaned: not after the command,
        also when that is the second, which finds the outbox clean."""
        node = await world.start("notes")
        await world.quiet()
        node.publisher.delay = lambda: 15.0  # type: ignore[method-assign]
        node.publisher.faults.extend(["late", *["lost"] * 10_000])  # type: ignore[list-item]
        await world.put(comment("n1", "refused", SECRET))
        await world.until(lambda: bool(node.publisher.late), "it is on its way")
        if runs == 2:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5.0):
                    await erased(world)
        await erased(world)
        assert not node.publisher.late, "it has come"
        assert spoken(await letters(world))
        assert not spoken(await kept_letters(world))

    async def test_who_was_waited_for_is_not_waited_for_again(self, world: World) -> None:
        """Once a command has got through no erasure waits for its letters any more."""
        node = await world.start("notes")
        await world.quiet()
        node.publisher.away = True
        await world.put(comment("n1", "refused", SECRET))
        await world.until(lambda: node.outcomes["dead:rejected"] == 1, "the letter")
        loop = asyncio.get_running_loop()
        took = []
        for person in ("writer", "another", "writer"):
            began = loop.time()
            await erased(world, person)
            took.append(loop.time() - began)
        assert took[0] >= UNHEARD > took[1] + took[2]

    async def test_what_nobody_can_take_is_not_quoted_either(self, world: World) -> None:
        """A record that dies before any handler, new or replayed, leaves no word of the person in its letter."""
        node = await world.start("notes")
        good = await world.put(comment("n", "good", "of no meaning"))
        stray = partition_of("n", world.partitions) + 1
        whole = comment("n", "c", SECRET).model_dump_json().encode()
        for number in range(2):
            if number == 1:
                await erased(world)
            headers = [*good.headers(), ("ce_id", b"stray %d" % number)]
            await world.raw(NOTE.name, stray % world.partitions, whole, headers)
            await world.raw(NOTE.name, stray % world.partitions, whole[:-1], headers)
            await world.quiet()
        await replayed(world, node)
        await world.quiet()
        assert len(await letters(world)) >= 2 + 2 + 2
        assert not spoken(await kept_letters(world))

    @EACH_FORM
    async def test_outboxes_are_cleaned(self, world: World, lists: bool) -> None:
        """What was committed and could not be sent yet is sent without the text; others' events as they were."""
        node = await world.start("notes")
        await world.quiet()
        node.publisher.away = True
        await world.submit(node, PostNote(person_id="writer", note_id="n1", title=SECRET))
        await world.submit(node, PostNote(person_id="other", note_id="n2", title="other words"))
        if lists:
            assert await world.as_lists("notes")
        await erased(world)
        assert await silent(world)
        assert "other words" in repr(await world.documents("notes", LANES))
        node.publisher.away = False
        await world.kill(node)  # or what stood in its memory might be what is sent
        await world.start("notes")
        await world.until(lambda: _sent(world, 2), "both are sent")
        told = [record.value or b"" for record in await world.records(NOTE.name)]
        assert sorted(SECRET.encode() in value for value in told) == [False, False]

    @EACH_FORM
    async def test_a_letter_on_its_way_can_still_be_replayed(self, world: World, lists: bool) -> None:
        """A dead letter in an outbox loses the words and nothing else: mended, its input counts."""
        node = await world.start("notes")
        await world.quiet()
        node.publisher.away = True
        await world.put(comment("n1", "c", "bug"))
        await world.until(lambda: node.outcomes["dead:bug"] == 1, "the letter")
        if lists:
            assert await world.as_lists("notes")
        await erased(world)
        await world.kill(node)
        node = await world.start("notes")
        await world.quiet()
        (letter,) = await letters(world)
        assert b'"bug"' not in base64.b64decode(letter.value)
        world.toy.broken = False
        assert await replayed(world, node) == {"done": 1}
        assert (await world.documents("notes", "tallies"))["n1"]["comments"] == 1

    async def test_a_release_does_not_bring_words_back(self, world: World) -> None:
        """A release that has read an old outbox before it was cleaned does not write it as it was."""
        node = await world.start("notes")
        await world.quiet()
        node.publisher.away = True
        await world.submit(node, PostNote(person_id="writer", note_id="n1", title=SECRET))
        slot = node.process.slots.lanes[0].name
        await world.kill(node)
        database = FaultyDatabase(world.database("notes"))
        assert await control.hold(database, slot, f"{control.HORIZON}old")
        read = database.load

        async def load(collection: str, ids: Collection[str]) -> list[Json]:
            found = await read(collection, ids)
            await erased(world)
            return found

        database.load = load  # type: ignore[method-assign]
        with pytest.raises(Conflict):
            await control.release(database, slot)
        assert await silent(world)

    async def test_a_person_who_is_gone_says_nothing_more(self, world: World) -> None:
        """A token may live on: its commands are refused, and nothing is written."""
        node = await world.start("notes")
        await world.submit(node, PostNote(person_id="writer", note_id="n1", title="t"), "key")
        await erased(world)
        for key in (None, "key", "new"):
            with pytest.raises(Rejected, match="person-erased"):
                await _insist(world, node, PostNote(person_id="writer", note_id="n9", title=SECRET), key)
        command = PostComment(person_id="other", comment_id="c", note_id="n1", text="t")
        assert (await world.insist(node, command)).status == 201
        assert await silent(world)

    async def test_a_batch_on_its_way_is_fenced(self, world: World) -> None:
        """A batch that was folded with the text before the erasure does not get through after it."""
        node = await world.start("notes")
        await world.quiet()
        node.database.gate.clear()
        await world.put(comment("n1", "c", SECRET))
        await node.database.waiting.wait()
        await erased(world)
        node.database.gate.set()
        await world.quiet()
        assert (await world.documents("notes", "remembered"))["c"]["text"] == ""
        assert await silent(world)

    async def test_it_may_be_done_again(self, world: World) -> None:
        """A second run finds nothing to do and does no harm."""
        await world.start("notes")
        await world.put(comment("n1", "c", SECRET))
        await world.quiet()
        await erased(world)
        before = await world.documents("notes", "remembered")
        await erased(world)
        await world.quiet()
        assert await world.documents("notes", "remembered") == before


async def _sent(world: World, count: int) -> bool:
    return len(set(await world.ids(NOTE.name))) == count


async def _insist(world: World, node: Node, command: PostNote, key: str | None) -> None:
    try:
        await world.insist(node, command, key)
    except Transient:
        raise AssertionError("no slot") from None
