"""Dead letters: what an input that died becomes, and how a replay makes it an input again."""

import base64
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace
from pydantic import ValidationError

from shared.contracts.dead import DEAD_LETTERS, DeadLetter

from .documents import Timer
from .inputs import Death, Input, mark, of_record, of_timer
from .ports import Incoming
from .router import Router

KEPT_BYTES = 65_536
"""How much of a record a dead letter keeps."""


def letter_id(input_: Input, handler: str) -> str:
    """The id of an input's letter: the place of its record, or its timer, and the handler that failed, if any."""
    raw = input_.record
    timed = raw is None or raw.topic == Timer.COLLECTION
    place = input_.cause.id if timed or raw is None else f"{raw.topic}:{raw.partition}:{raw.offset}"
    return f"{place}:{handler}"[:250]


def letter(service: str, input_: Input, handler: str, death: Death) -> DeadLetter:
    """The dead letter of an input; a timer's holds its payload as JSON under the topic ``timers``."""
    raw = input_.record if input_.timer is None else _as_record(input_.timer)
    assert raw is not None
    value, headers, key = raw.value or b"", raw.headers, raw.key or b""
    kept = [(name[:200], _base64(content[:1024])) for name, content in headers[:32]]
    return DEAD_LETTERS[service](
        letter_id=letter_id(input_, handler),
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        handler=handler,
        reason=death.reason,
        fingerprint=death.fingerprint[:200],
        record_key=_base64(key[:1024]),
        value=_base64(value[:KEPT_BYTES]),
        headers=tuple(kept),
        cut=len(value) > KEPT_BYTES
        or len(key) > 1024
        or len(headers) > len(kept)
        or any(len(name) > 200 or len(content) > 1024 for name, content in headers),
    )


def _as_record(timer: Timer) -> Incoming:
    return Incoming(Timer.COLLECTION, 0, 0, timer.id.encode(), msgspec.json.encode(timer), ())


def of_letter(record: Incoming, router: Router, now: datetime, lanes: Mapping[str, int]) -> Input | None:
    """Decode a dead letter for its replay: the input that died, for the handler that failed.

    None where there is nothing to replay: no letter of ours, a cut one, or a handler that is gone.
    """
    try:
        dead = DEAD_LETTERS[router.service].model_validate_json(record.value or b"")
    except ValidationError:
        return None
    if dead.cut:
        return None
    place = f"@{record.partition}:{record.offset}"
    if dead.topic == Timer.COLLECTION:
        timer = msgspec.json.decode(base64.b64decode(dead.value), type=Timer)
        return replace(_of_timers_letter(timer, router), again=place, letter=dead.letter_id)
    raw = Incoming(
        dead.topic,
        dead.partition,
        dead.offset,
        base64.b64decode(dead.record_key),
        base64.b64decode(dead.value),
        tuple((name, base64.b64decode(content)) for name, content in dead.headers),
    )
    made = of_record(raw, router, now, lanes, dead.handler)
    if made is None or not (made.handlers or made.death):
        return None
    return replace(made, again=place, letter=dead.letter_id)


def _of_timers_letter(timer: Timer, router: Router) -> Input:
    """Its timer document is gone since the letter was written: only the handler is to be run, once."""
    made = of_timer(timer, router)
    marks = tuple(mark(made.cause.id, handler.name) for handler in made.handlers)
    refs = tuple(ref for ref in made.refs if ref != (Timer, timer.id))
    return replace(made, timer=None, record=_as_record(timer), marks=marks, refs=refs)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
