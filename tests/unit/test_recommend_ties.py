"""R1, R2. What joins, leaves and feedback make of a person's next list. Each folds real inputs through all lanes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommend.core import Circle, Person, groups_of, list_for, others, share
from services.recommend.handlers import GiveFeedback, router
from services.recommend.settings import Settings
from services.recommend.view import CirclesView, ProfilesView, PulsesView
from shared.contracts.groups import Charter, GroupChanged, GroupOpened, MemberJoined, MemberLeft
from shared.contracts.recommend import CircleTurned, FeedbackGiven, FeedbackKind, MembershipHeard
from tests.fakes.database import FakeDatabase, Server
from tests.unit.support import World, refused

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
GROUPS = ("ride", "hike", "tea", "go")
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
LATER = datetime(2031, 1, 1, tzinfo=UTC)
"""Long after any look or answer of these tests, which would keep a group from the list for a while."""
TOWN = {"a": ("ride", "hike"), "b": ("ride", "hike"), "c": ("tea", "go"), "d": ("tea",)}


def empty() -> World:
    database = FakeDatabase(Server())
    made = World(router(SETTINGS), [view(database, 1.0) for view in (ProfilesView, CirclesView, PulsesView)])
    for group in GROUPS:
        made.hear(GroupOpened(group_id=group, owner_id=f"of-{group}", name=group.title(), charter=CHARTER, seats=9))
    return made


@pytest.fixture
def world() -> World:
    """Four groups; who rides also hikes, who drinks tea also plays go."""
    made = empty()
    for person, groups in TOWN.items():
        for group in groups:
            joins(made, person, group)
    return made


def joins(world: World, person: str, group: str, sequence: int = 1) -> None:
    world.hear(MemberJoined(group_id=group, person_id=person, tier="newcomer"), sequence)
    world.settle()


def leaves(world: World, person: str, group: str, sequence: int) -> None:
    world.hear(MemberLeft(group_id=group, person_id=person), sequence)
    world.settle()


def says(world: World, person: str, group: str, kind: FeedbackKind) -> None:
    assert world.ask(GiveFeedback(person_id=person, group_id=group, kind=kind)).status == 202
    world.settle()


def list_of(world: World, person: str) -> list[str]:
    """As the API makes it."""
    profiles, circles, _ = world._views
    known = world.documents.get((Person.COLLECTION, person)) or Person(id=person)
    assert isinstance(known, Person)
    return [fit.group_id for fit in list_for(known, LATER, 5, circles.circles, profiles.profiles)]


def counted(world: World, group: str) -> tuple[int, dict[str, int]]:
    circle = world.get(Circle, group)
    return circle.members, others(circle)


def test_a_join_is_counted_in_every_group_of_the_person(world: World) -> None:
    """Members and pairs of the circles are those of the people who are in them."""
    assert counted(world, "ride") == (2, {"hike": 2 * share(2)})
    assert counted(world, "tea") == (2, {"go": share(2)})


def test_a_person_is_sent_where_others_like_them_are(world: World) -> None:
    """Who has joined one of two groups that share people hears of the other one first, and no more of the first."""
    joins(world, "new", "ride")
    assert list_of(world, "new")[0] == "hike"
    assert "ride" not in list_of(world, "new")


@pytest.mark.parametrize("shut", [{"state": "closed"}, {"members": 9}, {"waiting": 1}])
def test_a_group_that_takes_nobody_is_on_no_list(world: World, shut: dict[str, object]) -> None:
    """A group that is closed, full, or whose seats others wait for is left out, and is back when it takes people."""
    joins(world, "new", "ride")
    takes = {"group_id": "hike", "state": "open", "seats": 9, "members": 2}
    for sequence, change in ((5, takes | shut), (6, takes)):
        world.hear(GroupChanged.model_validate(change), sequence)
        assert ("hike" in list_of(world, "new")) == (sequence == 6)


@given(st.permutations([("joined", 1), ("left", 2), ("joined", 3)]))
def test_memberships_may_be_heard_in_any_order(news: list[tuple[str, int]]) -> None:
    """Of joins and leaves the one of the highest sequence holds, and the circles count the person once."""
    world = empty()
    joins(world, "p", "tea")
    for what, sequence in news:
        (joins if what == "joined" else leaves)(world, "p", "ride", sequence)
    assert groups_of(world.get(Person, "p")) == ("ride", "tea")
    assert counted(world, "ride") == (1, {"tea": share(2)})


def test_who_has_left_is_not_sent_back(world: World) -> None:
    """A group that somebody has left counts them no more and is not on their list."""
    joins(world, "new", "ride")
    leaves(world, "new", "ride", 2)
    assert counted(world, "ride")[0] == 2
    assert "ride" not in list_of(world, "new")


def test_not_for_me_takes_a_group_and_its_like_off_the_list(world: World) -> None:
    """The next list lacks the refused group and those that it shares people with; again changes nothing."""
    assert {"tea", "go"} <= set(list_of(world, "new"))
    says(world, "new", "tea", "not_for_me")
    after = list_of(world, "new")
    assert not {"tea", "go"} & set(after)
    assert after
    says(world, "new", "tea", "not_for_me")
    assert list_of(world, "new") == after


def test_joined_takes_effect_before_the_group_says_it(world: World) -> None:
    """Who says they have joined is at once sent where its members are, and not there again."""
    says(world, "new", "ride", "joined")
    assert list_of(world, "new")[0] == "hike"
    assert "ride" not in list_of(world, "new")


def test_the_later_answer_holds(world: World) -> None:
    """Who has refused a group and joins it after all is treated as a member."""
    says(world, "new", "ride", "not_for_me")
    world.wait(minutes=1)
    says(world, "new", "ride", "joined")
    assert list_of(world, "new")[0] == "hike"


def test_what_was_seen_and_left_alone_falls_behind(world: World) -> None:
    """A group that was shown for many days makes room for another; a second look within the hour does not count."""
    joins(world, "new", "tea")
    first = list_of(world, "new")[0]
    for _ in range(3):
        says(world, "new", first, "seen")
    assert next(t.seen for t in world.get(Person, "new").ties if t.group_id == first) == 1
    assert world.outcomes[-1] == "known"
    for _ in range(80):
        world.wait(days=1)
        says(world, "new", first, "seen")
    assert list_of(world, "new")[0] != first


def test_an_unknown_group_is_refused(world: World) -> None:
    """Nothing is told of a group that nobody has opened."""
    with refused("unknown-group", 404):
        world.ask(GiveFeedback(person_id="new", group_id="none", kind="seen"))
    assert world.told.of(FeedbackGiven) == []


def test_a_double_counts_once(world: World) -> None:
    """One join on the wire twice, and one that is told twice under two ids, are one member."""
    event = MemberJoined(group_id="ride", person_id="new", tier="newcomer")
    for id_ in ("e-1", "e-1", "e-2"):
        world.hear(event, 1, id_)
        world.settle()
    assert counted(world, "ride")[0] == 3
    assert len([e for e in world.told.of(MembershipHeard) if e.person_id == "new"]) == 2


def test_a_person_in_many_groups_tells_each_in_one_event(world: World) -> None:
    """A join tells every group whose pairs it changes once, with all of its pairs."""
    before = len(world.told.of(CircleTurned))
    for group in GROUPS:
        joins(world, "busy", group)
    told = world.told.of(CircleTurned)[before:]
    assert len(told) <= sum(range(1, len(GROUPS) + 1))
    assert counted(world, "go")[1] == {"tea": share(2) + share(4), "ride": share(4), "hike": share(4)}
