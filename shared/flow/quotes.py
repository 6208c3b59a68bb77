"""Whose words stand in an event, in a dead letter, in a record that nobody can read; and the same without them."""

import base64
from collections.abc import Collection, Iterator
from typing import Any

from msgspec.structs import replace

from shared.contracts import EVENTS, Event
from shared.contracts.dead import DeadLetter

from .documents import Timer
from .ports import Letter


def without_texts(event: Event, persons: Collection[str]) -> Event:
    """The event without the texts of these persons; the same object if it has none."""
    texts = {name for who, names in event.TEXTS.items() if getattr(event, who) in persons for name in names}
    made = {name: blank(getattr(event, name)) for name in texts if getattr(event, name)}
    return event.model_copy(update=made) if made else event


def quotable(value: bytes, type_: bytes, persons: Collection[str]) -> bytes | None:
    """A record's body without the texts of these persons; None for one that cannot be read, and names one of them."""
    try:
        event = EVENTS[type_.decode()].model_validate_json(value)
    except (KeyError, ValueError):
        return None if any(person.encode() in value for person in persons) else value
    clean = without_texts(event, persons)
    return value if clean is event else clean.model_dump_json().encode()


def unquoted(letter: DeadLetter, persons: Collection[str]) -> DeadLetter:
    """A letter without the texts of these persons; one of what cannot be read, and names one of them, is cut and not
    replayed. The same object if there is nothing to take away.

    Two kinds stay as they are. A timer's letter has nobody's text, but in recommend it may hold what a model took from
    one note, terms and counts, and does not name the author. What cannot be read and was cut, of a stranger's record,
    may hold words and no id.
    """
    if letter.topic == Timer.COLLECTION:
        return letter
    quoted, headers = base64.b64decode(letter.value), dict(letter.headers)
    value = quotable(quoted, base64.b64decode(headers.get("ce_type", "")), persons)
    if value is None:
        return letter.model_copy(update={"value": "", "cut": True})
    return letter if value == quoted else letter.model_copy(update={"value": base64.b64encode(value).decode()})


def retold(record: Letter, persons: Collection[str]) -> Letter:
    """A record of a dead topic without the texts of these persons, the same object if it has none. What is no letter
    that this release knows, and names one of them, comes without its body: nobody can tell what it quotes."""
    value = record.value or b""
    try:
        letter = EVENTS[dict(record.headers).get("ce_type", b"").decode()].model_validate_json(value)
        if not isinstance(letter, DeadLetter):
            raise ValueError
        clean = unquoted(letter, persons)
    except (KeyError, ValueError):
        named = any(spelled in value for person in persons for spelled in _spellings(person))
        return replace(record, value=b"") if named else record
    return record if clean is letter else replace(record, value=clean.model_dump_json().encode())


def blank(value: Any) -> Any:
    """The same shape with nothing in it: an empty text or list; of a record of texts each."""
    match value:
        case str():
            return ""
        case list() | tuple():
            return type(value)()
        case dict():
            return {name: blank(part) for name, part in value.items()}
        case _:
            return value


def _spellings(person: str) -> Iterator[bytes]:
    """An id as it stands in a text, and as it stands in the middle of something in base64."""
    yield person.encode()
    for before in range(3):
        raw = bytes(before) + person.encode()
        yield base64.b64encode(raw)[-(-before * 8 // 6) : len(raw) * 8 // 6]
