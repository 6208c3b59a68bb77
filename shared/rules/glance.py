"""What is not in which text, for many texts at once: tables that find nothing, as no match begins there, and runs.

Most tables find nothing in most texts, and numpy tells that for a whole batch in less time than one search takes.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.rules.begins import ANY, LONGEST
from shared.rules.phrases import Table
from shared.rules.sight import LEAST_RUN, RUN, Sight
from shared.text import Normalised

Hashes = NDArray[np.uint32]
Marks = NDArray[np.uint64]

_BITS = 15
_MARKS = 64
"""Tables that are told apart; of more of them some share a mark."""
_KEPT = 4_096
"""Sets of tables that are remembered; ordinary texts have some hundreds."""


class Glance:
    """The beginnings of all phrases of some tables, hashed: a table is never missed, and sometimes named in vain."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self._marked = np.zeros((LONGEST, 1 << _BITS), np.uint64)
        self._always = 0
        for place, table in enumerate(tables):
            mark = 1 << place % _MARKS
            begins = {begin.removesuffix(ANY) for begin in table.begins}
            if "" in begins:
                self._always |= mark
            for length in range(1, LONGEST + 1):
                heads = sorted(begin for begin in begins if len(begin) == length)
                for at in _hashed(_codes(heads))[length - 1]:
                    self._marked[length - 1, at[length - 1 :: length]] |= np.uint64(mark)
        self._empty = lru_cache(_KEPT)(self._without)

    def sights(self, texts: Sequence[tuple[str, Normalised]]) -> list[Sight]:
        """Sights of texts, each as it was written and as it reads, that know what is not in them."""
        if not texts:
            return []
        codes = _codes([f"\n{text.text}" for _, text in texts])
        lengths = np.fromiter((len(text.text) + 1 for _, text in texts), np.int64, len(texts))
        starts = np.cumsum(lengths) - lengths
        marks = np.bitwise_or.reduceat(self._begun(codes), starts).tolist()
        runs = np.logical_or.reduceat(_runs(codes), starts).tolist()
        made = []
        for (written, text), mark, run in zip(texts, marks, runs, strict=True):
            sight = Sight(written, text, None if run else {RUN: 1})
            sight.spans.update(self._empty(mark | self._always))
            made.append(sight)
        return made

    def _begun(self, codes: Hashes) -> Marks:
        """The marks of the tables of which a match may begin in what ends at each place."""
        marks = np.zeros(len(codes), np.uint64)
        for marked, (first, second) in zip(self._marked, _hashed(codes), strict=True):
            marks |= marked.take(first) & marked.take(second)
        return marks

    def _without(self, mark: int) -> dict[Table, None]:
        return {table: None for place, table in enumerate(self._tables) if not mark >> place % _MARKS & 1}


def _codes(texts: Sequence[str]) -> Hashes:
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)


def _runs(codes: Hashes) -> NDArray[np.bool_]:
    """Whether a run of at least `LEAST_RUN` ends at each place."""
    alike, runs = codes[1:] == codes[:-1], np.zeros(len(codes), bool)
    after = LEAST_RUN - 1
    if len(codes) > after:
        runs[after:] = np.logical_and.reduce([alike[at : len(alike) - after + 1 + at] for at in range(after)])
    return runs


def _hashed(codes: Hashes) -> list[tuple[Hashes, Hashes]]:
    """Two hashes of the runs of 1 to `LONGEST` characters that end at each place: few runs have both in common."""
    run = single = codes * np.uint32(0x9E3779B1)
    hashes = []
    for _ in range(LONGEST):
        mixed = (run ^ (run >> np.uint32(15))) * np.uint32(0xC2B2AE35)
        hashes.append((mixed >> np.uint32(32 - _BITS), mixed << np.uint32(_BITS) >> np.uint32(32 - _BITS)))
        longer = single.copy()
        longer[1:] += run[:-1] * np.uint32(0x85EBCA6B)
        run = longer
    return hashes
