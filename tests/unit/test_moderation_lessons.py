"""The text model at work: staff teach it in one lane, all lanes judge by it, and every verdict names its version."""

import asyncio

from services.moderation.core import COUNTER, Bar, Content, ModelState, blank, model_of, state_id, state_of
from services.moderation.core.bar import LEAST, SURE
from services.moderation.handlers import DecideContent
from services.moderation.view import BarView, ModelView
from shared.contracts.moderation import ContentJudged, ContentLabelled, ContentWatched
from shared.contracts.notes import CommentDeleted, CommentEdited, CommentPosted
from shared.flow.documents import to_mongo
from shared.flow.ports import Insert
from tests.fakes.database import FakeDatabase, Server
from tests.unit.judging import SPAM, ham, service, spam, taught
from tests.unit.support import World

TAUGHT = taught()


def comment(text: str, id_: str) -> CommentPosted:
    return CommentPosted(comment_id=id_, note_id="n", author_id="bob", note_author_id="ann", text=text)


def decide(world: World, id_: str, *, hide: bool) -> None:
    world.ask(DecideContent(person_id="s", content_id=id_, hide=hide, note="看过", revision=0))
    world.settle()


def state(world: World) -> ModelState:
    (found,) = [d for d in world.documents.values() if isinstance(d, ModelState)]
    return found


def test_what_staff_decide_is_learned() -> None:
    """Hidden is spam, restored is none; the next verdict names the model that has learned it."""
    world = service()
    for n in range(3):
        world.hear(comment(spam(n), f"s{n}"))
        world.hear(comment(ham(n), f"h{n}"))
        decide(world, f"s{n}", hide=True)
        decide(world, f"h{n}", hide=False)
    assert (state(world).spam, state(world).ham) == (3, 3)
    world.hear(comment(ham(9), "last"))
    version = model_of(state(world)).version
    assert world.told.of(ContentJudged)[-1].model == f"{version}.b0"
    assert world.get(Content, "last").model == f"{version}.b0"


def test_no_text_travels_to_the_model() -> None:
    """The lesson is an id; the text is read from the copy that moderation has."""
    world = service()
    world.hear(comment(SPAM, "c"))
    decide(world, "c", hide=True)
    (lesson,) = world.told.of(ContentLabelled)
    assert (lesson.key, lesson.content_id, lesson.revision, lesson.spam) == (COUNTER, "c", 0, True)
    assert not any(SPAM[:4].encode() in record.value for record in world.records)


def test_what_is_no_longer_what_staff_read_is_not_learned() -> None:
    """Edited, deleted or unknown when the lesson arrives: nothing is made of it."""
    world = service()
    for id_ in ("edited", "deleted"):
        world.hear(comment(SPAM, id_))
    world.hear(
        CommentEdited(comment_id="edited", note_id="n", author_id="bob", note_author_id="ann", text="好", revision=1)
    )
    world.hear(CommentDeleted(comment_id="deleted", note_id="n", author_id="bob", by_id="bob", revision=0))
    for id_ in ("edited", "deleted", "unknown"):
        lesson = ContentLabelled(counter_id=COUNTER, content_id=id_, revision=0, spam=True)
        assert world.hear(lesson) == "gone"
    assert not [d for d in world.documents.values() if isinstance(d, ModelState)]


def test_a_lesson_counts_once() -> None:
    """A double on the wire is not learned again, and the model of one label alone is not made."""
    world = service()
    for n in range(60):
        world.hear(comment(spam(n), f"c{n}"))
    lessons = [ContentLabelled(counter_id=COUNTER, content_id=f"c{n}", revision=0, spam=True) for n in range(60)]
    outcomes = [world.hear(lesson, id_=lesson.content_id) for lesson in lessons for _ in range(2)]
    assert [outcomes.count(end) for end in ("done", "one-sided", "double")] == [20, 40, 60]
    assert state(world).spam == 20


def test_a_model_to_begin_with_judges_at_once_and_learns_on() -> None:
    """It hides nothing before it has watched enough of the community; then what it is sure of, and shows where."""
    world = service(TAUGHT)
    world.hear(comment(spam(900), "early"))
    assert not world.get(Content, "early").hidden
    number = 0
    while len(world.told.of(ContentWatched)) < LEAST:
        world.hear(comment(ham(number), f"c{number}"))
        number += 1
    world.settle()
    assert number > 2 * LEAST
    world.hear(comment(spam(901), "late"))
    late = world.get(Content, "late")
    assert late.hidden
    assert {reason.rule for reason in late.reasons} == {"model"}
    assert late.model == f"{TAUGHT.version}.b{LEAST}"
    decide(world, "late", hide=False)
    assert (state(world).id, state(world).ham) == (state_id(TAUGHT), TAUGHT.ham + 1)


