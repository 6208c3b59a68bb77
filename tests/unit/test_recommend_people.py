"""R2, R3, R13. Which groups go together, and which are suggested to a person."""

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommend.core import (
    Circle,
    Circles,
    Person,
    Tie,
    Turn,
    Weights,
    groups_of,
    joined,
    left,
    others,
    share,
    turn,
    turned,
)
from services.recommend.core import answered as answered_at
from services.recommend.core import saw as saw_at
from services.recommend.core.circles import KEEP_OTHERS, MOST_OTHERS
from services.recommend.core.people import FEEDBACK_KEPT, LOOK, MOST_GROUPS, MOST_SEEN, SHARE, Answer
from shared.flow.documents import from_mongo, to_mongo

GROUPS = [f"g{n}" for n in range(8)]
PEOPLE = [f"p{n}" for n in range(4)]

Step = tuple[str, str, bool]
steps = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(GROUPS), st.booleans()), max_size=40)
some = st.sets(st.sampled_from(GROUPS))
crowds = st.lists(st.sets(st.sampled_from(GROUPS), min_size=1), min_size=1, max_size=12)


AT = datetime(2026, 5, 4, 8, tzinfo=UTC)


def answered(who: Person, group: str, answer: Answer) -> Person:
    """Their word on a group, later than all before."""
    return answered_at(who, group, answer, max((t.answered_at for t in who.ties if t.answered_at), default=AT))


def saw(who: Person, groups: Iterable[str]) -> Person:
    """A look, an hour after the last one."""
    return saw_at(who, groups, max((t.seen_at for t in who.ties if t.seen_at), default=AT) + LOOK)


def person(*groups: str) -> Person:
    made = Person(id="p")
    for group in groups:
        made = joined(made, group, 1)
    return made


def told(path: list[Step]) -> list[tuple[str, Turn]]:
    """The turns of a history, in the order in which they are made."""
    people = {name: Person(id=name) for name in PEOPLE}
    made: list[tuple[str, Turn]] = []
    for sequence, (name, group, inside) in enumerate(path, 1):
        after = (joined if inside else left)(people[name], group, sequence)
        made += turned(people[name], after).items()
        people[name] = after
    return made


def folded(turns: list[tuple[str, Turn]]) -> dict[str, Circle]:
    circles: dict[str, Circle] = {}
    for group, change in turns:
        circle = turn(circles.get(group) or Circle(id=group), change)
        circles[group] = msgspec.structs.replace(circle, v=circle.v + 1)
    return circles


def afresh(crowd: list[set[str]]) -> dict[str, Circle]:
    """Circles counted by their definition from who is where."""
    members: dict[str, int] = defaultdict(int)
    shares: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for groups in crowd:
        for one in groups:
            members[one] += 1
            for other in groups - {one}:
                shares[one][other] += share(len(groups))
    return {
        group: turn(Circle(id=group), Turn(count, tuple(sorted(shares[group].items()))))
        for group, count in members.items()
    }


def view_of(circles: dict[str, Circle]) -> Circles:
    view = Circles()
    for circle in circles.values():
        view.put(circle)
    return view


def names(view: Circles, who: Person, k: int = 8) -> list[str]:
    return [fit.group_id for fit in view.suggest(who, k)]


TOWN = [{"ride", "hike"}, {"ride", "hike"}, {"ride", "hike", "tea"}, {"tea", "go"}, {"tea", "go"}, {"go"}, {"cook"}]


@given(steps)
def test_join_by_join_is_as_counted_afresh(path: list[Step]) -> None:
    """After any joins and leaves the circles are those that the memberships at the end give, counted at once."""
    inside: dict[str, set[str]] = defaultdict(set)
    for name, group, joins in path:
        (inside[name].add if joins else inside[name].discard)(group)
    circles = folded(told(path))
    wanted = afresh(list(inside.values()))
    for group, circle in circles.items():
        expected = wanted.get(group) or Circle(id=group)
        assert (circle.members, circle.others) == (expected.members, expected.others)
    assert wanted.keys() <= circles.keys()


