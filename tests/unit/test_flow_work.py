"""The working set: what a handler does is in memory, declared, repeatable, and can be taken back."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.contracts import partition_of
from shared.contracts.notes import NotePosted
from shared.contracts.topics import NOTE
from shared.flow.documents import Document, Timer
from shared.flow.ports import Delete, Insert, Replace, Upsert
from shared.flow.scope import id_of
from shared.flow.work import MOST_BYTES, Cause, Scope, TooLarge, Undeclared, Work
from tests.suites.toy import CheckNeed, Need, Note, Tally, Verdict, comment, judged

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
SCOPE = Scope("notes", {NOTE.name: 12}, {"note": 12})
CAUSE = Cause("cause", AT, "correlation", "trace", 3)


def work(*loaded: Document, absent: tuple[tuple[type[Document], str], ...] = (), scope: Scope = SCOPE) -> Work:
    documents: dict[tuple[str, str], Document | None] = {(d.COLLECTION, d.id): d for d in loaded}
    documents.update({(kind.COLLECTION, id_): None for kind, id_ in absent})
    made = Work(scope, documents)
    made.begin("handler", CAUSE)
    return made


def test_an_id_is_the_uuid5_of_its_name() -> None:
    """Whoever knows the names can make the ids again by the standard, now and in every later release."""
    space = uuid.UUID("6c69616e-7969-5f66-8c6f-770000000001")
    names = [f"notes/handler/cause-{n}/涟漪/{n}" for n in range(64)]
    assert [id_of(name) for name in names] == [str(uuid.uuid5(space, name)) for name in names]


def note(**fields: Any) -> Note:
    return Note(id="n", author_id="a", title="t", **fields)


def posted(note_id: str = "n") -> NotePosted:
    return NotePosted(note_id=note_id, author_id="a", title="t", text="")


class TestDocuments:
    def test_a_new_document_is_inserted_with_version_one(self) -> None:
        """Absent when loaded: an insert, so that somebody else's is a conflict; what a view follows is stamped."""
        made = work(absent=((Note, "n"),))
        assert made.get(Note, "n") is None
        assert made.put(note()).v == 1
        stored = {"_id": "n", "v": 1, "author_id": "a", "title": "t", "edits": 0, "_lane": "api:0", "_batch": 7}
        assert made.writes("api:0", 7) == [Insert("notes", stored)]

    def test_a_version_counts_the_inputs(self) -> None:
        """Several puts of one input are one step; the next input's is another; the write compares with the first."""
        made = work(note(v=4))
        made.put(note(edits=1))
        assert made.put(note(edits=2)).v == 5
        made.begin("handler", CAUSE)
        assert made.put(note(edits=3)).v == 6
        (write,) = made.writes()
        assert isinstance(write, Replace)
        assert (write.v, write.document["v"], write.document["edits"]) == (4, 6, 3)

    def test_what_changed_is_written_before_what_is_new(self) -> None:
        """Each kind in one run, whatever the order of the inputs: the driver sends a request for every run."""
        made = work(note(v=4), Tally(id="t", v=2), absent=((Tally, "a"), (Tally, "b")))
        for changed in (note(), Tally(id="a"), Tally(id="t"), Tally(id="b")):
            made.put(changed)
        kinds = [(type(write), write.collection) for write in made.writes()]
        assert kinds == [(Replace, "notes"), (Replace, "tallies"), (Insert, "tallies"), (Insert, "tallies")]

    def test_what_was_not_declared_is_a_bug(self) -> None:
        """Neither read nor written: the batch has not loaded it."""
        made = work(note())
        with pytest.raises(Undeclared):
            made.get(Note, "other")
        with pytest.raises(Undeclared):
            made.put(Tally(id="n"))
        with pytest.raises(Undeclared):
            made.view(dict)

    def test_what_is_read_only_is_not_written(self) -> None:
        """A document that no handler changed costs no write."""
        made = work(note())
        made.get(Note, "n")
        assert made.writes() == []
        assert made.changed() == {}

    def test_a_failed_handler_takes_back_its_own_and_nothing_else(self) -> None:
        """Documents, timers, events and their bytes stand as before the handler, also where it changed them twice."""
        made = work(note(v=1), absent=((Tally, "n"),))
        made.put(note(edits=1))
        made.emit(posted())
        made.remind("t", AT, CheckNeed(need_id="1"), ("note", "n"))
        before = (made.writes(), list(made.records), made.bytes)
        made.begin("other", CAUSE)
        made.put(note(edits=2))
        made.put(note(edits=3))
        made.put(Tally(id="n"))
        made.emit(posted())
        made.remind("t", AT, CheckNeed(need_id="2"), ("note", "n"))
        made.remind("new", AT, CheckNeed(need_id="2"), ("note", "n"))
        made.cancel("t")
        made.rollback()
        assert (made.writes(), made.records, made.bytes) == before


