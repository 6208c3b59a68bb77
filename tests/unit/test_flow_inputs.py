"""Inputs: decoded alone, told apart by their headers, and kept as letters when they cannot be taken."""

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from shared.contracts import Envelope
from shared.contracts.dead import NotesDeadLetter
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE, NOTE_VERDICT, NOTES_DEAD
from shared.flow.documents import Timer
from shared.flow.inputs import (
    Asked,
    Death,
    Input,
    body_digest,
    fingerprint,
    mark,
    of_command,
    of_record,
    of_timer,
)
from shared.flow.letters import letter, of_letter
from shared.flow.ports import Incoming
from shared.flow.router import Router
from shared.flow.work import Cause, Work
from tests.suites.toy import EditNote, Note, PostNote, Tally, Toy, comment, notes

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
NOW = datetime(2026, 5, 5, 8, tzinfo=UTC)
ROUTER = notes(Toy())
LANES = {"note": 9}
EVENT = comment("n", "c")
ENVELOPE = Envelope("id", EVENT.TYPE, EVENT.source, AT, "c", 7, "correlation", "causation")


def record(**changes: Any) -> Incoming:
    value = EVENT.model_dump_json().encode()
    made = Incoming(NOTE.name, 3, 9, b"n", value, tuple(ENVELOPE.headers()))
    return replace(made, **changes)


def headers(**changes: bytes) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, changes.get(name, value)) for name, value in ENVELOPE.headers())


def decoded(made: Incoming, router: Router = ROUTER) -> Input:
    found = of_record(made, router, NOW, LANES)
    assert found is not None
    return found


def test_a_record_becomes_an_event_for_its_handlers() -> None:
    """Cause from the envelope, a mark and the declared documents for each handler."""
    found = decoded(record())
    assert found.payload == EVENT
    assert found.cause == Cause("id", AT, "correlation", "", 7)
    assert [h.name for h in found.handlers] == ["count_comment", "remember_comment"]
    assert found.marks == (mark("id", "count_comment"), mark("id", "remember_comment"))
    assert {(kind.COLLECTION, id_) for kind, id_ in found.refs} == {
        ("tallies", "n"),
        ("needs", "c"),
        ("remembered", "c"),
    }
    assert found.death is None


def test_a_type_that_nobody_handles_is_told_by_its_header() -> None:
    """The body is not looked at."""
    assert of_record(record(value=b"\xff", headers=headers(ce_type=b"lianyi.notes.new.v1")), ROUTER, NOW, LANES) is None


@pytest.mark.parametrize(
    ("made", "reason", "fingerprint"),
    [
        (record(headers=()), "envelope", "ce_specversion is missing"),
        (record(headers=headers(ce_time=b"yesterday")), "envelope", "ce_time"),
        (record(headers=headers(ce_type=b"lianyi.groups.x.v1")), "type", "not of the topic's owner"),
        (record(topic="stranger"), "type", "not of the topic's owner"),
        (record(topic=NOTES_DEAD.name), "type", "on another topic"),
        (record(topic=NOTE_VERDICT.name), "type", "not of the topic's owner"),
        (record(value=b"{"), "body", ":json_invalid"),
        (record(value=None), "body", ":json_invalid"),
        (record(value=b'{"comment_id": 1}'), "body", None),
        (record(key=b"other"), "body", "the record's key is not the event's"),
        (record(key=None), "body", "the record's key is not the event's"),
        (record(partition=4), "body", "not the partition of the record's key"),
    ],
)
def test_what_cannot_be_taken_dies_with_its_reason(made: Incoming, reason: str, fingerprint: str | None) -> None:
    """No exception, no handler, and a fingerprint without the content."""
    found = decoded(made)
    assert found.death is not None
    assert found.death.reason == reason
    assert fingerprint is None or found.death.fingerprint == fingerprint
    assert found.handlers == ()
    assert "comment_id" not in found.death.fingerprint or "int" not in found.death.fingerprint


def test_a_letter_without_a_readable_time_has_the_readers() -> None:
    """Its cause is its place, which does not change when it is read again."""
    found = decoded(record(headers=()))
    assert found.cause == Cause(f"{NOTE.name}:3:9", NOW, f"{NOTE.name}:3:9")


