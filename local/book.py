"""Facts expected and facts seen, matched one by one. Generic: it knows no event."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

Fact = tuple[str, ...]
"""A kind and ids of something that is true once, as ("CommentPosted", "c-1")."""
TWO_BODIES = "two bodies under one id"

_EXPECTED, _SEEN = 1, 2


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fact that is expected and was not seen yet: since when (epoch seconds), and bytes of text behind it."""

    since: float
    size: int


class Book:
    """Expected and seen facts in any order; it grows by some 300 bytes a fact and holds no text.

    One record sent twice (same id, same digest) is a repeat and nothing more. One fact under two ids, or one id
    with two digests, is doubled. `waiting` is ordered, oldest first.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.waiting: dict[Fact, Waiting] = {}
        self.waiting_bytes = 0
        self.repeats = 0
        self.doubled: list[Fact] = []
        self._facts: dict[Fact, int] = {}
        self._ids: dict[str, int] = {}
        self._wanted: Counter[Fact] = Counter()
        self._counted: Counter[Fact] = Counter()

    def expect(self, *fact: str, size: int = 0) -> None:
        """This must come, or has come; expecting it again changes nothing."""
        known = self._facts.get(fact, 0)
        self._facts[fact] = known | _EXPECTED
        if not known:
            self.waiting[fact] = Waiting(self._clock(), size)
            self.waiting_bytes += size

    def expect_another(self, *fact: str) -> None:
        """One more of a fact that may be true several times: the k-th is expected as (*fact, k)."""
        self._wanted[fact] += 1
        self.expect(*fact, str(self._wanted[fact]))

    def is_repeat(self, id_: str, digest: int, kind: str) -> bool:
        """Whether this id was here before; with another digest that is one id for two facts, hence doubled."""
        known = self._ids.get(id_)
        if known is None:
            self._ids[id_] = digest
            return False
        self.repeats += 1
        if known != digest:
            self.doubled.append((kind, TWO_BODIES, id_))
        return True

    def see(self, *fact: str) -> bool:
        """A fact has come under an id of its own; False when it had come before, under another id."""
        known = self._facts.get(fact, 0)
        if known & _SEEN:
            self.doubled.append(fact)
            return False
        self._facts[fact] = known | _SEEN
        waited = self.waiting.pop(fact, None)
        self.waiting_bytes -= waited.size if waited else 0
        return True

    def see_another(self, *fact: str) -> bool:
        """The next one of a fact that may be true several times."""
        self._counted[fact] += 1
        return self.see(*fact, str(self._counted[fact]))

    def seen(self, *fact: str) -> bool:
        """Whether it has come."""
        return bool(self._facts.get(fact, 0) & _SEEN)

    def expected(self, *fact: str) -> bool:
        """Whether it is expected, come or not."""
        return bool(self._facts.get(fact, 0) & _EXPECTED)

    def unexpected(self, kinds: Collection[str]) -> Iterator[Fact]:
        """What has come of these kinds without being expected."""
        return (fact for fact, known in self._facts.items() if known == _SEEN and fact[0] in kinds)

    def oldest(self) -> float:
        """Seconds since the oldest waiting fact was expected; 0 when nothing waits."""
        return max(0.0, self._clock() - next(iter(self.waiting.values())).since) if self.waiting else 0.0
