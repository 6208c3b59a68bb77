"""R4, R13. Facts about the placement of notes into groups. All texts are our own."""

import tracemalloc
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommend.core import (
    GroupProfile,
    Method,
    Placement,
    Profiles,
    changed,
    counts,
    features,
    learn,
    noted,
    opened,
    unlearn,
    unnoted,
)
from services.recommend.core import index as postings
from services.recommend.core.profiles import KEEP_TERMS, MOST_TERMS
from services.recommend.core.terms import CHAR, MAX_TERMS, PAIR, WORD, kind

TALK = {
    "ride": ["周末骑行去湖边", "公路车换轮胎求推荐", "骑行头盔怎么选", "road bike tyre pressure"],
    "code": ["Python 异步队列怎么写", "asyncio task never awaited", "后端面试写代码", "C++ 和 Python 选哪个"],
    "cook": ["红烧肉放多少糖", "电饭煲做蛋糕", "周末做饭求菜谱", "sourdough starter smells"],
}
NOTES = [(group, title) for group, titles in TALK.items() for title in titles]

groups = st.sampled_from(sorted(TALK))
steps = st.lists(st.sampled_from(NOTES), max_size=25)
titles = st.lists(st.sampled_from([title for _, title in NOTES]), min_size=1, max_size=3).map(" ".join)


def fresh() -> dict[str, GroupProfile]:
    return {
        "ride": opened(GroupProfile(id="ride"), "骑行", purpose="一起骑车", audience="爱骑车的人", seats_left=5),
        "code": opened(
            GroupProfile(id="code"), "程序员", purpose="Talk about code", audience="Python 后端", seats_left=5
        ),
        "cook": opened(GroupProfile(id="cook"), "厨房", purpose="做饭和菜谱", audience="想学做饭的人", seats_left=5),
    }


def learned(path: list[tuple[str, str]]) -> dict[str, GroupProfile]:
    profiles = fresh()
    for group, title in path:
        profiles[group] = learn(profiles[group], features(title, ""))
    return profiles


def view_of(profiles: dict[str, GroupProfile]) -> Profiles:
    view = Profiles()
    for profile in profiles.values():
        view.put(profile)
    return view


def names(placements: list[Placement]) -> list[str]:
    return [placement.group_id for placement in placements]


def test_terms_are_readable() -> None:
    """Chinese gives characters and pairs, other scripts lower-cased words, tech names whole."""
    assert set(features("修车", "")) == {"修", "车", "修车"}
    assert set(features("C++ or Node.js?", "")) == {"c++", "or", "node.js"}
    assert [kind(term) for term in ("c++", "车", "修车")] == [WORD, CHAR, PAIR]


def test_title_weighs_more() -> None:
    """A term of the title counts three times, one of the text once, however often it is repeated."""
    assert features("茶", "水 水 水 茶") == {"茶": 3, "水": 1}


def test_links_and_keys_are_no_terms() -> None:
    """Neither a link nor a word of 25 letters becomes a term."""
    assert set(features("", f"see https://example.org/a?b=c {'x' * 25} now")) == {"see", "now"}


@given(st.text(max_size=300), st.text(max_size=600))
def test_features_are_bounded(title: str, text: str) -> None:
    """Any texts give at most 400 terms without white space, the same ones each time."""
    terms = features(title, text)
    assert len(terms) <= MAX_TERMS
    assert all(term and not any(c.isspace() for c in term) for term in terms)
    assert list(terms.items()) == list(features(title, text).items())


def test_only_the_first_200_characters_of_a_text_are_read() -> None:
    """What stands after the 200th character changes nothing."""
    assert features("", "好" * 200 + "python") == features("", "好" * 200)


@given(steps)
def test_replay_gives_equal_bytes(path: list[tuple[str, str]]) -> None:
    """The same notes in the same order give the same profile, byte for byte."""
    assert msgspec.json.encode(learned(path)) == msgspec.json.encode(learned(path))


@given(steps.flatmap(lambda path: st.tuples(st.just(path), st.permutations(path))))
def test_order_does_not_matter_before_pruning(
    paths: tuple[list[tuple[str, str]], list[tuple[str, str]]],
) -> None:
    """Until a profile is first pruned, the order of its notes leaves no trace in it."""
    path, shuffled = paths
    assert learned(path) == learned(shuffled)