def test_a_bug_in_reads_dies_alone() -> None:
    """What a handler declares is its code, too."""

    def broken(event: CommentPosted, work: Work) -> None: ...

    router = Router("notes")
    router.on(CommentPosted, broken, lambda e: [(Tally, str(1 // len(e.text[:0])))])
    found = decoded(record(), router)
    assert found.death is not None
    assert found.death.reason == "bug"
    assert found.death.fingerprint.startswith("ZeroDivisionError@")


class TestLetters:
    def death(self, made: Incoming, handler: str = "") -> NotesDeadLetter:
        found = letter("notes", decoded(made), handler, Death("bug", "x" * 900))
        assert isinstance(found, NotesDeadLetter)
        return NotesDeadLetter.model_validate_json(found.model_dump_json())

    def as_record(self, dead: NotesDeadLetter) -> Incoming:
        return Incoming(NOTES_DEAD.name, 0, 0, b"", dead.model_dump_json().encode(), ())

    def test_a_letter_holds_the_record(self) -> None:
        """Whatever the bytes were, they come back, and only the failed handler is run."""
        dead = self.death(record(), "count_comment")
        assert (dead.topic, dead.partition, dead.offset, dead.cut) == (NOTE.name, 3, 9, False)
        back = of_letter(self.as_record(dead), ROUTER, NOW, LANES)
        assert back is not None
        assert back.record == record()
        assert [h.name for h in back.handlers] == ["count_comment"]
        assert back.marks == (mark("id", "count_comment"),)

    def test_a_letter_from_before_any_handler_is_for_all(self) -> None:
        """A body that could not be read is for every handler once it can be."""
        back = of_letter(self.as_record(self.death(record())), ROUTER, NOW, LANES)
        assert back is not None
        assert len(back.handlers) == 2

    @pytest.mark.parametrize(
        "made",
        [
            record(value=b"x" * 70_000),
            record(key=b"k" * 2_000),
            record(headers=(*headers(), ("x", b"y" * 2_000))),
            record(headers=(*headers(), ("x" * 300, b"y"))),
            record(headers=(*headers(), *((f"h{n}", b"") for n in range(40)))),
        ],
        ids=["value", "key", "header", "name", "headers"],
    )
    def test_a_cut_letter_says_so_and_is_not_replayed(self, made: Incoming) -> None:
        """It stays small, and nobody folds half an event."""
        dead = self.death(made, "count_comment")
        assert dead.cut
        assert len(dead.model_dump_json()) < 150_000
        assert of_letter(self.as_record(dead), ROUTER, NOW, LANES) is None

    def test_nothing_is_replayed_where_nothing_can_be(self) -> None:
        """A handler that is gone, a type that nobody handles, a record that is no letter."""
        assert of_letter(self.as_record(self.death(record(), "gone")), ROUTER, NOW, LANES) is None
        assert of_letter(self.as_record(self.death(record(), "count_comment")), Router("notes"), NOW, LANES) is None
        assert of_letter(Incoming(NOTES_DEAD.name, 0, 0, b"", b"{}", ()), ROUTER, NOW, LANES) is None

    def test_a_timers_letter_is_its_timer(self) -> None:
        """The timer is gone when the letter is written; the replay runs its handler, with a mark."""
        payload = {"need_id": "c"}
        timer = Timer(id="t", v=1, lane="note:0", due=AT, type="CheckNeed", payload=payload, correlation="x")
        dead = letter("notes", of_timer(timer, ROUTER), "check_need", Death("bug", "f"))
        assert msgspec.json.decode(base64.b64decode(dead.value), type=Timer) == timer
        assert isinstance(dead, NotesDeadLetter)
        back = of_letter(self.as_record(dead), ROUTER, NOW, LANES)
        assert back is not None
        assert back.timer is None
        assert [h.name for h in back.handlers] == ["check_need"]
        assert len(back.marks) == 1
        assert letter("notes", back, "check_need", Death("bug", "f")) == dead


def test_a_command_declares_its_reply() -> None:
    """With a key the stored reply is loaded with the rest; without one, not; a stranger is refused."""
    cause = Cause("cmd", AT, "c")
    command = EditNote(person_id="p", note_id="n")
    with_key = of_command(command, cause, Asked(None, "key", b""), ROUTER)  # type: ignore[arg-type]
    assert [(kind.COLLECTION, id_) for kind, id_ in with_key.refs] == [("notes", "n"), ("replies", "key")]
    without = of_command(command, cause, Asked(None), ROUTER)  # type: ignore[arg-type]
    assert without.refs == ((Note, "n"),)
    with pytest.raises(LookupError):
        of_command(PostNote(person_id="p", note_id="n", title=""), cause, Asked(None), Router("notes"))  # type: ignore[arg-type]


def test_a_fingerprint_has_no_text_of_a_person() -> None:
    """Type and line only: what a message holds may be a secret."""
    with pytest.raises(ValueError, match="a secret") as caught:
        int("a secret")
    assert fingerprint(caught.value).startswith("ValueError@test_a_fingerprint_has_no_text_of_a_person:")


def test_a_digest_does_not_mind_the_order_of_fields() -> None:
    """Equal bodies are equal however they were written; others differ."""
    assert body_digest({"a": 1, "b": [1]}) == body_digest({"b": [1], "a": 1})
    assert body_digest({"a": 1}) != body_digest({"a": "1"})


def test_marks_tell_handlers_apart() -> None:
    """Sixteen bytes for each pair of input and handler."""
    assert len({mark("a", "x"), mark("a", "y"), mark("b", "x")}) == 3
    assert len(mark("a", "x")) == 16
