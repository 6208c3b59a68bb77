"""The persons whose texts are gone: what a lane lets in of them, and what the command takes away."""

import base64
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from shared.contracts import EVENTS, Event
from shared.contracts.dead import DeadLetter
from shared.errors import Rejected, Transient

from .control import packed, unpacked
from .documents import ERASED, LANES, Document, StoredReply, Timer
from .inputs import Input
from .ports import Database, Json, Replace, Write
from .rewrite import Writer, emptied, pages, writer
from .router import Command, Handler


class Erased:
    """Ids of erased persons, in memory, as of the last claim of any lane of this process.

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
        value = _quotable(record.value, dict(record.headers).get("ce_type", b""), self._ids)
        return input_ if value == record.value else replace(input_, record=replace(record, value=value or b""))


def _refuse(command: Any, work: Any) -> None:
    raise Rejected("person-erased", 403, detail="Everything of this person was erased.")


_REFUSE = Handler("erased", _refuse, lambda command: ())


def without_texts(event: Event, persons: Iterable[str]) -> Event:
    """The event without the texts of these persons; the same object if it has none."""
    texts = {name for who, names in event.TEXTS.items() if getattr(event, who) in persons for name in names}
    blank = {name: _blank(getattr(event, name)) for name in texts if getattr(event, name)}
    return event.model_copy(update=blank) if blank else event


async def erase(database: Database, kinds: Iterable[type[Document]], person: str, now: datetime) -> None:
    """Take a person's texts out of this service, for good; returns when no lane can bring them back.

    The id is stored first, then every lane is fenced and its outbox cleaned, then stored replies and the texts in
    documents go. Run again it does the same, so a command that was killed is run again. What the broker has
    already goes with the retention of its topic.

    Raises:
        Transient, Conflict: run it again. The first also for an event in an outbox that this release does not know.
    """
    await database.modify(ERASED, {"_id": person}, {"$setOnInsert": {"at": now}}, upsert=True)
    for stored in await database.find(LANES, {}, fields=("_id",)):
        while not await _fenced(database, stored["_id"], person):
            continue
    async with writer(database) as write:
        await emptied(database, write, StoredReply.COLLECTION, {"person": person})
        for kind in kinds:
            for who, texts in kind.TEXTS.items():
                await _clean(database, write, kind, ("_id" if who == "id" else who, person, texts))


async def _fenced(database: Database, lane: str, person: str) -> bool:
    """Take a lane from its owner, and the person's texts out of its outbox; False if somebody was first."""
    (stored,) = await database.load(LANES, [lane])
    if stored.get("session") is not None:
        await database.kill_session(bytes(stored["session"]))
    said = ((batch["b"], unpacked(batch)) for batch in stored["outbox"])
    change: Json = {"outbox": [{"b": b, "r": packed(_unsaid(r, person) for r in records)} for b, records in said]}
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
    clean = without_texts(event, {person})
    if isinstance(event, DeadLetter) and event.topic != Timer.COLLECTION:
        clean = _unquoted(event, person)
    return record if clean is event else [topic, partition, key, clean.model_dump_json().encode(), known]


def _unquoted(letter: DeadLetter, person: str) -> DeadLetter:
    """A letter without the person's texts; one that cannot be read, and names the person, is cut and not replayed."""
    quoted, headers = base64.b64decode(letter.value), dict(letter.headers)
    value = _quotable(quoted, base64.b64decode(headers.get("ce_type", "")), {person})
    if value is None:
        return letter.model_copy(update={"value": "", "cut": True})
    return letter if value == quoted else letter.model_copy(update={"value": base64.b64encode(value).decode()})


def _quotable(value: bytes, type_: bytes, persons: Collection[str]) -> bytes | None:
    """A record's body without the texts of these persons; None for one that cannot be read, and names one of them."""
    if not any(person.encode() in value for person in persons):
        return value
    try:
        event = EVENTS[type_.decode()].model_validate_json(value)
    except (KeyError, ValueError):
        return None
    clean = without_texts(event, persons)
    return value if clean is event else clean.model_dump_json().encode()


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
    return {**stored, **{name: _blank(stored[name]) for name in texts if stored.get(name)}}


def _blank(value: Any) -> Any:
    """The same shape with nothing in it: an empty text or list; of a record of texts each."""
    match value:
        case str():
            return ""
        case list() | tuple():
            return type(value)()
        case dict():
            return {name: _blank(part) for name, part in value.items()}
        case _:
            return value