def test_profile_survives_the_database() -> None:
    """A profile goes through plain types and back, with terms that hold a dot, a plus or a dollar."""
    profile = learn(fresh()["code"], {"node.js": 3, "c++": 1, "$where": 1})
    assert msgspec.convert(msgspec.to_builtins(profile), GroupProfile) == profile
    assert counts(profile)["$where"] == 1


def test_profile_is_bounded() -> None:
    """A group of endless new words keeps at most 5,000 terms in less than 100 KB, and its commonest word."""
    profile = fresh()["code"]
    for n in range(60):
        profile = learn(profile, {"python": 1} | {f"word{n}x{i}": 1 for i in range(300)})
        assert len(counts(profile)) <= MOST_TERMS
    assert len(counts(profile)) >= KEEP_TERMS
    assert "python" in counts(profile)
    assert len(profile.terms.encode()) < 100_000


def test_the_commonest_terms_stay() -> None:
    """Of too many the 4,000 with the highest counts; of equals words before characters before pairs, then a hash."""
    alphabet = [chr(0x4E00 + n) for n in range(40)]
    words = {f"w{n}": 1 + n % 3 for n in range(2_000)} | {one: 1 + n % 2 for n, one in enumerate(alphabet)}
    terms = words | {a + b: 1 + (a > b) for a in alphabet for b in alphabet} | {f"v{n}": 2 for n in range(1_400)}
    best = sorted(terms, key=lambda term: (-terms[term], kind(term), crc32(term.encode()), term))[:KEEP_TERMS]
    assert len(terms) > MOST_TERMS
    assert counts(learn(GroupProfile(id="g"), terms)) == {term: terms[term] for term in sorted(best)}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 900)), max_size=20))
def test_notes_of_a_batch_are_counted_at_once(path: list[tuple[bool, int, int]]) -> None:
    """To the same as one by one, to the byte, also where a profile is pruned on the way, and notes are taken back."""
    one = together = fresh()["code"]
    for gone, start, many in path:
        terms = {f"w{n}": 1 + n % 2 for n in range(start * 700, start * 700 + many)}
        one = (unlearn if gone else learn)(one, terms)
        together = (unnoted if gone else noted)(together, terms)
    assert together.closed() == one


@pytest.mark.parametrize("terms", [{"": 1}, {"two words": 1}, {"word": 0}])
def test_foreign_terms_are_refused(terms: dict[str, int]) -> None:
    """A term that would garble the profile raises instead."""
    with pytest.raises(ValueError, match="not a term"):
        learn(fresh()["code"], terms)


def test_a_change_of_seats_keeps_what_was_learned() -> None:
    """State and seats change, terms and notes stay."""
    before = learned(NOTES)["ride"]
    after = changed(before, state="closed", seats_left=0, sequence=2)
    assert (after.state, after.seats_left) == ("closed", 0)
    assert (after.terms, after.notes) == (before.terms, before.notes)


@pytest.mark.parametrize(
    ("title", "group"),
    [("骑行装备求推荐", "ride"), ("asyncio queue in Python", "code"), ("求红烧肉菜谱", "cook")],
)
def test_a_note_goes_where_its_talk_is(title: str, group: str) -> None:
    """The group that talks about it comes first, in Chinese and in English."""
    assert names(view_of(learned(NOTES)).place(features(title, "")))[0] == group


def test_a_new_group_is_found_by_its_charter() -> None:
    """A group without a single note is suggested for what its charter says."""
    assert names(view_of(fresh()).place(features("一起骑车吗", "")))[0] == "ride"


def test_a_lone_group_does_not_take_everything() -> None:
    """With one group in the system a note about it is placed there and a foreign note nowhere."""
    view = view_of({"ride": fresh()["ride"]})
    assert names(view.place(features("骑车", ""))) == ["ride"]
    assert view.place(features("sourdough starter", "")) == []


def test_an_empty_view_places_nothing() -> None:
    """No groups, no terms, no room for answers: no suggestion, no error."""
    assert Profiles().place(features("骑车", "")) == []
    assert view_of(learned(NOTES)).place({}) == []
    assert view_of(learned(NOTES)).place(features("骑车", ""), k=0) == []