@given(steps.map(told).flatmap(lambda turns: st.tuples(st.just(turns), st.permutations(turns))))
def test_the_order_of_turns_leaves_no_trace(turns: tuple[list[tuple[str, Turn]], list[tuple[str, Turn]]]) -> None:
    """The turns of many people arrive in any order and give the same circles, byte for byte."""
    path, shuffled = turns
    plain, other = folded(path), folded(shuffled)
    assert {g: msgspec.json.encode(c) for g, c in plain.items()} == {
        g: msgspec.json.encode(c) for g, c in other.items()
    }


@given(
    st.permutations([("a", True, 1), ("a", False, 2), ("b", True, 1), ("a", True, 3), ("b", False, 4), ("c", True, 2)])
)
def test_the_higher_sequence_tells_who_is_where(news: list[tuple[str, bool, int]]) -> None:
    """Joins and leaves in any order end with the same document, and their turns with the same circles."""
    who = Person(id="p")
    turns: list[tuple[str, Turn]] = []
    for group, inside, sequence in news:
        after = (joined if inside else left)(who, group, sequence)
        turns += turned(who, after).items()
        who = after
    assert groups_of(who) == ("a", "c")
    assert {g: (c.members, c.others) for g, c in folded(turns).items() if g != "b"} == {
        "a": (1, f"c {share(2)}"),
        "c": (1, f"a {share(2)}"),
    }


def test_old_news_change_nothing() -> None:
    """A join that is heard twice, or after a later leave, leaves the very same document."""
    who = left(person("a"), "a", 2)
    assert joined(who, "a", 2) is who
    assert joined(who, "a", 1) is who
    assert turned(who, who) == {}


@given(some, some)
def test_turns_are_mirrored(old: set[str], new: set[str]) -> None:
    """What one circle learns of another group, the other one learns of it; nothing is told that is nothing."""
    turns = turned(person(*old), person(*new))
    for group, change in turns.items():
        assert change.members == (group in new) - (group in old)
        assert change.members or change.shares
        for other, more in change.shares:
            assert more
            assert dict(turns[other].shares)[group] == more


@given(st.integers(1, MOST_GROUPS))
def test_a_share_is_about_one_over_the_groups(groups: int) -> None:
    """The worth of a pair is 1 / groups to within a factor of the root of two, and never rises."""
    assert 1 / math.sqrt(2) <= share(groups) * groups / SHARE <= math.sqrt(2)
    assert share(groups) >= share(groups + 1)


def test_who_is_everywhere_says_nothing() -> None:
    """With the 129th group all pairs of a person go, with the next leave they come back; members count all along."""
    everywhere = person(*(f"g{n}" for n in range(MOST_GROUPS)))
    beyond = joined(everywhere, "one-more", 1)
    turns = turned(everywhere, beyond)
    assert turns["one-more"] == Turn(1, ())
    assert all(more == -share(MOST_GROUPS) for change in turns.values() for _, more in change.shares)
    assert len(turns["g0"].shares) == MOST_GROUPS - 1
    back = turned(beyond, left(beyond, "one-more", 2))
    assert back["one-more"] == Turn(-1, ())
    assert back["g0"].shares == tuple((group, -more) for group, more in turns["g0"].shares)


def test_documents_survive_the_database() -> None:
    """A person and a circle go through plain types and back."""
    who = saw(answered(person("a.b", "c:d"), "e", "refused"), ["f"])
    assert from_mongo(Person, to_mongo(who)) == who
    circle = folded(list(turned(Person(id="p"), who).items()))["a.b"]
    assert from_mongo(Circle, to_mongo(circle)) == circle


