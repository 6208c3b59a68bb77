"""R6, R8, R9, R13. What a person is shown of what fits: little, varied, not again soon, with reasons."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommend.core import (
    Circle,
    Circles,
    Fit,
    GroupProfile,
    Person,
    Profiles,
    Turn,
    answered,
    in_words,
    joined,
    list_for,
    opened,
    paused_until,
    saw,
    share,
    shown,
    turn,
    varied,
)
from services.recommend.core.shown import LEAST_VARIED

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
K = 5


def town(groups: int, owners: int | None = None) -> tuple[Circles, Profiles]:
    """So many groups, each with somebody who is in `home` too, three by three of so many owners, or each of its own."""
    circles, profiles = Circles(), Profiles()
    pairs = tuple((f"g{n}", share(2)) for n in range(groups))
    circles.put(turn(Circle(id="home"), Turn(groups, pairs)))
    for n in range(groups):
        circles.put(turn(Circle(id=f"g{n}"), Turn(n + 2, (("home", share(2)),))))
        profile = GroupProfile(id=f"g{n}")
        owner = f"o{n // 3 % owners if owners else n}"
        profiles.put(opened(profile, f"G{n}", purpose="", audience="", seats_left=1, owner_id=owner))
    return circles, profiles


def looks(who: Person, now: datetime, circles: Circles, profiles: Profiles) -> tuple[Person, list[str]]:
    """A list and the person after it was shown to them."""
    found = [fit.group_id for fit in list_for(who, now, K, circles, profiles)]
    return saw(who, found, now), found


def test_a_month_of_lists_repeats_nothing_within_a_week() -> None:
    """Somebody who looks twice a day never sees a group again within seven days, and sees it again after them."""
    circles, profiles = town(100)
    who, last, again = joined(Person(id="p"), "home", 1), dict[str, datetime](), 0
    for look in range(60):
        now = AT + look * 12 * HOUR
        who, found = looks(who, now, circles, profiles)
        for group in found:
            assert group not in last or now - last[group] >= 7 * DAY
            again += group in last
            last[group] = now
    assert len(last) == 100
    assert again > 0


def test_a_list_stays_while_one_looks_at_it() -> None:
    """Asked again within the hour it has groups of the look that is on, and the log counts them once."""
    circles, profiles = town(7)
    who, first = looks(joined(Person(id="p"), "home", 1), AT, circles, profiles)
    who, second = looks(who, AT + HOUR / 2, circles, profiles)
    assert set(first) == set(second)
    assert {tie.seen for tie in who.ties if tie.group_id in first} == {1}
    refused = answered(who, first[0], "refused", AT)
    assert {fit.group_id for fit in list_for(refused, AT + HOUR / 2, K, circles, profiles)} > set(first[1:])
    assert len(list_for(who, AT + HOUR, K, circles, profiles)) == 2


def test_a_look_keeps_its_groups_and_its_order() -> None:
    """Seen one by one they stay where they were, with the same scores; one that fits better has come last of all and
    pushes none out; and what is shown is in the order of the scores, also then."""
    circles, profiles = town(9)
    who = joined(Person(id="p"), "home", 1)
    first = list_for(who, AT, K, circles, profiles)
    for minutes, fit in enumerate(first, 1):
        who = saw(who, [fit.group_id], AT + timedelta(minutes=minutes))
        assert list_for(who, AT + HOUR / 2, K, circles, profiles) == first
    profiles.put(opened(GroupProfile(id="best"), "best", purpose="", audience="", seats_left=1, owner_id="new"))
    circles.put(turn(Circle(id="best"), Turn(1, (("home", 4 * share(2)),))))
    circles.put(
        turn(Circle(id="home", v=1), Turn(9, (*((f"g{n}", share(2)) for n in range(9)), ("best", 4 * share(2)))))
    )
    assert {fit.group_id for fit in list_for(who, AT + HOUR / 2, K, circles, profiles)} == {f.group_id for f in first}
    more = list_for(who, AT + HOUR / 2, K + 1, circles, profiles)
    assert more[0].group_id == "best"
    assert [fit.score for fit in more] == sorted((fit.score for fit in more), reverse=True)


def test_three_refusals_and_it_is_quiet() -> None:
    """After the third "not for me" within a day nothing is shown, until the first of them is a day old."""
    circles, profiles = town(20)
    who = joined(Person(id="p"), "home", 1)
    for n, at in enumerate((AT, AT + HOUR, AT + 2 * HOUR)):
        assert list_for(who, at, K, circles, profiles)
        who = answered(who, f"g{n}", "refused", at)
    assert paused_until(who, AT + 2 * HOUR) == AT + DAY
    assert list_for(who, AT + 3 * HOUR, K, circles, profiles) == []
    assert paused_until(who, AT + DAY) is None
    assert len(list_for(who, AT + DAY, K, circles, profiles)) == K


@given(st.integers(1, 6), st.integers(1, 40))
def test_an_owner_comes_twice_in_ten(owners: int, groups: int) -> None:
    """Of any ten groups that are shown one after another at most two are of one owner."""
    circles, profiles = town(groups, owners)
    who, all_shown = joined(Person(id="p"), "home", 1), list[str]()
    for look in range(6):
        who, found = looks(who, AT + look * DAY, circles, profiles)
        all_shown += map(profiles.owner, found)
    for first in range(len(all_shown)):
        assert max(Counter(all_shown[first : first + 10]).values()) <= 2


def test_whose_owner_is_not_known_is_not_held_back() -> None:
    """Groups of a release that kept no owners are not taken for one person's."""
    fits = [Fit(f"g{n}", 1.0 - n / 10, ()) for n in range(5)]
    assert shown(fits, 5, [], lambda group: "", lambda one, other: 0.0) == fits