def test_what_lies_above_the_bar_is_counted_apart() -> None:
    """A watched text that the model alone would hide has an outcome of its own, which the metrics count."""
    world = service(TAUGHT)
    watched = [ContentWatched(counter_id=COUNTER, content_id=f"c{n}", chance=0.1) for n in range(LEAST)]
    assert {world.hear(event) for event in watched} == {"done"}
    at = ContentWatched(counter_id=COUNTER, content_id="at", chance=SURE)
    assert world.hear(at) == "done"
    assert world.hear(at.model_copy(update={"content_id": "over", "chance": SURE + 0.01})) == "above"


def test_spam_that_staff_have_found_does_not_raise_the_bar() -> None:
    """What was watched of it says nothing of honest texts; of what they restored it does."""
    world = service(TAUGHT)
    for n in range(LEAST):
        world.hear(ContentWatched(counter_id=COUNTER, content_id=f"c{n}", chance=0.1))
    for n in range(30):
        world.hear(comment(ham(n), f"odd{n}"))
        world.hear(ContentWatched(counter_id=COUNTER, content_id=f"odd{n}", chance=0.99))
        world.hear(ContentLabelled(counter_id=COUNTER, content_id=f"odd{n}", revision=0, spam=n > 1))
    (bar,) = (d for d in world.documents.values() if isinstance(d, Bar))
    assert bar.chances.count(0.99) == len(bar.chances) - LEAST == 2
    for n in range(LEAST, LEAST + 130):
        world.hear(ContentWatched(counter_id=COUNTER, content_id=f"c{n}", chance=0.1))
    (bar,) = (d for d in world.documents.values() if isinstance(d, Bar))
    assert bar.at == SURE


def test_spam_that_is_found_leaves_the_bar_though_its_text_is_gone_and_above_it_counts_apart() -> None:
    """Once: what the model hid alone was no mistake, and the alert on mistakes is told of it."""
    world = service(TAUGHT)
    for n in range(LEAST):
        world.hear(ContentWatched(counter_id=COUNTER, content_id=f"c{n}", chance=0.1))
    for id_, chance in (("over", SURE + 0.01), ("under", SURE)):
        world.hear(ContentWatched(counter_id=COUNTER, content_id=id_, chance=chance))
    (bar,) = (d for d in world.documents.values() if isinstance(d, Bar))
    found = [ContentLabelled(counter_id=COUNTER, content_id=id_, revision=0, spam=True) for id_ in ("over", "under")]
    assert [world.hear(event) for event in (*found, *found)] == ["found", "gone", "gone", "gone"]
    (left,) = (d for d in world.documents.values() if isinstance(d, Bar))
    assert bar.chances[:LEAST] == left.chances


def test_what_was_found_above_the_bar_is_learned() -> None:
    """As any other decision."""
    world = service(TAUGHT)
    for n in range(LEAST):
        world.hear(ContentWatched(counter_id=COUNTER, content_id=f"c{n}", chance=0.1))
    world.hear(comment(ham(3), "x"))
    world.hear(ContentWatched(counter_id=COUNTER, content_id="x", chance=SURE + 0.01))
    assert world.hear(ContentLabelled(counter_id=COUNTER, content_id="x", revision=0, spam=True)) == "found"
    assert state(world).spam == TAUGHT.spam + 1


def test_what_the_rules_hide_is_not_watched() -> None:
    """The bar is fitted on what the rules spare, and on nothing while the model has no opinion."""
    world = service(TAUGHT)
    for n in range(40):
        world.hear(comment(SPAM, f"c{n}"))
    blank_world = service()
    for n in range(40):
        blank_world.hear(comment(ham(n), f"c{n}"))
    assert world.told.of(ContentWatched) == blank_world.told.of(ContentWatched) == []


def test_views_follow_what_other_processes_learn() -> None:
    """The state of this origin is taken up, that of another one is not, and without one it begins anew."""

    async def run() -> None:
        database = FakeDatabase(Server())
        model, bar = ModelView(database, 0.0, blank()), BarView(database, 0.0, blank())
        id_ = state_id(blank())
        stored = [state_of(id_, TAUGHT), state_of("text:another", taught(60)), Bar(id=id_, v=1, at=0.95)]
        session = await database.open_session()
        await database.transact(session, [Insert(d.COLLECTION, {**to_mongo(d), "v": 1}) for d in stored])
        await model.refresh()
        await bar.refresh()
        assert (model.model.version, bar.bar.at) == (TAUGHT.version, 0.95)

    asyncio.run(run())
