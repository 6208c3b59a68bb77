"""Which groups use a term and how often, and what terms weigh: postings that are followed profile by profile.

Weights and counts are whole numbers, and so are the norms |c_g W|^2: they come out the same in whatever order groups
came. A group that uses a million terms a million times each is still far from where 64 bits would not do.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.recommend.core import tally
from services.recommend.core.terms import kind

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BITS = 32
_COUNT = (1 << _BITS) - 1
_AT_ONCE = 4_096
ENTRIES = 1 << 14
"""Of terms by groups that are looked at together, if one term alone has no more: few megabytes at a time."""


class _Term(msgspec.Struct, eq=False, gc=False):
    """`post` holds (slot << 32) + count for each group that uses the term, in order: eight bytes each.

    `total` is the sum of the counts; `weight` is 0 until it is weighed first.
    """

    name: str
    kind: int
    post: "array[int]"
    total: int
    weight: int = 0


class Evidence(msgspec.Struct, frozen=True):
    """Known terms of a note, and who uses them: an entry for each term and each group that has it, term after term.

    By entry: `slots` is the group's, `counts` its count. By term: `names`, `weights` and `times` (how often the note
    has it); `starts` is the first of its `many` entries.
    """

    names: list[str]
    weights: Floats
    times: Floats
    starts: NDArray[np.intp]
    many: NDArray[np.intp]
    slots: Ints
    counts: Ints


class Index:
    """Groups by slot. `weigh` makes the weight of a term out of its kind and its total, when it is wanted next."""

    def __init__(self, weigh: Callable[[int, int], int]) -> None:
        self._weigh = weigh
        self._terms: dict[str, _Term] = {}
        # Terms to be weighed anew before the next score: once, however many profiles have changed their counts.
        self._stale: set[_Term] = set()
        self.norms: Ints = np.zeros(0, dtype=np.int64)
        """|c_g W|^2 per slot, once all is settled."""

    def grow(self, more: int) -> None:
        """Make room for more slots."""
        self.norms = np.concatenate([self.norms, np.zeros(more, dtype=np.int64)])

    def take(self, slot: int, old: str, new: str) -> None:
        """Replace a slot's counts, as `tally` has them; terms that become rarer or commoner are to be weighed."""
        first, norm, known = slot << _BITS, 0, self._terms
        changed: list[_Term] = []
        for name, before, after in tally.differing(old, new):
            term = known.get(name)
            if term is None:
                term = known[name] = _Term(name, kind(name), array("q"), 0)
            changed.append(term)
            more = after - before
            term.total += more
            norm += more * (after + before) * term.weight * term.weight
            post = term.post
            if not post or post[-1] < first:
                post.append(first + after)
                continue
            place = bisect_left(post, first)
            if not before:
                post.insert(place, first + after)
            elif after:
                post[place] = first + after
            else:
                del post[place]
        self._stale.update(changed)
        self.norms[slot] += norm

    def renew(self) -> None:
        """All terms are to be weighed."""
        self._stale.update(self._terms.values())

    def settle(self) -> bool:
        """Weigh what is to be weighed; the norms of all that use a term move with its weight. Whether there was any."""
        stale = list(self._stale)
        self._stale.clear()
        for start in range(0, len(stale), _AT_ONCE):
            moved, by = list[_Term](), list[int]()
            for term in stale[start : start + _AT_ONCE]:
                if not term.post:
                    del self._terms[term.name]
                    continue
                weight, before = self._weigh(term.kind, term.total), term.weight
                if weight != before:
                    term.weight = weight
                    moved.append(term)
                    by.append(weight**2 - before**2)
            entries, many = _entries(moved)
            more = (entries & _COUNT) ** 2 * np.repeat(np.array(by, dtype=np.int64), many)
            np.add.at(self.norms, entries >> _BITS, more)
        return bool(stale)

    def evidence(self, note: Mapping[str, int]) -> Iterator[Evidence]:
        """What is known of the terms of a note, once all is settled: in pieces of some ten thousand entries, or of one
        term that more groups use, so that a long note takes no more memory than a short one. No group is twice in what
        a term says.
        """
        some: list[_Term] = []
        entries = 0
        for name in note:
            term = self._terms.get(name)
            if term is None:
                continue
            if some and entries + len(term.post) > ENTRIES:
                yield _evidence(some, note)
                some, entries = [], 0
            some.append(term)
            entries += len(term.post)
        if some:
            yield _evidence(some, note)


def _evidence(terms: list[_Term], note: Mapping[str, int]) -> Evidence:
    entries, many = _entries(terms)
    return Evidence(
        names=[term.name for term in terms],
        weights=np.array([term.weight for term in terms], dtype=float),
        times=np.array([note[term.name] for term in terms], dtype=float),
        starts=np.cumsum(many) - many,
        many=many,
        slots=entries >> _BITS,
        counts=entries & _COUNT,
    )


def _entries(terms: list[_Term]) -> tuple[Ints, NDArray[np.intp]]:
    """All entries of some terms, one after the other, and how many each has."""
    every = array("q")
    for term in terms:
        every.extend(term.post)
    return np.array(every, dtype=np.int64), np.array([len(term.post) for term in terms], dtype=np.intp)
