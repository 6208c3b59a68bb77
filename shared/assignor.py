"""Which member of a consumer group gets which lane."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


class LaneAssignor(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka ships no types
    """Partition i of every topic of a key goes to one member, spread evenly over the members.

    A topic that the lane's member does not read goes to nobody: in a rollout that adds a topic, old members
    keep whole lanes of what they read, and no lane is without an owner while old and new are mixed.
    """

    name = "lianyi-lanes"
    version = 0

    @classmethod
    def assign(
        cls, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Lanes in order of their number, members in order of their id."""
        given: dict[str, dict[str, list[int]]] = {member: {} for member in members}
        topics = {topic for metadata in members.values() for topic in metadata.subscription}
        numbers = {p for topic in topics for p in cluster.partitions_for_topic(topic) or ()}
        order = sorted(members)
        for number in sorted(numbers):
            member = order[number % len(order)]
            for topic in sorted(members[member].subscription):
                if number in (cluster.partitions_for_topic(topic) or ()):
                    given[member].setdefault(topic, []).append(number)
        return {
            member: ConsumerProtocolMemberAssignment(cls.version, sorted(topics.items()), b"")
            for member, topics in given.items()
        }

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What a member tells of itself: its topics."""
        return ConsumerProtocolMemberMetadata(cls.version, sorted(topics), b"")

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing is kept between assignments."""