class TestEvents:
    def test_ids_come_from_the_cause(self) -> None:
        """The same service, handler, cause and index make the same ids; any other makes others."""

        def ids(service: str = "notes", handler: str = "h", cause: str = "c") -> list[str]:
            made = work(scope=Scope(service, {NOTE.name: 12}, {"note": 12}))
            made.begin(handler, Cause(cause, AT, ""))
            return [made.new_id(), made.new_id()]

        assert ids() == ids()
        several = [*ids(), *ids("groups"), *ids(handler="i"), *ids(cause="d")]
        assert len(set(several)) == 8

    def test_an_event_carries_its_chain(self) -> None:
        """Time, correlation, cause and trace are the input's; subject and sequence the document's."""
        made = work(note(v=6))
        made.emit(posted(), of=made.put(note()))
        (record,) = made.records
        e = record.envelope
        assert (e.time, e.correlation, e.causation, e.traceparent) == (AT, "correlation", "cause", "trace")
        assert (e.subject, e.sequence, e.source, e.type) == ("n", 7, "/lianyi/notes", posted().TYPE)
        assert (record.topic, record.key, record.partition) == (NOTE.name, "n", partition_of("n", 12))
        assert NotePosted.model_validate_json(record.value) == posted()

    def test_a_state_event_wears_its_version(self) -> None:
        """New content never wears an old id: the same cause over another version makes another id."""
        scope = Scope("moderation", {judged(Verdict(id="c", note_id="n", hidden=True)).TOPIC.name: 12}, {"note": 12})

        def id_(v: int) -> str:
            verdict = Verdict(id="c", v=v, note_id="n", hidden=True)
            made = work(verdict, scope=scope)
            made.emit(judged(verdict), of=made.put(verdict))
            return made.records[0].envelope.id

        assert id_(1) == id_(1)
        assert id_(1) != id_(2)

    def test_a_state_event_needs_its_document(self) -> None:
        """Without one it would have no sequence."""
        verdict = Verdict(id="c", note_id="n", hidden=True)
        made = work(scope=Scope("moderation", {judged(verdict).TOPIC.name: 12}, {}))
        with pytest.raises(Undeclared, match="needs its document"):
            made.emit(judged(verdict))

    def test_topics_of_others_are_refused(self) -> None:
        """A service writes on its own topics only."""
        with pytest.raises(Undeclared):
            work(scope=Scope("groups", {NOTE.name: 12}, {})).emit(posted())
        with pytest.raises(Undeclared):
            work(scope=Scope("notes", {}, {})).emit(posted())

    def test_sizes_are_checked_in_the_fold(self) -> None:
        """One event, or all of one input, larger than what the topic or the outbox takes."""
        with pytest.raises(TooLarge):
            work(scope=Scope("notes", {NOTE.name: 12}, {}, max_event=50)).emit(posted())
        made = work()
        large = comment("n", "c", "x" * 20_000)
        while made.bytes + 20_600 < MOST_BYTES:
            made.emit(large)
        with pytest.raises(TooLarge):
            made.emit(large)
        made.rollback()
        assert (made.records, made.bytes) == ([], 0)


class TestTimers:
    def test_a_timer_stands_in_the_lane_of_what_it_concerns(self) -> None:
        """Its partition is that of the key; it is stored with its chain."""
        made = work()
        made.remind("name", AT + timedelta(hours=1), CheckNeed(need_id="x"), ("note", "n"))
        (write,) = made.writes()
        assert isinstance(write, Upsert)
        assert write.collection == Timer.COLLECTION
        assert write.document["lane"] == f"note:{partition_of('n', 12)}"
        assert write.document["payload"] == {"need_id": "x"}
        assert (write.document["type"], write.document["correlation"]) == ("CheckNeed", "correlation")

    def test_the_last_word_on_a_name_counts(self) -> None:
        """Set, moved and taken back in one batch: one write."""
        made = work()
        made.remind("name", AT, CheckNeed(need_id="x"), ("note", "n"))
        made.cancel("name")
        assert made.writes() == [Delete(Timer.COLLECTION, {"_id": "name"})]

    def test_a_fired_timer_is_used_up_before_it_is_set_anew(self) -> None:
        """The delete that must find it comes first, then what its handler asked for."""
        timer = Timer(id="name", v=1, lane="note:0", due=AT, type="CheckNeed", payload={}, correlation="")
        made = work(timer)
        assert made.untouched(timer)
        made.remind("name", AT + timedelta(hours=1), CheckNeed(need_id="x"), ("note", "n"))
        made.fire(timer)
        first, second = made.writes()
        assert first == Delete(Timer.COLLECTION, {"_id": "name", "due": AT}, must=True)
        assert isinstance(second, Upsert)
        assert not made.untouched(timer)
        assert made.size() == 2

    def test_a_timer_that_was_moved_is_not_that_timer(self) -> None:
        """Gone, moved, cancelled or set anew in the same batch: it does not fire."""
        timer = Timer(id="name", v=1, lane="note:0", due=AT, type="CheckNeed", payload={}, correlation="")
        assert not work(absent=((Timer, "name"),)).untouched(timer)
        moved = msgspec.structs.replace(timer, v=2, due=AT + timedelta(1))
        assert not work(moved).untouched(timer)
        cancelled = work(timer)
        cancelled.cancel("name")
        assert not cancelled.untouched(timer)


def test_need_is_of_the_toys() -> None:
    """Times in documents survive as they are."""
    need = Need(id="c", note_id="n", asker_id="a", due=AT)
    made = work(absent=((Need, "c"),))
    made.put(need)
    (write,) = made.writes()
    assert isinstance(write, Insert)
    assert write.document["due"] == AT
