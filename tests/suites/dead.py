"""What the dead topic of a service keeps after an erasure: run on the fake and on a real broker."""

import base64
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from msgspec.structs import replace

from shared.contracts import Envelope
from shared.contracts.dead import NotesDeadLetter
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE, NOTES_DEAD
from shared.errors import Transient
from shared.flow.documents import ERASED
from shared.flow.erased import PAGE, erase
from shared.flow.ports import DeadTopic, Letter
from tests.fakes.clock import wall
from tests.fakes.database import FakeDatabase, Server
from tests.suites.toy import comment

SECRET = "my own words"


class Said(NamedTuple):
    """A letter, and who must be erased for it to be told again without words; nobody for ``""``."""

    letter: Letter
    whose: str


def dead_letter(value: bytes, *, topic: str = NOTE.name, type_: str = CommentPosted.TYPE, cut: bool = False) -> bytes:
    """The body of a letter that quotes a record."""
    return (
        NotesDeadLetter(
            letter_id=uuid4().hex,
            topic=topic,
            partition=0,
            offset=7,
            handler="remember",
            reason="bug",
            fingerprint="f",
            record_key=base64.b64encode(b"n").decode(),
            value=base64.b64encode(value).decode(),
            headers=(("ce_type", base64.b64encode(type_.encode()).decode()),),
            cut=cut,
        )
        .model_dump_json()
        .encode()
    )


def told(body: bytes, partition: int = 0, timestamp: int = 1_700_000_000_123) -> Letter:
    """A record of the dead topic with this body, at no offset yet."""
    key = uuid4().hex
    envelope = Envelope(uuid4().hex, NotesDeadLetter.TYPE, "/lianyi/notes", wall(), key, 0, "c", "c", "")
    return Letter(NOTES_DEAD.name, partition, 0, key.encode(), body, tuple(envelope.headers()), timestamp)


def of(person: str, words: str = SECRET, partition: int = 0) -> Letter:
    """A letter that quotes a comment of a person."""
    event = comment("n", uuid4().hex, words).model_copy(update={"author_id": person})
    return told(dead_letter(event.model_dump_json().encode()), partition)


def plain(letter: Letter) -> tuple[Any, ...]:
    """All of it but its offset."""
    return letter.partition, letter.key, letter.value, letter.headers, letter.timestamp


async def kept(dead: DeadTopic) -> list[Letter]:
    """What anybody can read, partition by partition."""
    return sorted([letter async for letter in dead.letters()], key=lambda letter: (letter.partition, letter.offset))


def words(letters: Sequence[Letter]) -> list[str]:
    """All that the letters quote, as text, and what else they hold."""
    found = []
    for letter in letters:
        body = letter.value or b""
        try:
            body += base64.b64decode(NotesDeadLetter.model_validate_json(body).value)
        except ValueError:
            body += b"".join(base64.b64decode(part + b"=" * (-len(part) % 4)) for part in body.split(b'"')[3:4])
        found.append(body.decode("utf-8", "replace"))
    return found


class Killed(BaseException):
    """The command dies here."""


class Dying:
    """The dead topic in the hands of a command that is killed before it has the broker forget what it has told again,
    so many times."""

    def __init__(self, inner: DeadTopic, times: int = 1) -> None:
        self._inner, self._times = inner, times
        self._told = False

    def letters(self, ends: Mapping[int, int] | None = None) -> AsyncIterator[Letter]:
        return self._inner.letters(ends)

    async def tell(self, letters: Sequence[Letter]) -> None:
        await self._inner.tell(letters)
        self._told = True

    async def forget(self, ends: Mapping[int, int]) -> None:
        if self._told and self._times:
            self._times, self._told = self._times - 1, False
            raise Killed
        await self._inner.forget(ends)


class Refused(Dying):
    """The dead topic for a service that may write and read it, and not delete."""

    async def forget(self, ends: Mapping[int, int]) -> None:
        raise Transient("not allowed")


class Meeting(Dying):
    """The dead topic while another erasure gets through: its id comes in when this one has read who is gone."""

    def __init__(self, inner: DeadTopic, server: Server, other: str) -> None:
        super().__init__(inner, 0)
        self._server, self._other = server, other

    async def tell(self, letters: Sequence[Letter]) -> None:
        await FakeDatabase(self._server).modify(ERASED, {"_id": self._other}, {"$set": {"at": wall()}}, upsert=True)
        await super().tell(letters)


