"""A lane is behind what was there when somebody looked, until it has passed that."""

from datetime import UTC, datetime, timedelta

from shared.flow.backlog import Backlog

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def test_what_is_there_counts_from_the_look() -> None:
    """And ends as soon as the lane has passed it, before the next look."""
    backlog = Backlog()
    backlog.told(at(0), {"t": 5}, {"t": 5})
    assert backlog.age(at(9), {"t": 5}, None) == 0
    backlog.told(at(10), {"t": 5}, {"t": 7})
    backlog.told(at(20), {"t": 6}, {"t": 9})
    assert backlog.age(at(30), {"t": 6}, None) == 20
    assert backlog.age(at(30), {"t": 7}, None) == 0


def test_a_lane_that_moves_is_as_late_as_what_it_has_not_passed() -> None:
    """Always a little behind an end that grows, it never adds up."""
    backlog = Backlog()
    for n in range(100):
        backlog.told(at(5 * n), {"t": 10 * n}, {"t": 10 * n + 9})
    assert backlog.age(at(496), {"t": 991}, None) == 1


def test_a_silence_counts_from_its_beginning() -> None:
    """Whatever the lane has passed; the first answer says anew what is there."""
    backlog = Backlog()
    backlog.told(at(0), {"t": 5}, None)
    backlog.told(at(10), {"t": 5}, None)
    assert backlog.age(at(20), {"t": 5}, None) == 20
    backlog.told(at(30), {"t": 5}, {"t": 6})
    assert backlog.age(at(31), {"t": 5}, None) == 1
    assert backlog.age(at(31), {"t": 6}, None) == 0


def test_the_oldest_counts() -> None:
    """In hand, or not seen; a clock that runs behind makes no age below nothing."""
    backlog = Backlog()
    backlog.told(at(10), {"t": 5}, {"t": 6})
    assert backlog.age(at(30), {"t": 5}, at(0)) == 30
    assert backlog.age(at(30), {"t": 5}, at(25)) == 20
    assert backlog.age(at(30), {"t": 6}, at(31)) == 0


def test_records_are_counted_to_the_furthest_end() -> None:
    """Of the last fetch and the last look; a topic of which neither is known has none."""
    backlog = Backlog()
    backlog.told(at(0), {"t": 5, "u": 0}, {"t": 9, "u": 0})
    assert backlog.records({"t": 5, "u": 0}, {"t": 7, "u": None}.get) == 4
    assert backlog.records({"t": 5, "u": 0}, {"t": 11, "u": 2}.get) == 8