@given(st.lists(st.integers(0, 3), min_size=8, max_size=30).filter(lambda kinds: len(set(kinds)) == 4))
def test_topics_are_mixed(kinds: list[int]) -> None:
    """Of groups of four kinds, those of a kind all alike, a list of five is as varied as the floor says, best first."""
    fits = [Fit(str(n), float(-n), ()) for n in range(len(kinds))]

    def alike(one: str, other: str) -> float:
        return 0.6 * (kinds[int(one)] == kinds[int(other)])

    found = shown(fits, K, [], str, alike)
    names = [fit.group_id for fit in found]
    assert found[0] == fits[0]
    assert len(found) == K
    assert found == sorted(found, key=lambda fit: -fit.score)
    assert varied(names, alike) >= LEAST_VARIED * K


def test_alike_comes_where_nothing_else_is_left() -> None:
    """In a town with two groups of the same people both are shown; with others to choose from, only one of them."""
    fits = [Fit("a", 3.0, ()), Fit("b", 2.0, ()), Fit("c", 1.0, ())]

    def alike(one: str, other: str) -> float:
        return 1.0 * ({one, other} == {"a", "b"})

    assert [fit.group_id for fit in shown(fits, 2, [], str, alike)] == ["a", "c"]
    assert shown(fits[:2], 2, [], str, alike) == fits[:2]


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_how_varied_a_list_is(likeness: list[float]) -> None:
    """As many as there are groups where none are alike, 1 where all are, and never outside."""
    pairs = dict(zip((frozenset("ab"), frozenset("ac"), frozenset("bc")), likeness, strict=True))
    assert 1 <= varied(list("abc"), lambda one, other: pairs[frozenset((one, other))]) <= 3
    assert varied(list("abc"), lambda one, other: 0.0) == 3
    assert varied(list("abc"), lambda one, other: 1.0) == 1


def test_groups_are_alike_as_far_as_they_share_people() -> None:
    """All of the smaller group in both and nowhere else: 1; nobody: 0; and it is the same both ways."""
    circles = Circles()
    circles.put(Circle(id="a", members=4, others=f"b {2 * share(2)}"))
    circles.put(Circle(id="b", members=2, others=f"a {2 * share(2)}"))
    circles.put(Circle(id="c", members=2))
    assert circles.alike("a", "b") == circles.alike("b", "a") == 1.0
    assert circles.alike("a", "c") == circles.alike("a", "nowhere") == 0.0
    circles.put(Circle(id="b", v=1, members=4, others=f"a {2 * share(2)}"))
    assert circles.alike("a", "b") == 0.5


@pytest.mark.parametrize("k", [1, 5])
def test_without_its_reason_a_group_falls(k: int) -> None:
    """Without the membership that a reason names, the score of the group that is shown is lower by its weight."""
    circles, profiles = town(8)
    who = joined(Person(id="p"), "home", 1)
    found = list_for(who, AT, k, circles, profiles)
    assert len(found) == k
    for fit in found:
        assert [because.group_id for because in fit.reasons] == ["home"]
        without = circles.scores(msgspec.structs.replace(who, ties=()))[fit.group_id]
        assert fit.score - without == pytest.approx(fit.reasons[0].weight)
        assert fit.score > without


def test_reasons_are_told_in_chinese_and_english() -> None:
    """Each kind names what it is about in both languages; a group without a name is not named."""
    for kind in ("term", "members", "liked"):
        told = in_words(kind, "徒步")
        assert "徒步" in told.zh
        assert "徒步" in told.en
        assert told.zh != told.en
    for told in (in_words("popular", ""), in_words("members", ""), in_words("liked", "")):
        assert told.zh.strip("，") != told.en
        assert "「」" not in told.zh + told.en
        assert "“”" not in told.en
    for named in ("茶", ""):  # who likes a group need not be in it
        assert "所在" not in in_words("liked", named).zh
        assert "like" in in_words("liked", named).en
