"""What a lane remembers of its own decisions until they come back."""

from datetime import UTC, datetime

import pytest

from shared.contracts import Envelope
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE_VERDICT
from shared.flow import echo
from shared.flow.echo import Echo
from shared.flow.ports import Incoming, Record
from tests.suites.toy import Toy, moderation

AT = datetime(2026, 5, 4, tzinfo=UTC)
PARTITION = 3


def told(id_: str, type_: str = ContentJudged.TYPE, partition: int = PARTITION) -> Record:
    envelope = Envelope(id_, type_, "moderation", AT, "c", 1, "correlation", "causation")
    return Record(NOTE_VERDICT.name, partition, "n", b"{}", envelope)


def back(record: Record) -> Incoming:
    return Incoming(record.topic, record.partition, 0, b"n", record.value, tuple(record.envelope.headers()))


def made() -> Echo:
    return Echo(moderation(Toy()), PARTITION)


def test_a_decision_is_heard_once() -> None:
    """A double of it is another's, as are decisions of other lanes and what is no decision."""
    one, others = made(), [told("b", partition=4), told("c", CommentPosted.TYPE)]
    one.told([told("a"), *others])
    assert [one.heard(back(record)) for record in (told("a"), told("a"), *others)] == [True, False, False, False]


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more decisions than are remembered the newest stay, whatever came back between."""
    monkeypatch.setattr(echo, "MOST", 3)
    one, records = made(), [told(f"{n}") for n in range(6)]
    one.told(records[:3])
    assert one.heard(back(records[1]))
    one.told(records[3:])
    assert [one.heard(back(record)) for record in records] == [False, False, False, True, True, True]