def test_a_person_is_bounded() -> None:
    """Of endless feedback 500 groups stay, those with an answer and the newest among them; memberships all stay."""
    who = answered(person(*GROUPS), "no", "refused")
    for n in range(FEEDBACK_KEPT + 20):
        who = saw(who, [f"seen{n}"])
        assert any(tie.group_id == f"seen{n}" for tie in who.ties)
    assert len(who.ties) == FEEDBACK_KEPT + len(GROUPS)
    assert groups_of(who) == tuple(GROUPS)
    assert any(tie.group_id == "no" for tie in who.ties)


def test_looks_are_counted_up_to_a_limit() -> None:
    """A group counts once a look, and not beyond 1,000."""
    who = saw(Person(id="p"), ["a", "a"])
    assert who.ties[0].seen == 1
    for _ in range(MOST_SEEN):
        who = saw(who, ["a"])
    assert who.ties[0].seen == MOST_SEEN


def test_a_list_that_is_refreshed_is_one_look() -> None:
    """A group that is shown again within the hour is seen once, also when the looks are heard of in another order."""
    minutes = [AT + timedelta(minutes=n) for n in (0, 59, 30, -10)]
    who = Person(id="p")
    for at in minutes:
        who = saw_at(who, ["a"], at)
    assert who.ties[0].seen == 1
    assert saw_at(who, ["a"], AT + LOOK).ties[0].seen == 2


@given(st.permutations([("refused", 1), ("joined", 2), ("refused", 3), ("joined", 0)]))
def test_the_last_word_holds(words: list[tuple[Answer, int]]) -> None:
    """Of several answers the latest by its own time holds, in whichever order they are heard."""
    who = Person(id="p")
    for answer, second in words:
        who = answered_at(who, "a", answer, AT + timedelta(seconds=second))
    assert who.ties[0].answer == "refused"


def test_a_circle_is_bounded() -> None:
    """Of endless other groups at most 1,000 are kept, the strongest pair among them."""
    circle = Circle(id="a")
    for n in range(30):
        circle = turn(circle, Turn(1, (("friends", 3), *((f"g{n}x{i}", 1) for i in range(100)))))
        assert len(others(circle)) <= MOST_OTHERS
    assert len(others(circle)) >= KEEP_OTHERS
    assert others(circle)["friends"] == 90


