"""R5, R10, R13. Several sources, one list: words that are looked for and what fits the person, blended by rank."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommend.core import (
    Asked,
    Because,
    Candidate,
    Circle,
    Circles,
    Found,
    GroupProfile,
    Near,
    Person,
    Picture,
    Places,
    Profiles,
    Pulse,
    Pulses,
    Reason,
    Source,
    answered,
    asked,
    blended,
    features,
    founded,
    introduced,
    joined,
    learn,
    left,
    opened,
    saw,
    search,
    share,
)
from tests.unit.test_recommend_shown import AT

WEIGHTS: dict[Source, float] = {"search": 1.0, "intent": 0.4, "place": 0.3, "algorithm": 0.2}
GROUPS = {
    "ride": ("骑行 Cycling", "周末一起骑公路车"),
    "hike": ("徒步 Hiking", "山里走走，周末出发"),
    "climb": ("攀岩 Climbing", "周末抱石"),
    "cook": ("厨房 Cooking", "家常菜"),
}
ids = st.sampled_from("abcdef")
CELL = "89309959d73ffff"


def town() -> tuple[Circles, Profiles]:
    """Four groups; who rides also hikes."""
    circles, profiles = Circles(), Profiles()
    for group, (name, purpose) in GROUPS.items():
        profiles.put(opened(GroupProfile(id=group), name, purpose=purpose, audience="", seats_left=1))
        circles.put(Circle(id=group, members=3))
    circles.put(Circle(id="ride", v=1, members=3, others=f"hike {3 * share(2)}"))
    return circles, profiles


def looked_for(words: str, who: Person | None = None, algorithm: float = 0.2, by_words: float = 1.0) -> list[Candidate]:
    circles, profiles = town()
    weights: dict[Source, float] = {**WEIGHTS, "search": by_words, "algorithm": algorithm}
    return search(who or Person(id="p"), Asked(words=words), AT, Picture(circles, profiles, Places(), weights))


def found(words: str, who: Person | None = None, algorithm: float = 0.2, by_words: float = 1.0) -> list[str]:
    return [one.group_id for one in looked_for(words, who, algorithm, by_words)]


def test_chinese_and_english_find_the_same_group() -> None:
    """By name or purpose, in either language, full width or upper case; and nothing that does not say the words."""
    for words in ("徒步", "hiking", "ＨＩＫＩＮＧ", "山里"):
        assert found(words) == ["hike"]
    assert found("滑雪 skiing") == []


@given(st.sampled_from(["周末", "骑行 徒步", "cooking 山里"]), st.integers(0, 5))
def test_a_shorter_list_is_the_beginning_of_the_longer(words: str, k: int) -> None:
    """Groups, scores and reasons, with grades that change the order."""
    circles, profiles = town()
    pulses = Pulses()
    for n, group in enumerate(GROUPS):
        pulses.put(asked(founded(Pulse(id=group), AT), "need", "open", AT - timedelta(days=n % 2), 1))
    groups = Picture(circles, profiles, Places(), {**WEIGHTS, "algorithm": 2.0}, pulses)
    rider = joined(Person(id="p"), "ride", 1)
    assert search(rider, Asked(words), AT, groups, k) == search(rider, Asked(words), AT, groups)[:k]


def test_titles_of_notes_lead_to_their_group() -> None:
    """A word that only the title of a group's note had finds the group."""
    circles, profiles = town()
    kitchen = opened(GroupProfile(id="cook", v=1), "Kitchen", purpose="", audience="", seats_left=1)
    profiles.put(learn(kitchen, features("红烧肉放多少糖", "")))
    listed = search(Person(id="p"), Asked(words="红烧肉"), AT, Picture(circles, profiles, Places(), WEIGHTS))
    assert [one.group_id for one in listed] == ["cook"]
    assert isinstance(listed[0].reasons[0], Reason)
    assert listed[0].reasons[0].term in ("红烧", "烧肉")


def test_what_fits_the_person_comes_earlier() -> None:
    """Of the groups for the weekend, the one that people of one's own group are in rises with the weight of that."""
    rider = joined(Person(id="p"), "ride", 1)
    assert found("周末", rider, algorithm=0.1) == ["climb", "hike"]
    first = looked_for("周末", rider, algorithm=2.0)[0]
    assert (first.group_id, first.sources) == ("hike", ("search", "algorithm"))
    assert {type(why) for why in first.reasons} == {Reason, Because}