@given(titles, groups, st.sampled_from(["full", "closed"]))
def test_full_and_closed_groups_never_come_out(title: str, group: str, how: str) -> None:
    """No note brings out a group without seats or a closed one."""
    profiles = learned(NOTES)
    profiles[group] = changed(
        profiles[group],
        state="closed" if how == "closed" else "open",
        seats_left=0 if how == "full" else 5,
        sequence=2,
    )
    assert group not in names(view_of(profiles).place(features(title, ""), floor=0.0))


def test_a_full_group_keeps_its_share() -> None:
    """The others gain nothing by a better place being full."""
    profiles = learned(NOTES)
    terms = features("骑行头盔", "")
    before = view_of(profiles).scores(terms)
    profiles["ride"] = changed(profiles["ride"], state="open", seats_left=0, sequence=2)
    assert view_of(profiles).scores(terms) == before


@given(titles, st.integers(0, 5), st.floats(0.0, 1.0))
def test_low_pressure(title: str, k: int, floor: float) -> None:
    """At most k groups, none under the floor, falling scores that are shares of one."""
    placements = view_of(learned(NOTES)).place(features(title, ""), k=k, floor=floor)
    scores = [placement.score for placement in placements]
    assert len(scores) <= k
    assert all(score >= floor for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) < 1


@given(titles, steps)
def test_reasons_are_true(title: str, path: list[tuple[str, str]]) -> None:
    """Each group has one to three reasons; without a reason's term its score falls by just that weight."""
    view = view_of(learned(path))
    terms = features(title, "")
    for placement in view.place(terms, floor=0.0):
        assert 1 <= len(placement.reasons) <= 3
        for reason in placement.reasons:
            rest = {term: count for term, count in terms.items() if term != reason.term}
            assert reason.weight > 0
            fallen = placement.score - view.scores(rest)[placement.group_id]
            assert fallen == pytest.approx(reason.weight, abs=1e-12)


def test_reasons_do_not_repeat_each_other() -> None:
    """Neighbouring pieces of one Chinese word are told once."""
    (first, *_) = view_of(learned(NOTES)).place(features("骑行头盔", ""))
    told = "".join(reason.term for reason in first.reasons)
    assert len(set(told)) == len(told)


@given(steps, groups)
def test_a_second_put_changes_nothing(path: list[tuple[str, str]], group: str) -> None:
    """The same profile put twice is the same as put once."""
    profiles = learned(path)
    once, twice = view_of(profiles), view_of(profiles)
    twice.put(profiles[group])
    for _, title in NOTES:
        assert twice.scores(features(title, "")) == once.scores(features(title, ""))


@given(steps, st.lists(groups, max_size=3))
def test_followed_view_equals_fresh_view(path: list[tuple[str, str]], away: list[str]) -> None:
    """A view followed note by note, with groups leaving and coming back, equals one built afresh."""
    profiles = fresh()
    # So few supposed notes that the weights of all terms move on the way.
    followed, built = Profiles(Method(first_notes=1)), Profiles(Method(first_notes=1))
    for profile in profiles.values():
        followed.put(profile)
    for group, title in path:
        profiles[group] = learn(profiles[group], features(title, ""))
        followed.put(profiles[group])
    for group in away:
        followed.remove(group)
    for group in away:
        followed.put(profiles[group])
    for group in sorted(profiles, reverse=True):
        built.put(profiles[group])
    for _, title in NOTES:
        assert followed.scores(features(title, "")) == pytest.approx(built.scores(features(title, "")), rel=1e-12)


@given(st.lists(st.tuples(groups, st.sampled_from(NOTES), st.sampled_from(["put", "put", "remove"])), max_size=25))
def test_groups_that_are_taken_up_together_are_as_one_by_one(path: list[tuple[str, tuple[str, str], str]]) -> None:
    """To the last bit: of new groups, of groups that learn meanwhile, that go and come back to others' places."""
    together, alone = Profiles(Method(first_notes=1)), Profiles(Method(first_notes=1))
    profiles = fresh()
    for group, (_, title), what in path:
        profiles[group] = learn(profiles[group], features(title, ""))
        for view in (together, alone):
            view.put(profiles[group]) if what == "put" else view.remove(group)
        alone.settle()
    for _, title in NOTES:
        assert together.scores(features(title, "")) == alone.scores(features(title, ""))
        assert together.place(features(title, ""), floor=0.0) == alone.place(features(title, ""), floor=0.0)