class DeadTopicSuite:
    """Behaviours; a subclass gives the fixtures ``dead``, the dead topic of notes with nothing in it that can be read,
    and ``server``, an empty database."""

    async def erased(self, dead: DeadTopic, server: Server, person: str = "writer") -> int:
        return await erase(FakeDatabase(server), dead, (), person, wall)

    async def test_a_letter_is_told_as_it_is(self, dead: DeadTopic) -> None:
        """Body, key, headers, time and partition are those that were given, and the order of each partition holds."""
        made = [told(b"%d" % n, n % 2, 1_700_000_000_000 + n) for n in range(2 * PAGE)]
        await dead.tell(made)
        found = await kept(dead)
        assert [plain(letter) for letter in found] == [plain(m) for number in (0, 1) for m in made[number::2]]

    async def test_what_is_forgotten_cannot_be_read(self, dead: DeadTopic) -> None:
        """Below the end nothing is read any more, the rest stays where it is; again it does nothing."""
        await dead.tell([told(b"%d" % n, n % 2) for n in range(6)])
        found = [letter for letter in await kept(dead) if letter.partition == 1]
        end = found[1].offset + 1
        assert [letter async for letter in dead.letters({1: end})] == found[:2]
        for _ in range(2):
            await dead.forget({1: end})
            left = await kept(dead)
            assert [letter for letter in left if letter.partition == 1] == found[2:]
            assert len(left) == 4
        assert [letter async for letter in dead.letters({1: end})] == []

    async def test_no_letter_keeps_the_words(self, dead: DeadTopic, server: Server) -> None:
        """Those of the person are told again without, those of others as they were; what came after stays in place."""
        theirs, others = of("writer"), of("other", "other words")
        await dead.tell([others, theirs, of("other", "late"), of("other", "elsewhere", 1)])
        before = await kept(dead)
        assert await self.erased(dead, server) == 2
        left = await kept(dead)
        assert not any(SECRET in text for text in words(left))
        again = {letter.key: letter for letter in left}
        assert again.keys() == {letter.key for letter in before}
        assert plain(again[others.key]) == plain(others)
        assert plain(again[theirs.key]) == plain(replace(theirs, value=again[theirs.key].value))
        known, was = (NotesDeadLetter.model_validate_json(r.value or b"") for r in (again[theirs.key], theirs))
        assert known == was.model_copy(update={"value": known.value})
        assert all(letter in left for letter in before if letter.key not in (others.key, theirs.key))
        assert await self.erased(dead, server) == 0, "a second run finds nothing"
        assert await kept(dead) == left

    async def test_a_topic_without_their_words_is_let_be(self, dead: DeadTopic, server: Server) -> None:
        """No letter moves for somebody who is quoted by none."""
        await dead.tell([of("other"), of("writer", ""), told(b"{not json"), told(dead_letter(b"{broken"))])
        before = await kept(dead)
        assert await self.erased(dead, server) == 0
        assert await kept(dead) == before

    @pytest.mark.parametrize("seed", range(3))
    async def test_which_letters_lose_their_words(self, dead: DeadTopic, server: Server, seed: int) -> None:
        """Whatever stands among which, and however much: theirs do, all others are told as they were, once each."""
        rng = random.Random(seed)
        made = [self._any(rng) for _ in range(rng.randrange(3 * PAGE))]
        await dead.tell([said.letter for said in made])
        await self.erased(dead, server, "the-first")
        await self.erased(dead, server, "the-second")
        left = {letter.key: letter for letter in await kept(dead)}
        assert len(left) == len(await kept(dead)) == len(made), "each once"
        for letter, whose in made:
            clean = left[letter.key]
            assert plain(replace(clean, value=letter.value)) == plain(letter)
            (text,) = words([clean])
            if whose in ("the-first", "the-second"):
                assert SECRET not in text
            else:
                assert clean.value == letter.value

    @staticmethod
    def _any(rng: random.Random) -> Said:
        who = rng.choice(["the-first", "the-second", "the-third"])
        body = comment("n", uuid4().hex, SECRET).model_copy(update={"author_id": who}).model_dump_json().encode()
        at = rng.choice([0, 1])
        match rng.randrange(6):
            case 0:  # as it is
                return Said(told(dead_letter(body), at), who)
            case 1:  # cut for its size: the id stands before the text
                return Said(told(dead_letter(body[:-9], cut=True), at), who)
            case 2:  # of a type that nobody knows
                return Said(told(dead_letter(body, type_="lianyi.notes.sung.v1"), at), who)
            case 3:  # a timer's: it has nobody's words, whomever it names
                return Said(told(dead_letter(b'{"payload":{"person_id":"%s"}}' % who.encode(), topic="timers"), at), "")
            case 4:  # no letter that this release knows
                quoted = base64.b64encode(b" " * rng.randrange(4) + body)
                return Said(told(b'{"later":"%s"}' % quoted, at), who)
            case _:  # of nobody
                return Said(told(dead_letter(b"{of no meaning"), at), "")

    @pytest.mark.parametrize("times", [1, 2])
    async def test_killed_in_between_it_is_run_again(self, dead: DeadTopic, server: Server, times: int) -> None:
        """Told again and not forgotten yet: nothing is lost, and the run that gets through leaves no words."""
        others = of("other", "other words")
        await dead.tell([others, of("writer")])
        dying = Dying(dead, times)
        for _ in range(times):
            with pytest.raises(Killed):
                await self.erased(dying, server)
            assert any(SECRET in text for text in words(await kept(dead)))
        await self.erased(dying, server)
        left = await kept(dead)
        assert not any(SECRET in text for text in words(left))
        assert [plain(letter) for letter in left if letter.key == others.key] == [plain(others)] * (times + 1)

    async def test_without_the_right_to_delete_nothing_is_told(self, dead: DeadTopic, server: Server) -> None:
        """However often it is tried, no letter comes again; what the right is asked with takes none away."""
        await dead.tell([of("other"), of("writer"), of("writer", partition=1)])
        before = await kept(dead)
        for _ in range(2):
            with pytest.raises(Transient, match="not allowed"):
                await self.erased(Refused(dead), server)
        assert await kept(dead) == before
        await dead.forget({letter.partition: letter.offset for letter in reversed(before)})
        assert await kept(dead) == before

    async def test_two_erasures_do_not_undo_each_other(self, dead: DeadTopic, server: Server) -> None:
        """The one tells the other's letters again with the words, having read before who is gone: it notices."""
        await dead.tell([of("other"), of("writer")])
        await self.erased(Meeting(dead, server, "other"), server)
        assert not any(SECRET in text for text in words(await kept(dead)))