def test_a_reason_in_a_blend_is_true_of_its_source() -> None:
    """R13. Without the word, or the membership, the score that its source has given falls by what the reason weighs."""
    words, rider = "周末 骑行 山里", joined(Person(id="p"), "ride", 1)
    circles, profiles = town()
    told = [(one.group_id, why) for one in looked_for(words, rider, algorithm=2.0) for why in one.reasons]
    assert {type(why) for _, why in told} == {Reason, Because}
    for group, why in told:
        if isinstance(why, Reason):
            whole = features(words, "")
            rest = {term: count for term, count in whole.items() if term != why.term}
            fall = profiles.scores(whole)[group] - profiles.scores(rest)[group]
        elif why.kind == "popular":
            continue
        else:
            fall = circles.scores(rider)[group] - circles.scores(Person(id="p"))[group]
        assert fall == pytest.approx(why.weight)
        assert why.weight > 0


def test_who_asks_by_name_is_answered() -> None:
    """A group that was refused or left is found by its words; one that the person is in is not."""
    who = answered(left(joined(Person(id="p"), "hike", 1), "hike", 2), "climb", "refused", AT)
    assert found("徒步", who) == ["hike"]
    assert found("抱石", who) == ["climb"]
    assert found("徒步", joined(who, "hike", 3)) == []


def test_a_source_without_weight_is_not_heard() -> None:
    """At weight 0 the words alone decide, for everybody alike, and with no weight at all nothing is found."""
    assert looked_for("周末", answered(Person(id="p"), "hike", "refused", AT), 0.0) == looked_for("周末", algorithm=0.0)
    assert {one.sources for one in looked_for("周末", algorithm=0.0)} == {("search",)}
    assert found("周末", algorithm=0.0, by_words=0.0) == []


@given(st.lists(ids, unique=True), st.lists(ids, unique=True), st.floats(0.1, 10), st.floats(0.1, 10))
def test_blending_respects_both_orders(one: list[str], two: list[str], by_words: float, algorithm: float) -> None:
    """What is earlier in every source that has either of two groups is earlier in the blend; all are tagged."""
    lists: dict[Source, list[Found]] = {
        "search": [Found(group, (Reason("term", "t", 1.0),)) for group in one],
        "algorithm": [Found(group, (Because("popular", "", 1.0),)) for group in two],
    }
    made = blended(lists, {"search": by_words, "algorithm": algorithm})
    place = {candidate.group_id: n for n, candidate in enumerate(made)}
    assert place.keys() == {*one, *two}
    for candidate in made:
        by = [source for source, groups in (("search", one), ("algorithm", two)) if candidate.group_id in groups]
        assert list(candidate.sources) == by
        assert len(candidate.reasons) == len(by)
    for a, b in permutations(place, 2):
        telling = [groups for groups in (one, two) if a in groups or b in groups]
        if all(a in groups and (b not in groups or groups.index(a) < groups.index(b)) for groups in telling):
            assert place[a] < place[b]


def first(about: str, cell: str = "", who: Person | None = None) -> list[Candidate]:
    """The first list of somebody in no group."""
    circles, profiles = town()
    places = Places()
    places.put(GroupProfile(id="cook", v=1, cell=CELL))
    groups = Picture(circles, profiles, places, WEIGHTS)
    return introduced(who or Person(id="p"), Asked(about=about, cell=cell), AT, 5, groups)


def test_a_first_list_begins_with_what_was_said() -> None:
    """What the words speak for leads, then comes what is near, then what is popular; each says why."""
    assert first("想学做家常菜")[0].group_id == "cook"
    assert first("想学做家常菜")[0].sources == ("intent", "algorithm")
    assert {one.group_id for one in first("想学做家常菜")} == set(GROUPS)
    assert [one.group_id for one in first("徒步", CELL)][:2] == ["hike", "cook"]
    near = next(one for one in first("徒步", CELL) if one.group_id == "cook")
    assert Near in {type(why) for why in near.reasons}


def test_a_first_list_keeps_the_rules_of_lists() -> None:
    """Nothing that was refused, left or shown this week comes unasked, and nothing at all after three refusals."""
    who = answered(Person(id="p"), "hike", "refused", AT)
    assert "hike" not in {one.group_id for one in first("徒步", who=who)}
    who = saw(who, ["climb"], AT - timedelta(days=1))
    assert {one.group_id for one in first("徒步 攀岩", who=who)} == {"ride", "cook"}
    for group in ("ride", "cook"):
        who = answered(who, group, "reported", AT)
    assert first("徒步", who=who) == []