@pytest.mark.parametrize("terms", ["ride", "ride bike 2", "ride 1.5", "ride -1"])
def test_a_profile_that_cannot_be_read_raises(terms: str) -> None:
    """At once, and the groups beside it are as if it had not come."""
    view = view_of(learned(NOTES))
    before = view.place(features("骑行", ""))
    with pytest.raises(ValueError, match="not counts"):
        view.put(GroupProfile(id="bad", v=1, terms=terms))
    assert view.place(features("骑行", "")) == before


@given(st.lists(titles, min_size=1, max_size=3), steps)
def test_a_note_is_read_in_pieces(asked: list[str], path: list[tuple[str, str]]) -> None:
    """Lists, scores and reasons are the same to the last bit, however few entries are looked at together."""
    view, whole = view_of(learned(path)), postings.ENTRIES
    found = [view.place(features(title, ""), 3, 0.0) for title in asked]
    try:
        postings.ENTRIES = 1
        assert [view.place(features(title, ""), 3, 0.0) for title in asked] == found
    finally:
        postings.ENTRIES = whole


def test_a_long_query_takes_little_memory() -> None:
    """Of 200 terms that all of 4,000 groups use: less than three bytes for each pair of them."""
    said = {f"w{n}": 1 for n in range(200)}
    view = Profiles()
    for n in range(4_000):
        view.put(learn(opened(GroupProfile(id=f"g{n}"), f"x{n % 50}", purpose="", audience="", seats_left=1), said))
    asked = said | {"x7": 1}
    assert len(view.place(asked, 40, 0.0)) == 40
    tracemalloc.start()
    try:
        view.place(asked, 40, 0.0)
        assert tracemalloc.get_traced_memory()[1] < 3 * 200 * 4_000
    finally:
        tracemalloc.stop()


def test_a_removed_group_is_gone() -> None:
    """After remove a group neither comes out nor counts; removing it again is no error."""
    profiles = learned(NOTES)
    view = view_of(profiles)
    view.remove("ride")
    view.remove("ride")
    assert len(view) == 2
    assert "ride" not in view.scores(features("骑行", ""))


def test_an_older_version_is_ignored() -> None:
    """A profile that comes late does not undo a newer one."""
    profile = fresh()["ride"]
    newer = msgspec.structs.replace(changed(profile, state="closed", seats_left=0, sequence=2), v=7)
    view = view_of({"ride": newer})
    view.put(profile)
    assert view.place(features("骑车", ""), floor=0.0) == []


def test_little_known_groups_stand_back() -> None:
    """Of two groups that say the same in the same proportions, the one with more notes comes first."""
    new = opened(GroupProfile(id="new"), "茶馆", purpose="", audience="", seats_left=1)
    old = msgspec.structs.replace(new, id="old", notes=40)
    view = view_of({"new": new, "old": old})
    assert names(view.place(features("茶馆", ""), floor=0.0)) == ["old", "new"]


def test_a_term_of_no_weight_is_harmless() -> None:
    """A term so common that it weighs nothing neither breaks the view nor explains anything."""
    view = Profiles(Method(first_notes=1))
    profile = opened(GroupProfile(id="tea"), "茶", purpose="", audience="", seats_left=1)
    view.put(profile)
    assert view.place(features("茶", ""), floor=0.0) == []
    view.remove("tea")
    assert len(view) == 0


def test_more_groups_than_the_first_table() -> None:
    """The view grows past its first size without losing a group."""
    profiles = {
        f"g{n}": opened(GroupProfile(id=f"g{n}"), f"topic{n}", purpose="", audience="", seats_left=1)
        for n in range(150)
    }
    view = view_of(profiles)
    assert len(view) == 150
    assert names(view.place(features("topic149", ""))) == ["g149"]
