"""A person's texts go while they are being written, read, judged and lost."""

import asyncio
import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaConsumer
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient

from local.client import Refusal
from local.fleet import SERVICES
from local.texts import CIRCLES
from shared.contracts import TOPICS, Envelope
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE
from tests.faults.planting import Planter, planting
from tests.faults.round import ON_REAL_PARTS, Round, Rounds
from tests.faults.system import System

pytestmark = ON_REAL_PARTS
WRITES = 300
"""Accepted commands and records of all from the person's first word to the first command that erases."""
PAUSE = 20
"""So many inputs of all between two notes of theirs, and between two messages."""
NOBODYS = frozenset({("lianyi_recommend", "profiles"), ("lianyi_recommend", "suggestions")})
"""What keeps single words that many have said (ADR 0040)."""
KEEP = {"lianyi_notes", "lianyi_groups", "lianyi_moderation"}
"""Who keeps whole texts of what the person says."""
REFUSED = "person-erased"
QUOTED = ("notes", "recommend", "moderation")
"""Who takes comments, and writes a letter of one that it cannot take."""
DEAD = tuple(name for name, topic in TOPICS.items() if topic.key == "letter")
PHRASE = "all I know of "


class Writer:
    """Somebody who goes on writing until every service refuses it. Each text holds the phrase with their word."""

    def __init__(self, round_: Round, group: str) -> None:
        self._round, self._client = round_, round_.system.client
        self.person, self.word = f"erased-{uuid4().hex[:8]}", f"zq{uuid4().hex}"
        self.text, self._group = PHRASE + self.word, group

    def _body(self) -> dict[str, object]:
        return {"title": self.text, "text": f"Here is {self.text}, and of {uuid4().hex}"}

    async def notes(self) -> None:
        """Notes, edits of them, comments and questions, and a note handed over to the group."""
        while True:
            note = await self._client.note(self.person, self._body() | {"intent": "asks"})
            await self._client.edit(self.person, note, self._body(), 0)
            await self._client.relay(self.person, note, self._group)
            for text in (f"I say {self.text}", f"请问 {self.text} 怎么用？"):
                await self._client.comment(self.person, note, {"text": text})
            await self._round.loaded(PAUSE)

    async def talk(self) -> None:
        """Messages in the group."""
        while True:
            await self._client.say(self.person, self._group, {"text": f"{self.text}, once more"})
            await self._round.loaded(PAUSE)

    async def refused(self) -> None:
        """Both at once, to their ends."""
        for told in await asyncio.gather(self.notes(), self.talk(), return_exceptions=True):
            assert isinstance(told, Refusal), told
            assert told.reason == REFUSED

    def record(self, correlation: str) -> tuple[bytes, list[tuple[str, bytes]]]:
        """A comment of theirs as it stands on its topic."""
        event = CommentPosted(
            comment_id=uuid4().hex, note_id="n", author_id=self.person, note_author_id="y", text=f"lost: {self.text}"
        )
        time = datetime.now(UTC)
        envelope = Envelope(uuid4().hex, event.TYPE, event.source, time, event.key, 1, correlation, "a-test")
        return event.model_dump_json().encode(), envelope.headers()


def spellings(text: str) -> Iterator[bytes]:
    """The text in UTF-8, and in the middle of something in base64."""
    yield text.encode()
    for before in range(3):
        yield base64.b64encode(b" " * before + text.encode())[4:-4]


async def places(mongo: str, text: str) -> set[tuple[str, str]]:
    """Databases and collections in which the text stands, anywhere, outboxes included."""
    client: AsyncIOMotorClient[RawBSONDocument] = AsyncIOMotorClient(mongo, document_class=RawBSONDocument)
    try:
        found = set()
        for name in [name for name in await client.list_database_names() if name.startswith("lianyi_")]:
            for collection in await client[name].list_collection_names():
                async for document in client[name][collection].find({}):
                    if any(spelled in document.raw for spelled in spellings(text)):
                        found.add((name, collection))
        return found
    finally:
        client.close()


async def quoting(servers: str, word: str) -> list[str]:
    """The places of dead letters that hold a word, of all that anybody can read, from the beginning."""
    found: list[str] = []
    async with AIOKafkaConsumer(*DEAD, bootstrap_servers=servers, auto_offset_reset="earliest") as reader:
        ends = await reader.end_offsets(reader.assignment())
        while any([await reader.position(place) < end for place, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                said = [r for r in records if any(spelled in (r.value or b"") for spelled in spellings(word))]
                found += [f"{r.topic}:{r.partition}:{r.offset}" for r in said]
    return found


async def dead(planter: Planter, writer: Writer, correlation: str) -> None:
    """A record of theirs under the key of another note, of which those who take comments write a letter."""
    value, headers = writer.record(correlation)
    await planter.plant(NOTE, "another-note", value, headers)


async def test_an_erasure_leaves_no_text_while_events_flow(system: System, rounds: Rounds) -> None:
    """Once the commands have ended, no collection, history, reply or outbox holds the text, and no letter a word:
    neither those from before, nor those of what comes late or is replayed."""
    gone: list[tuple[str, int]] = []
    async with rounds(system) as round_, planting(round_) as planter:
        round_.harmless.add(REFUSED)
        for _ in round_.times(1, 10):
            owner = f"owner-{uuid4().hex[:8]}"
            group = await system.client.open_group(owner, {"name": "G", "charter": CIRCLES[0].charter, "seats": 5})
            writer = Writer(round_, group)
            system.erased.add(writer.person)
            await system.client.join(writer.person, group)
            writing = asyncio.create_task(writer.refused())
            before = len(round_.letters)
            await dead(planter, writer, system.journal.correlation())
            await round_.lettered(before + len(QUOTED))
            await round_.loaded(WRITES)
            assert {database for database, _ in await places(system.stack.mongo, writer.text)} == KEEP
            assert len(await quoting(system.stack.kafka, writer.word)) == len(QUOTED)
            with round_.recovery():
                for name in system.rng.sample(SERVICES, len(SERVICES)):
                    await system.operate(name, "erase", "--person", writer.person)
                    round_.faults += 1
                await writing
            assert not await quoting(system.stack.kafka, writer.word)
            erased = len(round_.letters)
            gone.append((writer.word, erased))
            await dead(planter, writer, system.journal.correlation())
            await round_.lettered(erased + len(QUOTED))
            for name in QUOTED:
                await system.operate(name, "replay")
            await round_.lettered(erased + 2 * len(QUOTED))  # in each replay it has died again
    for word, erased in gone:
        assert not [letter for letter in round_.letters[erased:] if word.encode() in base64.b64decode(letter.value)]
        assert not await places(system.stack.mongo, PHRASE + word)
        assert await places(system.stack.mongo, word) <= NOBODYS
        assert not await quoting(system.stack.kafka, word)
