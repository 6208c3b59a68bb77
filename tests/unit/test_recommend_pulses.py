"""R7. Which groups are alive and how well they answer; nobody is sent into a dead one, whichever way they ask."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from msgspec.structs import replace

from services.recommend.core import (
    Asked,
    Circle,
    Circles,
    GroupProfile,
    Person,
    Picture,
    Places,
    Profiles,
    Pulse,
    Pulses,
    graded,
    introduced,
    joined,
    list_for,
    opened,
    search,
)
from services.recommend.core.pulses import KEPT, MOST_DAYS, asked, founded, grade, heard, helped
from services.recommend.core.shown import Rated
from services.recommend.handlers import router
from services.recommend.view import ProfilesView, PulsesView
from shared.contracts.event import Gate
from shared.contracts.groups import ContributionMade, GroupOpened, MemberJoined
from shared.contracts.notes import NotePosted
from shared.contracts.recommend import GroupsSuggested
from shared.contracts.talk import GroupNeedAnswered, GroupNeedOpened, GroupNeedWithdrawn, MessagePosted
from tests.fakes.database import FakeDatabase, Server
from tests.unit.support import World
from tests.unit.test_place import CELL
from tests.unit.test_recommend_search import WEIGHTS
from tests.unit.test_recommend_ties import CHARTER, SETTINGS

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
DAY = timedelta(days=1)
LONG = (MOST_DAYS + 1) * DAY
OLD = founded(Pulse(id="g"), AT - 400 * DAY)


@pytest.fixture
def world() -> World:
    """Two groups that climb, founded at the start."""
    made = World(router(SETTINGS), [view(FakeDatabase(Server()), 1.0) for view in (ProfilesView, PulsesView)])
    for group in ("climb", "rock"):
        made.hear(GroupOpened(group_id=group, owner_id="o", name=f"攀岩 {group}", charter=CHARTER, seats=9))
    return made


def speaks(world: World, person: str, group: str = "climb", gate: Gate = "passed") -> str:
    id_ = f"m{world._next()}"
    return world.hear(MessagePosted(message_id=id_, group_id=group, author_id=person, text="早安", gate=gate))


def suggested(world: World) -> list[str]:
    """The groups that are told for a note of now."""
    world.hear(NotePosted(note_id=f"n{world._next()}", author_id="a", title="攀岩", text=""))
    return [one.group_id for one in world.told.of(GroupsSuggested)[-1].suggestions]


# -- alive or dead ------------------------------------------------------------------------------------------


def test_a_silent_group_dies_and_comes_back_to_life(world: World) -> None:
    """Young it is suggested; after 30 days of silence it is not; two voices bring it back, one does not."""
    assert set(suggested(world)) == {"climb", "rock"}
    world.wait(days=MOST_DAYS)
    assert set(suggested(world)) == {"climb", "rock"}
    world.wait(days=1)
    assert suggested(world) == []
    speaks(world, "ann")
    speaks(world, "ann")
    assert suggested(world) == []
    speaks(world, "ben")
    assert suggested(world) == ["climb"]
    world.wait(days=MOST_DAYS + 1)
    speaks(world, "ben")
    assert suggested(world) == []


def test_joins_and_what_the_gate_holds_are_no_life(world: World) -> None:
    """Or what is suggested would keep itself alive, and so would advertisements."""
    world.wait(days=MOST_DAYS + 1)
    for person in ("ann", "ben"):
        world.hear(MemberJoined(group_id="climb", person_id=person, tier="newcomer"))
        assert speaks(world, person, gate="held") == "known"
    assert suggested(world) == []


def test_help_in_a_relayed_note_is_life(world: World) -> None:
    """One person has helped another there, though nobody writes in the group."""
    world.wait(days=MOST_DAYS + 1)
    made = {"note_id": "n", "source_id": "c", "kind": "answer_accepted"}
    world.hear(ContributionMade.model_validate({"group_id": "rock", "person_id": "ann", **made}))
    assert suggested(world) == ["rock"]


def test_a_group_of_which_nothing_was_heard_is_as_good_as_the_best() -> None:
    """One that a release without pulses has opened is suggested until a rebuild."""
    assert Pulses().grade("g", AT) == 1


def test_a_view_grades_by_the_day_and_by_the_newest_pulse() -> None:
    """What it has said before holds for that day and that pulse only, also for a group that is forgotten."""
    view, last = Pulses(), AT + timedelta(days=MOST_DAYS)
    view.put(founded(Pulse(id="g"), AT))
    assert [view.grade("g", at) for at in (last, last + timedelta(days=1), last)] == [1, 0, 1]
    view.put(founded(Pulse(id="g"), AT - timedelta(days=1)))
    assert view.grade("g", last) == 0
    view.remove("g")
    assert view.grade("g", last) == 1


def test_talk_is_written_once_a_day(world: World) -> None:
    """A document of its own, which the thousandth message of a day leaves alone."""
    outcomes = [speaks(world, person) for _ in range(3) for person in ("ann", "ben")]
    assert outcomes == ["done", "done", "known", "known", "known", "known"]


# -- how well it answers ------------------------------------------------------------------------------------


def asks(world: World, need: str, sequence: int = 1) -> str:
    told = GroupNeedOpened(group_id="climb", need_id=need, message_id="m", asker_id="a", due_at=world.now)
    return world.hear(told, sequence)


def test_who_answers_comes_before_who_does_not(world: World) -> None:
    """Of two groups that fit alike the one with two unanswered questions falls to half its score, the day after."""
    for need in ("one", "two", "taken-back"):
        asks(world, need)
    told = {"group_id": "climb", "message_id": "m", "asker_id": "a"}
    world.hear(GroupNeedWithdrawn(need_id="taken-back", **told), 2)
    first = suggested(world)
    assert asks(world, "one", 1) == "older"
    world.wait(days=1)
    assert grade(world.get(Pulse, "climb"), world.now) == 0.5
    assert suggested(world)[0] == "rock"
    for need in ("one", "two"):
        world.hear(GroupNeedAnswered(need_id=need, answer_id="b", helper_id="h", **told), 2)
    assert grade(world.get(Pulse, "climb"), world.now) == 1
    assert suggested(world) == first


def test_chatter_moves_no_grade() -> None:
    """G11. Twice the messages, by as many people more, are worth nothing; one answer is."""
    quiet = heard(heard(asked(OLD, "q", "open", AT - 2 * DAY, 1), "ann", AT), "ben", AT)
    loud = quiet
    for n in range(100):
        loud = heard(loud, f"p{n}", AT)
    assert grade(quiet, AT) == grade(loud, AT) < grade(asked(quiet, "q", "answered", AT, 2), AT)


def test_what_was_asked_long_ago_is_forgotten() -> None:
    """A question weighs for four weeks, and of many the newest sixteen do."""
    alive = helped(OLD, AT + 29 * DAY)
    assert grade(asked(alive, "q", "open", AT, 1), AT + 28 * DAY) < 1
    assert grade(asked(alive, "q", "open", AT, 1), AT + 29 * DAY) == 1
    many = alive
    for n in range(100):
        many = asked(many, f"q{n:03}", "open", AT, 1)
    assert len(many.asks) == KEPT


def test_the_order_of_news_leaves_no_trace() -> None:
    """People, help and questions come in every order to the same pulse."""
    news: list[Callable[[Pulse], Pulse]] = [
        lambda p: heard(p, "ann", AT),
        lambda p: heard(p, "ben", AT + DAY),
        lambda p: heard(p, "ann", AT + 2 * DAY),
        lambda p: heard(p, "eve", AT - DAY),
        lambda p: helped(helped(p, AT), AT - DAY),
        lambda p: asked(p, "q", "open", AT, 1),
        lambda p: asked(p, "q", "answered", AT + DAY, 2),
    ]
    ends = set()
    for order in permutations(news):
        pulse = Pulse(id="g")
        for one in order:
            pulse = one(pulse)
        ends.add(pulse)
    assert len(ends) == 1


# -- what is shown ------------------------------------------------------------------------------------------


def town(pulses: dict[str, Pulse]) -> Picture:
    """Three groups that climb, all alike, at one place, where ann's people are, too."""
    circles, profiles, places, view = Circles(), Profiles(), Places(), Pulses()
    circles.put(Circle(id="home", members=9, others="a 64 b 64 c 64"))
    for group in ("a", "b", "c"):
        circles.put(Circle(id=group, members=5, others="home 64"))
        profile = opened(GroupProfile(id=group, cell=CELL), "攀岩", purpose="", audience="", seats_left=1)
        profiles.put(profile)
        places.put(profile)
    for pulse in pulses.values():
        view.put(pulse)
    return Picture(circles, profiles, places, WEIGHTS, view)


