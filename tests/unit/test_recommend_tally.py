"""Facts about counts that are held in one string."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.recommend.core import tally

names = st.sampled_from(["a", "b", "b2", "12", "7", "显示", "node.js", "c++", "-"])
changes = st.lists(st.tuples(names, st.integers(-3, 3)), max_size=12)
counts = st.dictionaries(names, st.integers(1, 9))


@given(counts, changes)
def test_what_is_added_is_as_counted_anew(before: dict[str, int], more: list[tuple[str, int]]) -> None:
    """Changes put in their place give the string that counting all again would give; names may be numbers, too."""
    whole = Counter(before)
    for name, change in more:
        whole[name] += change
    assert tally.added(tally.told(before), more) == tally.told({n: c for n, c in whole.items() if c})


@given(counts, changes)
def test_what_is_owed_is_made_good(before: dict[str, int], more: list[tuple[str, int]]) -> None:
    """A count below nothing stays, so that what comes later makes it good."""
    there = tally.added(tally.told(before), more)
    assert tally.added(there, [(name, -count) for name, count in more]) == tally.told(before)


@given(counts)
def test_it_is_read_as_it_was_told(before: dict[str, int]) -> None:
    """Names and counts come back, in order, and as many as there are."""
    told = tally.told(before)
    assert tally.read(told) == before
    assert list(tally.read(told)) == sorted(before)
    assert tally.size(told) == len(before)


@given(counts, names)
def test_one_count_is_found_without_the_others(before: dict[str, int], name: str) -> None:
    """That of the name, also where a count looks like it; 0 for a name that is not there."""
    assert tally.count_of(tally.told(before), name) == before.get(name, 0)


@given(counts, counts)
def test_what_differs_is_told_once(old: dict[str, int], new: dict[str, int]) -> None:
    """Each name whose count is another one, with both, 0 where there is none."""
    found = tally.differing(tally.told(old), tally.told(new))
    assert {name: (before, after) for name, before, after in found} == {
        name: (old.get(name, 0), new.get(name, 0)) for name in old.keys() | new.keys() if old.get(name) != new.get(name)
    }
    assert len(found) == len({name for name, _, _ in found})
