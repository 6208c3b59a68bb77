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
COMING = 1 << 20
"""Counts of new slots that wait to be worked in, at the most: some thirty megabytes, and half a second."""
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


class _Numbers(dict[str, int]):
    """Words in the order in which they were asked for first."""

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self)
        return number


class _Coming:
    """Counts of slots that had none, as `tally` has them, a number for each word: name and count in turns."""

    def __init__(self) -> None:
        self.slots: list[int] = []
        self.told: list[NDArray[np.int32]] = []
        self.words = _Numbers()
        self.many = 0

    def add(self, slot: int, new: str) -> None:
        told = new.split(" ")
        if len(told) % 2 or not "".join(told[1::2]).isdecimal():
            raise ValueError("not counts by name")
        self.told.append(np.fromiter(map(self.words.__getitem__, told), np.int32, len(told)))
        self.slots.append(slot)
        self.many += len(told) // 2

    def entries(self) -> tuple[list[str], Ints, Ints, Ints]:
        """The names, and by entry, in the order of names and slots: the number of its name, its slot, its count."""
        told, every = np.concatenate(self.told), list(self.words)
        named, worth = np.zeros(len(every), dtype=np.int64), np.zeros(len(every), dtype=np.int64)
        named[told[::2]] = 1
        counted = np.flatnonzero(np.bincount(told[1::2], minlength=len(every))).tolist()
        worth[counted] = [int(every[n]) for n in counted]
        numbers, counts = (np.cumsum(named) - 1)[told[::2]], worth[told[1::2]]
        slots = np.repeat(np.array(self.slots, dtype=np.int64), [len(one) // 2 for one in self.told])
        order = np.argsort((numbers << _BITS) + slots)
        return [every[n] for n in np.flatnonzero(named).tolist()], numbers[order], slots[order], counts[order]


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
    """Groups by slot. `weigh` makes the weight of a term out of its kind and its total, when it is wanted next.

    The counts of new slots are gathered, and worked in together before anything else is done: a start over many groups
    is a few sorted arrays, and not a step for each term of each group.
    """

    def __init__(self, weigh: Callable[[int, int], int]) -> None:
        self._weigh = weigh
        self._terms: dict[str, _Term] = {}
        # Terms to be weighed anew before the next score: once, however many profiles have changed their counts.
        self._stale: set[_Term] = set()
        self._coming = _Coming()
        self.norms: Ints = np.zeros(0, dtype=np.int64)
        """|c_g W|^2 per slot, once all is settled."""

    def grow(self, more: int) -> None:
        """Make room for more slots."""
        self.norms = np.concatenate([self.norms, np.zeros(more, dtype=np.int64)])

    def take(self, slot: int, old: str, new: str) -> None:
        """Replace a slot's counts, as `tally` has them; terms that become rarer or commoner are to be weighed."""
        if not old:
            if new:
                self._coming.add(slot, new)
            if self._coming.many >= COMING:
                self._work_in()
            return
        self._work_in()
        first, norm, known = slot << _BITS, 0, self._terms
        changed: list[_Term] = []
        for name, before, after in tally.differing(old, new):
            term = known.get(name) or self._new(name)
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

    def _work_in(self) -> None:
        """Take up the counts that have been gathered, each term's at once."""
        if not self._coming.slots:
            return
        new, self._coming = self._coming, _Coming()
        names, numbers, slots, counts = new.entries()
        terms = [self._terms.get(name) or self._new(name) for name in names]
        weights = np.array([term.weight for term in terms], dtype=np.int64)
        if weights.any():
            np.add.at(self.norms, slots, (counts * weights[numbers]) ** 2)
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        totals, entries = np.add.reduceat(counts, starts).tolist(), (slots << _BITS) + counts
        for term, total, start, end in zip(terms, totals, starts.tolist(), [*starts[1:].tolist(), None], strict=True):
            term.total += total
            _merge(term.post, entries[start:end])
        self._stale.update(terms)

    def _new(self, name: str) -> _Term:
        term = self._terms[name] = _Term(name, kind(name), array("q"), 0)
        return term

    def renew(self) -> None:
        """All terms are to be weighed."""
        self._stale.update(self._terms.values())

    def settle(self) -> bool:
        """Weigh what is to be weighed; the norms of all that use a term move with its weight. Whether there was any."""
        self._work_in()
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


def _merge(post: "array[int]", more: Ints) -> None:
    """Put entries in order among those that are there; of a start they come after all of them."""
    if post and post[-1] > more[0]:
        more = np.sort(np.concatenate([_ints(post), more]))
        del post[:]
    post.frombytes(more.tobytes())


def _ints(numbers: "array[int]") -> Ints:
    return np.array(numbers, dtype=np.int64)


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
    return _ints(every), np.array([len(term.post) for term in terms], dtype=np.intp)
