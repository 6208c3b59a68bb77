"""Inputs of a batch: a record, a command or a timer, decoded alone, so that a bad one harms only itself."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from pydantic import ValidationError

from shared.contracts import TOPICS, BadEnvelope, Envelope, Event, partition_of
from shared.contracts.dead import DeadReason
from shared.errors import Rejected

from .documents import Ref, StoredReply, Timer
from .ports import Incoming
from .router import Command, Decode, Handler, Payload, Reply, Router
from .work import Cause


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that somebody waits for. ``key`` names its stored reply, ``digest`` its body."""

    answer: "asyncio.Future[Reply]"
    key: str | None = None
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Death:
    """Why an input cannot be taken; ``fingerprint`` groups the letters of one error, without its text."""

    reason: DeadReason
    fingerprint: str


class Input(msgspec.Struct, frozen=True):
    """One thing to fold. One of ``payload`` and ``death`` is set, or neither: nothing is left to fold of it.

    A struct, as thousands are made a second and each is changed once: a dataclass takes ten times as long for that.
    """

    cause: Cause
    payload: Payload | None = None
    handlers: tuple[Handler, ...] = ()
    death: Death | None = None
    record: Incoming | None = None
    timer: Timer | None = None
    asked: Asked | None = None
    marks: tuple[bytes, ...] = ()
    refs: tuple[Ref, ...] = ()
    """Every document that the handlers declare."""
    again: str = ""
    """In a replay: where its letter stands, so that another letter of it has an id of its own."""
    letter: str = ""
    """In a replay: the id of its letter, which is settled with it."""
    upto: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Position of the lane, by topic, once this input is committed."""
    past: bool = False
    """Whether it was folded before a rebuild."""


def mark(id_: str, handler: str) -> bytes:
    """The 16 bytes by which the inbox knows that a handler has folded an input."""
    return hashlib.blake2b(f"{id_}|{handler}".encode(), digest_size=16).digest()


def of_record(
    record: Incoming, router: Router, now: datetime, lanes: Mapping[str, int], only: str = ""
) -> Input | None:
    """Decode a record; None for a type that nobody here handles, told by its header alone.

    ``lanes`` is the number of partitions by kind of key. ``only`` narrows to one handler (a replay). ``now`` is
    the time of a letter whose own time is unreadable.
    """
    try:
        envelope = Envelope.of(record.headers)
    except BadEnvelope as error:
        place = f"{record.topic}:{record.partition}:{record.offset}"
        fallback = Cause(place, now, place)
        if decode := router.stranger(record.topic):
            return _of_stranger(record, router, decode, fallback, only)
        return Input(fallback, death=Death("envelope", str(error)[:200]), record=record)
    cause = Cause(envelope.id, envelope.time, envelope.correlation, envelope.traceparent, envelope.sequence)
    owner = TOPICS[record.topic].owner if record.topic in TOPICS else ""
    if not envelope.type.startswith(f"lianyi.{owner}."):
        return Input(cause, death=Death("type", "not of the topic's owner"), record=record)
    model = router.event(envelope.type)
    if model is None:
        return None
    if model.TOPIC.name != record.topic:
        return Input(cause, death=Death("type", "on another topic"), record=record)
    try:
        event = model.model_validate_json(record.value or b"")
    except ValidationError as error:
        return Input(cause, death=Death("body", _places(error)), record=record)
    key = event.key
    if record.key != key.encode():
        return Input(cause, death=Death("body", "the record's key is not the event's"), record=record)
    if record.partition != partition_of(key, lanes[model.TOPIC.key]):
        # Another lane than the key's would write the key's documents.
        return Input(cause, death=Death("body", "not the partition of the record's key"), record=record)
    return _for_handlers(record, cause, event, router, only)


def _of_stranger(record: Incoming, router: Router, decode: Decode, fallback: Cause, only: str) -> Input | None:
    """A record without our headers. Its key and partition are the stranger's own and are not looked at."""
    try:
        read = decode(record)
    except Rejected as error:
        return Input(fallback, death=Death("body", error.type), record=record)
    except Exception as error:
        return Input(fallback, death=Death("bug", fingerprint(error)), record=record)
    if read is None:
        return None
    id_ = f"{record.topic}:{read.id}" if read.id else fallback.id
    return _for_handlers(record, Cause(id_, read.at, id_), read.event, router, only)


def _for_handlers(record: Incoming, cause: Cause, event: Event, router: Router, only: str) -> Input:
    handlers = tuple(h for h in router.handlers(type(event)) if not only or h.name == only)
    try:
        refs = _refs(event, handlers)
    except Exception as error:
        return Input(cause, death=Death("bug", fingerprint(error)), record=record)
    marks = tuple(mark(cause.id, h.name) for h in handlers)
    return Input(cause, event, handlers, record=record, marks=marks, refs=refs)


def of_timer(timer: Timer, router: Router) -> Input:
    """Decode a timer that is due; its time is the due time, so that a replay decides alike."""
    cause = Cause(f"{timer.id}@{int(timer.due.timestamp() * 1000)}", timer.due, timer.correlation, timer.traceparent)
    model = router.reminder(timer.type)
    if model is None:
        return Input(cause, death=Death("type", timer.type), timer=timer, refs=((Timer, timer.id),))
    own: Ref = (Timer, timer.id)
    handlers = router.handlers(model)
    try:
        payload = msgspec.convert(timer.payload, model)
        return Input(cause, payload, handlers, timer=timer, refs=(own, *_refs(payload, handlers)))
    except msgspec.ValidationError:
        return Input(cause, death=Death("body", timer.type), timer=timer, refs=(own,))
    except Exception as error:
        return Input(cause, death=Death("bug", fingerprint(error)), timer=timer, refs=(own,))


def of_command(command: Command, cause: Cause, asked: Asked, router: Router) -> Input:
    """Make a command an input. Raises LookupError for a command that nobody handles."""
    handlers = router.handlers(type(command))
    if not handlers:
        raise LookupError(f"nobody handles {type(command).__name__}")
    refs = _refs(command, handlers)
    if asked.key is not None:
        refs = (*refs, (StoredReply, asked.key))
    return Input(cause, command, handlers, asked=asked, refs=refs)


def _refs(payload: Payload, handlers: tuple[Handler, ...]) -> tuple[Ref, ...]:
    return tuple(ref for handler in handlers for ref in handler.reads(payload))


def fingerprint(error: BaseException) -> str:
    """Type of the error and the line that raised it; no message, which may hold a person's text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
    return f"{type(error).__name__}@{where}"


def _places(error: ValidationError) -> str:
    found = {f"{'.'.join(str(p) for p in e['loc'])}:{e['type']}" for e in error.errors(include_input=False)[:5]}
    return ",".join(sorted(found))[:200]


def body_digest(body: Any) -> bytes:
    """What tells one request body from another under the same idempotency key."""
    return hashlib.blake2b(msgspec.json.encode(body, order="sorted"), digest_size=16).digest()