def every_way(groups: Picture) -> dict[str, list[str]]:
    """What ann is shown, however she asks."""
    ann = joined(Person(id="ann"), "home", 1)
    lists: dict[str, Sequence[Rated]] = {
        "list": list_for(ann, AT, 5, groups.circles, groups.profiles, pulses=groups.pulses),
        "words": search(ann, Asked(words="攀岩"), AT, groups),
        "place": search(ann, Asked(cell=CELL), AT, groups),
        "first": introduced(ann, Asked(about="攀岩", cell=CELL), AT, 5, groups),
        "note": graded(groups.profiles.place({"攀岩": 3}, 5), groups.pulses, AT),
    }
    return {way: [one.group_id for one in found] for way, found in lists.items()}


def test_nobody_is_sent_into_a_dead_group() -> None:
    """By no list, no search and no note; nor by a name or a place that somebody asks for."""
    dead = replace(OLD, id="a")
    assert [sorted(found) for found in every_way(town({})).values()] == [["a", "b", "c"]] * 5
    assert [sorted(found) for found in every_way(town({"a": dead})).values()] == [["b", "c"]] * 5


def test_the_score_is_multiplied_by_the_grade() -> None:
    """A group that answers a third of its questions comes last everywhere, and its reasons weigh a third, too."""
    poor = heard(heard(replace(OLD, id="a"), "ann", AT), "ben", AT)
    for n in range(4):
        poor = asked(poor, f"q{n}", "open", AT - 2 * DAY, 1)
    groups = town({"a": poor})
    assert [found[-1] for found in every_way(groups).values()] == ["a"] * 5
    ann = joined(Person(id="ann"), "home", 1)
    best = {fit.group_id: fit for fit in list_for(ann, AT, 5, groups.circles, groups.profiles, pulses=groups.pulses)}
    plain = groups.circles.scores(ann)
    assert best["a"].score == pytest.approx(plain["a"] / 3)
    without = groups.circles.scores(Person(id="ann"))["a"] / 3
    assert best["a"].score - without == pytest.approx(best["a"].reasons[0].weight)
