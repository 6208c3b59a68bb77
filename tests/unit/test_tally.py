"""The numbers of a report: shares, quantiles, lag over time."""

from hypothesis import given
from hypothesis import strategies as st

from local.report import quantile, sparkline
from local.tally import MOST_SAMPLES, Hits, Lag, Popularity


def test_a_hit_counts_from_its_place_on() -> None:
    """The third of a list is among the first three and five, not the first."""
    hits = Hits()
    hits.count("c", ["a", "b", "c", "d"])
    hits.count("x", [])
    assert hits.shares() == "0.000 @1, 0.500 @3, 0.500 @5"


def test_popularity_knows_what_was_told() -> None:
    """It offers at most five, the most frequent first, of equals the one told first."""
    popularity = Popularity()
    popularity.told.update(["a", "b", "b", "c", "d", "e", "f"])
    assert popularity.first() == ["b", "a", "c", "d", "e"]


@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=3 * MOST_SAMPLES))
def test_lag_keeps_its_peak_in_bounded_memory(values: list[float]) -> None:
    """However long a feed takes, the samples stay few and the highest one is among them."""
    lag = Lag()
    for number, value in enumerate(values):
        lag.add(number, value, value)
    assert len(lag.samples) <= MOST_SAMPLES
    assert max(lag.waiting) == max(lag.seconds) == max(values)


@given(count=st.integers(1, 3 * MOST_SAMPLES), most=st.integers(1, 20))
def test_stretches_are_few_and_end_with_the_last(count: int, most: int) -> None:
    """A table of a few rows in time order, with the peak of each stretch, up to the last sample."""
    lag = Lag()
    for number in range(count):
        lag.add(number, count - number, 0.0, 1.0)
    told = lag.stretches(most)
    assert 1 <= len(told) <= most
    assert told == sorted(told)
    assert (told[-1][0], told[0][1]) == (count - 1, count)


@given(values=st.lists(st.floats(0, 100), min_size=1), share=st.floats(0, 1))
def test_a_quantile_is_one_of_the_values(values: list[float], share: float) -> None:
    """Nearest rank: never a number that was not measured, never below a lower quantile."""
    assert quantile(values, 0.0) <= quantile(values, share) <= max(values)
    assert quantile(values, share) in values
    assert quantile([], share) == 0.0


@given(values=st.lists(st.floats(0, 100), min_size=1, max_size=500))
def test_a_sparkline_shows_the_peak(values: list[float]) -> None:
    """At most so many bars, and a full one where the highest value is."""
    bars = sparkline(values, 40)
    assert 1 <= len(bars) <= 40
    assert ("█" in bars) == (max(values) > 0)
