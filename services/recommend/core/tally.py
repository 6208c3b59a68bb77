"""Counts by name in one string, "name count name count ...", in the order of the names: as documents hold them.

One string, because a name may hold '.' or '$' and must not become a key, and because BSON spends three times the bytes
on two arrays. What is added is put in its place: a document of thousands of names is not made anew for a few.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping


def read(tally: str) -> dict[str, int]:
    """The counts, in the order of the names."""
    return {name: int(count) for name, count in parts(tally).items()}


def parts(tally: str) -> dict[str, str]:
    """The counts as they stand there, in the order of the names: a number is made of those alone that are wanted."""
    told = tally.split(" ") if tally else []
    return dict(zip(told[::2], told[1::2], strict=True))


def count_of(tally: str, name: str) -> int:
    """The count of one name, 0 where it has none: the others are not read."""
    told, word = f" {tally} ", f" {name} "
    at = told.find(word)
    while at >= 0 and told.count(" ", 0, at) % 2:  # a count that looks like the name
        at = told.find(word, at + 1)
    if at < 0:
        return 0
    start = at + len(word)
    return int(told[start : told.index(" ", start)])


def joined(counts: Mapping[str, str]) -> str:
    """The string of such counts, in whatever order they are."""
    names = sorted(counts)
    told = [""] * (2 * len(names))
    told[::2], told[1::2] = names, map(counts.__getitem__, names)
    return " ".join(told)


def told(counts: Mapping[str, int]) -> str:
    """The counts in one string. No name may be empty, or hold white space."""
    return " ".join(f"{name} {counts[name]}" for name in sorted(counts))


def size(tally: str) -> int:
    """How many names have a count."""
    return (tally.count(" ") + 1) // 2


def differing(old: str, new: str) -> list[tuple[str, int, int]]:
    """The names whose counts differ, with the old count and the new one."""
    was, now = parts(old), parts(new)
    found = [(name, int(was.get(name, 0)), int(count)) for name, count in now.items() if was.get(name) != count]
    if len(now) - sum(not before for _, before, _ in found) == len(was):
        return found  # nothing has gone
    return found + [(name, int(was[name]), 0) for name in was.keys() - now.keys()]


def added(tally: str, more: Iterable[tuple[str, int]]) -> str:
    """The string with more of some names, which must not be empty, or hold white space.

    What comes to 0 goes. What comes to less is a debt, and waits for what makes it good.
    """
    changes: dict[str, int] = {}
    for name, change in more:
        changes[name] = changes.get(name, 0) + change
    parts = tally.split(" ") if tally else []
    names = parts[::2]
    merged: list[str] = []
    done = 0
    for name in sorted(changes):
        at = bisect_left(names, name, done)
        held = at < len(names) and names[at] == name
        count = changes[name] + (int(parts[2 * at + 1]) if held else 0)
        merged += parts[2 * done : 2 * at]
        if count:
            merged += name, str(count)
        done = at + held
    merged += parts[2 * done :]
    return " ".join(merged)
