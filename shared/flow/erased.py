"""The persons whose texts are gone: what a lane lets in of them, and what the command takes away."""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from msgspec.structs import replace

from shared.contracts import EVENTS, TOPICS, Event
from shared.contracts.dead import DeadLetter
from shared.errors import Rejected, Transient

from .control import packed, unpacked
from .documents import ERASED, LANES, Document, StoredReply
from .inputs import Input
from .ports import Database, DeadTopic, Json, Letter, Now, Replace, Write
from .quotes import blank, quotable, retold, unquoted, without_texts
from .rewrite import Writer, emptied, pages, writer
from .router import Command, Handler

UNHEARD = 30.0
"""Seconds for which a letter that a former owner was sending may still come, once the broker answers. Its client never
gives one up: it tries again until somebody takes it, so what counts is when the broker was back, not when the lane was
taken."""
PAGE = 100
"""Letters that are told again at a time: a few megabytes."""


class Erased:
    """Ids of erased persons, in memory, as of this process's start or its lanes' last claim.

    That is enough: the command stores the id first and then fences every lane, so whoever commits after it has
    claimed after it, and knows.
    """

    def __init__(self) -> None:
        self._ids: frozenset[str] = frozenset()

    async def refresh(self, database: Database) -> bool:
        """Read the set again; whether it has grown. Raises Transient."""
        before = self._ids
        self._ids = frozenset(stored["_id"] for stored in await database.find(ERASED, {}, fields=("_id",)))
        return self._ids > before

    def cleaned(self, input_: Input) -> Input:
        """The input without the texts of erased persons; their commands are refused."""
        payload = input_.payload
        if not self._ids:
            return input_
        if payload is None:
            return self._unquoted(input_)
        if isinstance(payload, Command):
            return replace(input_, handlers=(_REFUSE,)) if payload.person_id in self._ids else input_
        if not isinstance(payload, Event):
            return input_
        clean = without_texts(payload, self._ids)
        if clean is payload:
            return input_
        # The record too: a handler that fails would quote it in a letter.
        record = input_.record and replace(input_.record, value=clean.model_dump_json().encode())
        return replace(input_, payload=clean, record=record)

    def _unquoted(self, input_: Input) -> Input:
        """An input that dies before any handler: what its letter will quote, without these texts."""
        record = input_.record
        if record is None or record.value is None:
            return input_
        value = quotable(record.value, dict(record.headers).get("ce_type", b""), self._ids)
        return input_ if value == record.value else replace(input_, record=replace(record, value=value or b""))


def _refuse(command: Any, work: Any) -> None:
    raise Rejected("person-erased", 403, detail="Everything of this person was erased.")


_REFUSE = Handler("erased", _refuse, lambda command: ())


async def erase(database: Database, dead: DeadTopic, kinds: Iterable[type[Document]], person: str, now: Now) -> int:
    """Take a person's texts out of this service, for good; returns when no lane can bring them back, and how many dead
    letters were told again for it.

    The id is stored first, then every lane is fenced and its outbox cleaned, then stored replies and the texts in
    documents go, and last what letters quote, which alone needs the broker. Run again it does the same, so a command
    that was killed is run again. What other topics have goes with their retention.

    Raises:
        Transient, Conflict: run it again. The first also for an event in an outbox that this release does not know.
    """
    await database.modify(ERASED, {"_id": person}, {"$setOnInsert": {"at": now()}}, upsert=True)
    for stored in await database.find(LANES, {}, fields=("_id",)):
        while not await _fenced(database, stored["_id"], person, now):
            continue
    async with writer(database) as write:
        await emptied(database, write, StoredReply.COLLECTION, {"person": person})
        for kind in kinds:
            for who, texts in kind.TEXTS.items():
                await _clean(database, write, kind, ("_id" if who == "id" else who, person, texts))
    return await _retell(database, dead)


