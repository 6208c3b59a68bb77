"""The assignor: every lane whole, with one member, in a rollout too."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from shared.assignor import LaneAssignor

TOPICS = ("a", "b", "c")


class Cluster:
    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._counts[topic])) if topic in self._counts else None


def assigned(counts: Mapping[str, int], members: Mapping[str, list[str]]) -> dict[str, dict[str, set[int]]]:
    metadata = {member: LaneAssignor.metadata(topics) for member, topics in members.items()}
    made = LaneAssignor.assign(Cluster(counts), metadata)
    return {member: {topic: set(numbers) for topic, numbers in given.assignment} for member, given in made.items()}


members = st.dictionaries(
    st.text("mnop", min_size=1, max_size=3),
    st.lists(st.sampled_from(TOPICS), min_size=1, unique=True).map(sorted),
    min_size=1,
    max_size=6,
)


@given(partitions=st.integers(1, 13), members=members)
def test_a_lane_has_one_member_and_is_whole(partitions: int, members: dict[str, list[str]]) -> None:
    """Whoever has partition i of one topic has it of all topics that it reads, and nobody else has any."""
    given = assigned(dict.fromkeys(TOPICS, partitions), members)
    assert given.keys() == members.keys()
    for number in range(partitions):
        owners = [m for m, held in given.items() if any(number in numbers for numbers in held.values())]
        assert len(owners) == 1
        held = {topic for topic, numbers in given[owners[0]].items() if number in numbers}
        assert held == set(members[owners[0]])


@given(partitions=st.integers(1, 13), count=st.integers(1, 6))
def test_lanes_are_spread_evenly(partitions: int, count: int) -> None:
    """No member has two lanes more than another."""
    given = assigned({"a": partitions}, {f"m{n}": ["a"] for n in range(count)})
    sizes = [len(held.get("a", ())) for held in given.values()]
    assert max(sizes) - min(sizes) <= 1


def test_a_topic_that_is_not_there_yet_is_left_out() -> None:
    """A member may read a topic that has not been made."""
    assert assigned({"a": 1}, {"m": ["a", "b"]}) == {"m": {"a": {0}}}
