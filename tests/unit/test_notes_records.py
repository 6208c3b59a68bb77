"""Records of authors: what counts for whom, in the lane of the person."""

import pytest

from services.notes.core import Record
from services.notes.handlers import router
from services.notes.handlers.commands import AcceptAnswer, DeleteComment, DeleteNote, PostComment, PostNote, TakeAdvice
from services.notes.settings import Settings
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import NeedEscalated, RecordCounted
from tests.unit.support import World

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", need_steps=(3_600, 7_200))
COUNTS = ("notes", "comments", "advice", "asked", "answered", "questions", "in_time")


@pytest.fixture
def world() -> World:
    """Ann's note n; under it bob's question q and cat's answer a."""
    made = World(router(SETTINGS))
    made.ask(PostNote(person_id="ann", note_id="n", title="t", text="x", topic=None, place=None, intent=None))
    for id_, person, text in (("q", "bob", "请问需要预约吗?"), ("a", "cat", "不用.")):
        made.ask(PostComment(person_id=person, comment_id=id_, note_id="n", text=text, parent_id=None))
    made.settle()
    return made


def record(world: World, person: str) -> dict[str, int]:
    """What stands in a record, without the zeros."""
    world.settle()
    counts = {name: getattr(world.get(Record, person), name) for name in COUNTS}
    return {name: count for name, count in counts.items() if count}


def test_what_is_written_and_asked_is_counted(world: World) -> None:
    """A note and a comment for who wrote them, a question for who asked and for the author of the note."""
    assert record(world, "ann") == {"notes": 1, "questions": 1}
    assert record(world, "bob") == {"comments": 1, "asked": 1}
    assert record(world, "cat") == {"comments": 1}


def test_a_question_under_ones_own_note_is_ones_own(world: World) -> None:
    """It is asked, and not received."""
    world.ask(PostComment(person_id="ann", comment_id="own", note_id="n", text="请问几点?", parent_id=None))
    assert record(world, "ann") == {"notes": 1, "comments": 1, "asked": 1, "questions": 1}


@pytest.mark.parametrize(("seconds", "in_time"), [(7_200, 1), (7_201, 0)])
def test_help_is_counted_for_the_helper(world: World, seconds: int, in_time: int) -> None:
    """An accepted answer, and for the note's author that it came before the last escalation was due."""
    world.wait(seconds=seconds)
    world.ask(AcceptAnswer(person_id="bob", need_id="need-q", comment_id="a"))
    world.ask(TakeAdvice(person_id="ann", comment_id="a"))
    assert record(world, "cat") == {"comments": 1, "answered": 1, "advice": 1}
    assert record(world, "ann") == {"notes": 1, "questions": 1} | ({"in_time": 1} if in_time else {})


def test_what_others_do_not_see_does_not_count(world: World) -> None:
    """Hidden it counts no more, restored it does again, deleted no more; deleted after hidden, once."""
    for sequence, (hidden, wanted) in enumerate([(True, {}), (False, {"comments": 1, "asked": 1}), (True, {})], 1):
        verdict = ContentJudged(
            content_id="q", kind="comment", note_id="n", author_id="bob", hidden=hidden, score=1, reasons=(), rules="1"
        )
        world.hear(verdict, sequence)
        assert record(world, "bob") == wanted
    world.ask(DeleteComment(person_id="bob", comment_id="q", any_comment=False))
    world.ask(DeleteComment(person_id="cat", comment_id="a", any_comment=False))
    world.ask(DeleteNote(person_id="ann", note_id="n", any_note=False))
    assert [record(world, person) for person in ("ann", "bob", "cat")] == [{}, {}, {}]


def test_counts_commute(world: World) -> None:
    """A record is the same in whatever order its counts are heard of."""
    one, other = World(router(SETTINGS)), World(router(SETTINGS))
    told = world.told.of(RecordCounted)
    for number, event in enumerate(told):
        one.hear(event, id_=f"e{number}")
    for number, event in reversed(list(enumerate(told))):
        other.hear(event, id_=f"e{number}")
    assert one.state() == other.state() != {}


def test_the_last_escalation_says_so(world: World) -> None:
    """Each step says its number and when the next one is due; the last one that there is none."""
    world.wait(days=1)
    told = world.told.of(NeedEscalated)
    assert [(event.step, event.last) for event in told] == [(1, False), (2, True)]
    assert (told[0].due_at - told[1].due_at).total_seconds() == 0