@pytest.mark.parametrize("group", ["", "two words", "a\nb"])
def test_ids_that_would_garble_a_document_are_refused(group: str) -> None:
    """An id that is empty or holds white space raises instead, for people and for circles."""
    with pytest.raises(ValueError, match="not the id"):
        joined(Person(id="p"), group, 1)
    with pytest.raises(ValueError, match="not the id"):
        turn(Circle(id="a"), Turn(0, ((group, 1),)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_no_number_is_refused(value: float) -> None:
    """NaN and infinity raise where the weights are made."""
    with pytest.raises(ValueError, match="must be numbers"):
        Weights(refused=value)


def test_people_are_sent_where_others_like_them_are() -> None:
    """Who rides is told to hike, because those who ride also hike, before what is merely popular."""
    view = view_of(afresh(TOWN))
    first = view.suggest(person("ride"))[0]
    assert first.group_id == "hike"
    assert [(because.kind, because.group_id) for because in first.reasons] == [("members", "ride")]


def test_newcomers_get_what_is_popular() -> None:
    """Of a person without any tie nothing is known: the largest groups come, and say that this is why."""
    fits = view_of(afresh(TOWN)).suggest(Person(id="new"))
    members = {group: circle.members for group, circle in afresh(TOWN).items()}
    assert [members[fit.group_id] for fit in fits] == sorted(members.values(), reverse=True)
    assert {(because.kind, because.group_id) for fit in fits for because in fit.reasons} == {("popular", "")}


@given(crowds, some, some, some)
def test_never_where_a_person_is_or_was_or_would_not_be(
    crowd: list[set[str]], inside: set[str], gone: set[str], no: set[str]
) -> None:
    """No group comes out that the person is in, has left, has refused or says they have joined."""
    who = person(*inside, *gone)
    for group in gone:
        who = left(who, group, 2)
    for n, group in enumerate(sorted(no)):
        who = answered(who, group, "joined" if n % 2 else "refused")
    assert not set(names(view_of(afresh(crowd)), who)) & (inside | gone | no)


@given(crowds, some, st.integers(0, 5), st.floats(0.0, 1.0))
def test_low_pressure(crowd: list[set[str]], inside: set[str], k: int, floor: float) -> None:
    """At most k groups, none under the floor, with falling scores above nothing."""
    scores = [fit.score for fit in view_of(afresh(crowd)).suggest(person(*inside), k, floor)]
    assert len(scores) <= k
    assert all(score >= floor and score > 0 for score in scores)
    assert scores == sorted(scores, reverse=True)


@given(crowds, some.filter(bool), st.data())
def test_not_for_me_counts_at_once(crowd: list[set[str]], inside: set[str], data: st.DataObject) -> None:
    """After "not for me" the group is out, its neighbours fall, no other group rises; taken back, all is as before."""
    view, who = view_of(afresh(crowd)), person(*inside)
    group = data.draw(st.sampled_from(sorted(set(GROUPS) - inside) or ["elsewhere"]))
    before, refused = view.scores(who), answered(who, group, "refused")
    after = view.scores(refused)
    assert group not in names(view, refused)
    near = {other for groups in crowd if group in groups for other in groups} - {group}
    assert all(after[other] < before[other] for other in near)
    assert all(after[other] == before[other] for other in before.keys() - near)
    assert view.scores(answered(refused, group, "")) == before


def test_neighbours_of_a_refused_group_step_back() -> None:
    """Who drinks tea hears of chess; who also refuses go, with which chess goes far more often, does not."""
    view = view_of(afresh([{"tea", "chess"}, {"go", "chess"}, {"go", "chess"}, {"go", "chess"}, {"tea", "ride"}]))
    who = person("tea")
    assert "chess" in names(view, who)
    assert names(view, answered(who, "go", "refused")) == ["ride"]


def test_what_was_seen_often_fades() -> None:
    """Each look without an answer lowers a group's score by the same share, and moves it back in the end."""
    view, who = view_of(afresh(TOWN)), person("tea")
    assert names(view, who)[0] == "go"
    seen = saw(who, ["go"])
    assert view.scores(seen)["go"] == pytest.approx(0.9 * view.scores(who)["go"])
    for _ in range(20):
        seen = saw(seen, ["go"])
    assert names(view, seen)[0] != "go"


@given(crowds, some, some, some)
def test_reasons_are_true(crowd: list[set[str]], inside: set[str], no: set[str], seen: set[str]) -> None:
    """Each group has one to three reasons. Somebody is in both groups; without the membership the score falls by
    just the weight, and without popularity by the weight of that."""
    view = view_of(afresh(crowd))
    who = saw(person(*inside), seen)
    for group in no - inside:
        who = answered(who, group, "refused")
    for fit in view.suggest(who, 8):
        assert 1 <= len(fit.reasons) <= 3
        for because in fit.reasons:
            assert because.weight > 0
            if because.kind == "members":
                assert any({because.group_id, fit.group_id} <= groups for groups in crowd)
                ties = tuple(tie for tie in who.ties if tie.group_id != because.group_id)
                without = view.scores(msgspec.structs.replace(who, ties=ties))
            else:
                without = view.scores(who, Weights(popular=0.0))
            assert fit.score - without[fit.group_id] == pytest.approx(because.weight, abs=1e-12)


@given(crowds, some)
def test_only_who_is_able_comes_out(crowd: list[set[str]], full: set[str]) -> None:
    """A group that cannot take anybody leaves its place to the next one, whose score is the same as before."""
    view = view_of(afresh(crowd))
    plain = view.suggest(person("g0"), 8)
    found = view.suggest(person("g0"), 8, able=lambda group: group not in full)
    assert found == [fit for fit in plain if fit.group_id not in full]
    assert found == view.suggest(person("g0"), 8, able={fit.group_id for fit in plain} - full)


@given(steps, some)
def test_followed_view_equals_fresh_view(path: list[Step], inside: set[str]) -> None:
    """A view that took up every version of every circle gives the same lists as one built afresh, to the last bit."""
    followed = Circles()
    circles: dict[str, Circle] = {}
    for group, change in told(path):
        circle = turn(circles.get(group) or Circle(id=group), change)
        circles[group] = msgspec.structs.replace(circle, v=circle.v + 1)
        followed.put(circles[group])
    fresh = view_of(dict(sorted(circles.items(), reverse=True)))
    who = person(*inside)
    assert followed.suggest(who, 8) == fresh.suggest(who, 8)
    assert followed.scores(who) == fresh.scores(who)


@given(steps.map(told))
def test_how_alike_groups_are_does_not_depend_on_who_has_asked_before(turns: list[tuple[str, Turn]]) -> None:
    """A circle that somebody's list has read says the same as one that is a string still; what is owed says nothing."""
    circles = folded(turns[::2])
    asked, fresh = view_of(circles), view_of(circles)
    asked.scores(Person(id="p", ties=tuple(Tie(group, member=True, sequence=1) for group in sorted(circles))))
    for one in circles:
        for other in circles:
            assert asked.alike(one, other) == fresh.alike(one, other)


def test_an_older_version_is_ignored() -> None:
    """A circle that comes late does not undo a newer one."""
    view = Circles()
    view.put(Circle(id="a", v=3, members=5, others="b 128"))
    view.put(Circle(id="a", v=2, members=1))
    assert view.scores(Person(id="p"))["a"] == Weights().popular


def test_a_removed_group_is_gone() -> None:
    """After remove a group neither comes out nor speaks for others; removing it again is no error."""
    view = view_of(afresh(TOWN))
    view.remove("ride")
    view.remove("ride")
    assert len(view) == 4
    assert "ride" not in names(view, Person(id="p"))
    assert view.suggest(person("ride"))[0].reasons[0].kind == "popular"


def test_an_empty_view_suggests_nothing() -> None:
    """No groups, groups nobody knows, no room for answers: no suggestion, no error."""
    assert Circles().suggest(person("a")) == []
    assert Circles().scores(person("a")) == {}
    assert view_of(afresh(TOWN)).suggest(person("nowhere"), 0) == []
    assert names(view_of(afresh(TOWN)), person("nowhere"))


def test_shares_below_nothing_are_harmless() -> None:
    """While a pair's turns are still to come, its share may be negative: it counts as none."""
    view = view_of({"a": Circle(id="a", members=1, others="b -32 c 16"), "b": Circle(id="b", members=1)})
    assert all(math.isfinite(score) and score >= 0 for score in view.scores(person("a")).values())


def test_the_order_goes_on_beyond_the_first_few() -> None:
    """Of a thousand groups, many of them equal, all come out in the one order that scores and names give."""
    view = Circles()
    for n in range(1_000):
        view.put(Circle(id=f"g{n}", members=1 + n % 3))
    fits = view.suggest(Person(id="p"), 1_000)
    assert len(fits) == 1_000
    assert [fit.score for fit in fits] == sorted((fit.score for fit in fits), reverse=True)
    assert view.suggest(Person(id="p"), 7) == fits[:7]
    few = Circles()
    for n in range(0, 1_000, 5):
        few.put(Circle(id=f"g{n}", members=1 + n % 3))
    assert [f.group_id for f in few.suggest(Person(id="p"), 200)] == [
        f.group_id for f in fits if int(f.group_id[1:]) % 5 == 0
    ]


def test_more_groups_than_the_first_table() -> None:
    """The view grows past its first size without losing a group."""
    view = view_of(afresh([{f"g{n}", f"h{n}"} for n in range(150)]))
    assert len(view) == 300
    assert names(view, person("g149"))[0] == "h149"