async def _fenced(database: Database, lane: str, person: str, now: Now) -> bool:
    """Take a lane from its owner, and the person's texts out of its outbox; False if somebody was first."""
    (stored,) = await database.load(LANES, [lane])
    if stored.get("session") is not None:
        await database.kill_session(bytes(stored["session"]))
    said = [(batch["b"], [(r, _unsaid(r, person)) for r in unpacked(batch)]) for batch in stored["outbox"]]
    if any(clean is not r and TOPICS[r[0]].key == "letter" for _, records in said for r, clean in records):
        # Before the outbox forgets: its owner may be sending it as it was, and a second run must wait for that too. The
        # time only tells one such word from another: this clock is compared with none.
        await database.modify(ERASED, {"_id": person}, {"$set": {"unsent": now()}})
    change: Json = {"outbox": [{"b": b, "r": packed([clean for _, clean in records])} for b, records in said]}
    if lane.startswith("api:"):
        change["lease"] = None  # or its callers wait until it has lapsed
    where: Json = {"_id": lane, "epoch": stored["epoch"], "batch": stored["batch"]}
    return await database.modify(LANES, where, {"$inc": {"epoch": 1}, "$set": change}) is not None


def _unsaid(record: list[Any], person: str) -> list[Any]:
    topic, partition, key, value, known = record
    if known[1] not in EVENTS:  # in a rollout: its owner is sending it, or else that release can be asked
        if person.encode() in bytes(value):
            raise Transient("an outbox holds words in an event that only a later release knows")
        return record
    event = EVENTS[known[1]].model_validate_json(bytes(value))
    clean = unquoted(event, {person}) if isinstance(event, DeadLetter) else without_texts(event, {person})
    return record if clean is event else [topic, partition, key, clean.model_dump_json().encode(), known]


async def _retell(database: Database, dead: DeadTopic) -> int:
    """Have the dead topic hold no words of anybody in the set; returns how many letters it was told again.

    Whose id comes in meanwhile may have been told again here with the words, behind the back of that erasure: then all
    is done once more. Whose id comes in later finds them itself.
    """
    told, gone = 0, frozenset[str]()
    while (found := await database.find(ERASED, {})) and (ids := frozenset(f["_id"] for f in found)) != gone:
        told, gone = told + await _told_again(dead, ids), ids
        if late := [f for f in found if f.get("unsent")]:
            await asyncio.sleep(UNHEARD)  # from now: the broker has just answered
            told += await _told_again(dead, ids)
            for f in late:
                await database.modify(ERASED, {"_id": f["_id"], "unsent": f["unsent"]}, {"$unset": {"unsent": ""}})
    return told


async def _told_again(dead: DeadTopic, gone: Collection[str]) -> int:
    """Behind the last letter with their words all up to it once more, without; then the broker forgets those before.

    Told first, forgotten after: whoever is killed in between has told some twice, under the same ``ce_id``. Whoever may
    not forget has told nothing: that is asked first, of each leader, with what is forgotten already.
    """
    firsts: dict[int, int] = {}
    ends: dict[int, int] = {}
    async for letter in dead.letters():
        firsts.setdefault(letter.partition, letter.offset)
        if retold(letter, gone) is not letter:
            ends[letter.partition] = letter.offset + 1
    told, page = 0, list[Letter]()
    if ends:
        await dead.forget({partition: firsts[partition] for partition in ends})
        async for letter in dead.letters(ends):
            page.append(retold(letter, gone))
            if len(page) == PAGE:
                await dead.tell(page)
                told, page = told + PAGE, []
        await dead.tell(page)
        await dead.forget(ends)
    return told + len(page)


async def _clean(
    database: Database, write: Writer, kind: type[Document], whose: tuple[str, str, Iterable[str]]
) -> None:
    who, person, _ = whose
    async for page in pages(database, kind.COLLECTION, {who: person}):
        ids = [stored["_id"] for stored in page]

        async def make(ids: list[str] = ids) -> list[Write]:
            found = await database.load(kind.COLLECTION, ids)
            quiet = [(stored, _silent(stored, whose)) for stored in found]
            return [Replace(kind.COLLECTION, s["_id"], s["v"], q | {"v": s["v"] + 1}) for s, q in quiet if q != s]

        await write(make)


def _silent(stored: Json, whose: tuple[str, str, Iterable[str]]) -> Json:
    """The document without these texts; ``talk.author_id`` is the field of the entries of a list."""
    who, person, texts = whose
    outer, _, inner = who.partition(".")
    if inner:
        part = (inner, person, texts)
        return {**stored, outer: [_silent(e, part) if e.get(inner) == person else e for e in stored[outer]]}
    return {**stored, **{name: blank(stored[name]) for name in texts if stored.get(name)}}
