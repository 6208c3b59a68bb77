"""What is wrong with a set of rules, and where."""

from dataclasses import dataclass

MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column in a source, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, what, and what to write instead, if that can be told."""

    place: Place
    what: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.place.line}:{self.place.column}: {self.what}{hint}"


class BadRules(ValueError):
    """A source that is no set of rules. Nothing of it is taken; `faults` has at most `MOST_TOLD`, in their order."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda f: (f.place.line, f.place.column))[:MOST_TOLD])
        super().__init__("\n".join(map(str, self.faults)))


def bad(place: Place, what: str, hint: str = "") -> BadRules:
    """One fault, to raise."""
    return BadRules([Fault(place, what, hint)])
