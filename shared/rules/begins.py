"""With which characters whatever an expression matches may begin: a small algebra of sets of strings.

Each match begins with one of the strings. One that ends in `ANY` says no more than what stands before that; any other
is the whole match, or `LONGEST` characters of it.
"""

from collections.abc import Iterable

LONGEST = 3
ANY = "\uffff"
"""Stands for what is not told; no character of a text."""
MOST = 512
"""Strings of one set; one that would have more tells fewer characters."""

Begins = frozenset[str]

NOTHING: Begins = frozenset({""})
"""Of what matches without a character."""
ANYTHING: Begins = frozenset({ANY})
BLANKS: Begins = frozenset(char for char in map(chr, range(0x3001)) if char.isspace())
"""What `\\s` matches."""


def between(low: str, high: str) -> Begins:
    """The characters of a range, unless they are too many."""
    many = range(ord(low), ord(high) + 1)
    return frozenset(map(chr, many)) if len(many) <= MOST else ANYTHING


def either(parts: Iterable[Begins]) -> Begins:
    """Of alternatives."""
    return _fewer(frozenset[str]().union(*parts))


def then(first: Begins, second: Begins) -> Begins:
    """Of one after the other; `first` itself if no more can be told."""
    going_on = [begin for begin in first if not _told(begin)]
    if not going_on:
        return first
    room = LONGEST - min(map(len, going_on))
    second = _fewer(frozenset(begin[:room] for begin in second), MOST // len(going_on))
    return _fewer(first.difference(going_on) | {(s + t)[:LONGEST] for s in going_on for t in second})


def times(part: Begins, least: int, most: int) -> Begins:
    """Of a part so often in a row."""
    found, row = set[Begins](), NOTHING
    for time in range(most + 1):
        if time >= least:
            found.add(row)
        further = then(row, part)
        if further == row and time >= least:
            break
        row = further
    return either(found)


def _told(begin: str) -> bool:
    return len(begin) == LONGEST or begin.endswith(ANY)


def _fewer(strings: Begins, most: int = MOST) -> Begins:
    for keep in range(LONGEST - 1, -1, -1):
        if len(strings) <= most:
            break
        strings = frozenset(s if len(s) <= keep else s[:keep] + ANY for s in strings)
    return strings
