"""The mute of a rebuild: how far a lane folds again what it has told before, and holds until all topics are there."""

from collections.abc import Iterable, Mapping


class Mute:
    """Of one lane, by topic: the position from before the rebuild.

    While it is on, nothing at or behind these positions is let in, so that every input of the lane is a past one.
    """

    def __init__(self, until: Mapping[str, int], topics: Iterable[str]) -> None:
        self._until = {topic: until.get(topic, 0) for topic in topics} if until else {}
        self._arrived: set[str] = set()

    @property
    def on(self) -> bool:
        """Whether the lane is rebuilding."""
        return bool(self._until)

    def holds(self, topic: str, offset: int) -> bool:
        """Whether a record must wait; its topic has then arrived, also where the broker has nothing in between."""
        if not self.on or offset < self._until[topic]:
            return False
        self._arrived.add(topic)
        return True

    def over(self, done: Mapping[str, int]) -> bool:
        """Whether a lane that is mute has arrived with all its topics."""
        self._arrived |= {topic for topic, until in self._until.items() if done[topic] >= until}
        return self.on and self._arrived == self._until.keys()

    def waiting(self) -> frozenset[str]:
        """Topics that have arrived before the others."""
        return frozenset(self._arrived)

    def left(self, done: Mapping[str, int]) -> int:
        """Records still to be folded again, at most."""
        return sum(max(0, until - done[topic]) for topic, until in self._until.items() if topic not in self._arrived)
