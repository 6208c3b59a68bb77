"""The fold: in order, each input alone, doubles dropped, cut where the batch is full."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from shared.contracts import Envelope, partition_of
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE, NOTES_DEAD
from shared.flow import control
from shared.flow.control import Batch
from shared.flow.documents import Document, from_mongo
from shared.flow.fold import Folded, Limits, fold
from shared.flow.inputs import Input, of_record
from shared.flow.ports import Fence, Incoming, Insert, Record
from shared.flow.router import Router
from shared.flow.work import Scope, Work
from tests.suites.toy import Tally, Toy, comment, notes

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
ROUTER = notes(Toy())
SCOPE = Scope("notes", {NOTE.name: 12, NOTES_DEAD.name: 12}, {"note": 12})


def inputs(*made: tuple[str, str], router: Router = ROUTER) -> list[Input]:
    found = []
    for n, (id_, text) in enumerate(made):
        event = comment("n", id_, text)
        envelope = Envelope(id_, event.TYPE, event.source, AT, id_, 0, "c", "c")
        value = event.model_dump_json().encode()
        record = Incoming(NOTE.name, partition_of("n", 12), n, b"n", value, tuple(envelope.headers()))
        input_ = of_record(record, router, AT, SCOPE.lanes)
        assert input_ is not None
        found.append(input_)
    return found


def folded(given: list[Input], seen: tuple[bytes, ...] = (), limits: Limits | None = None) -> Folded:
    loaded: dict[tuple[str, str], Document | None] = {
        (kind.COLLECTION, id_): None for input_ in given for kind, id_ in input_.refs
    }
    return fold("notes", Work(SCOPE, loaded), given, seen, limits or Limits())


def count(made: Folded) -> int:
    tally = made.work.get(Tally, "n")
    return tally.comments if tally else 0


def test_doubles_inside_a_batch_are_dropped() -> None:
    """What the batch itself has folded is not folded again."""
    made = folded(inputs(("a", "t"), ("b", "t"), ("a", "t")))
    assert count(made) == 2
    assert len(made.marks) == 4
    assert [o for _, o, _ in made.outcomes] == ["done"] * 4 + ["double"] * 2


class Sum(Document, frozen=True, kw_only=True):
    """A tally that counts when it is closed."""

    COLLECTION = "sums"

    heard: tuple[str, ...] = ()
    total: int = 0

    def closed(self) -> "Sum":
        return msgspec.structs.replace(self, heard=(), total=self.total + sum(map(len, self.heard)))


def hear(event: CommentPosted, work: Work) -> None:
    """Put off what a comment adds."""
    before = work.get(Sum, event.note_id) or Sum(id=event.note_id)
    work.put(msgspec.structs.replace(before, heard=(*before.heard, event.text)))
    if event.text == "bad":
        raise ValueError


def test_what_was_put_off_is_done_once_all_is_folded() -> None:
    """A document is stored closed, once, without what the inputs said that have died."""
    router = Router("notes")
    router.on(CommentPosted, hear, lambda e: [(Sum, e.note_id)])
    made = folded(inputs(("a", "ab"), ("b", "bad"), ("c", "c"), router=router))
    found = made.work.get(Sum, "n")
    assert found == Sum(id="n", v=2, total=3)
    assert made.work.changed() == {("sums", "n"): found}
    (write,) = made.work.writes()
    assert isinstance(write, Insert)
    assert from_mongo(Sum, write.document) == found


def test_a_batch_is_looked_at_ahead_once() -> None:
    """What costs less for many at once is asked once a batch, with all that will be folded, and before any of it."""
    router, order = Router("notes"), list[object]()

    def ahead(events: Sequence[CommentPosted], work: Work) -> None:
        order.append([event.comment_id for event in events])

    router.on(CommentPosted, lambda e, _: order.append(e.comment_id), lambda _: (), name="told", ahead=ahead)
    folded(inputs(("a", "t"), ("b", "t"), router=router))
    assert order == [["a", "b"], "a", "b"]


def test_a_look_ahead_that_fails_harms_nobody() -> None:
    """It is a saving: one bad text must not take its neighbours with it."""
    router = Router("notes")

    def ahead(events: Sequence[CommentPosted], work: Work) -> None:
        raise RuntimeError("a bug")

    router.on(CommentPosted, lambda e, w: None, lambda _: (), name="told", ahead=ahead)
    made = folded(inputs(("a", "t"), ("b", "t"), router=router))
    assert [outcome for _, outcome, _ in made.outcomes] == ["done", "done"]


def test_marks_are_of_a_handler() -> None:
    """An input that one handler has folded is still for the other."""
    given = inputs(("a", "t"))
    made = folded(given, (given[0].marks[1],))
    assert count(made) == 1
    assert made.marks == [given[0].marks[0]]


def test_a_failed_handler_leaves_no_mark() -> None:
    """Its letter goes out, its neighbours are folded, and nothing tells the inbox that it was done."""
    given = inputs(("a", "t"), ("b", "bug"), ("c", "t"))
    made = folded(given)
    assert count(made) == 2
    assert given[1].marks[0] not in made.marks
    assert given[1].marks[1] in made.marks
    assert [r.topic for r in made.work.records] == [NOTES_DEAD.name]


@pytest.mark.parametrize(("writes", "taken"), [(1, 1), (3, 2), (1_000, 5)])
def test_a_batch_is_cut_where_its_writes_are_enough(writes: int, taken: int) -> None:
    """The first input is always taken; the input that reaches the limit is the last."""
    given = inputs(*((f"c{n}", "t") for n in range(5)))
    assert folded(given, limits=Limits(writes=writes)).taken == taken


def test_a_batch_is_cut_where_its_events_are_enough() -> None:
    """Bytes of the outbox, not only writes."""
    given = inputs(*((f"c{n}", "why?") for n in range(5)))
    assert folded(given, limits=Limits(outbox=1_000)).taken == 3


def test_the_same_inputs_make_the_same_changes() -> None:
    """A fold again is a fold the same: writes, events, marks."""
    given = inputs(("a", "why?"), ("b", "bug"), ("c", "t"))
    first, second = folded(given), folded(given)
    assert first.work.writes() == second.work.writes()
    assert first.work.records == second.work.records
    assert first.marks == second.marks


def test_an_outbox_comes_back_as_it_was_stored() -> None:
    """What a successor sends is what the former owner would have sent."""

    class Session:
        id = b"s"

        async def close(self) -> None: ...

    envelope = Envelope("i", "lianyi.notes.x.v1", "/lianyi/notes", AT, "s", 5, "c", "d", "trace")
    batch = Batch(8, (Record("t", 2, "k", b"\0v", envelope),), 302)
    own = control.Ownership("note:0", 3, Session())
    fence = control.advance(own, 7, {"b": 2, "a": 1}, [batch], None)
    assert isinstance(fence, Fence)
    assert fence.where == {"_id": "note:0", "epoch": 3, "session": b"s", "batch": 7}
    back = control.read_control("note:0", {"_id": "note:0", "epoch": 3, **fence.change["$set"]})
    assert back.outbox == (batch,)
    assert (back.batch, back.next, back.held, back.skip) == (8, {"a": 1, "b": 2}, "", False)
    assert control.read_control("note:1", None) == control.Control("note:1")
