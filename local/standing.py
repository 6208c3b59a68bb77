"""What the ledger keeps of people, notes and groups: who earned what, who helped where, who is in."""

from collections import Counter
from dataclasses import dataclass, field

TIERS: tuple[tuple[str, int], ...] = (("newcomer", 0), ("contributor", 1), ("mainstay", 3))
"""Tiers from low to high, and the accepted answers and taken advice that each asks for: the policy as published,
written down here a second time on purpose."""

EARNS = frozenset({"answer_accepted", "advice_taken"})


def tier_of(contributions: int) -> str:
    """The highest tier that so many contributions earn."""
    return next(name for name, least in reversed(TIERS) if contributions >= least)


def rank(tier: str) -> int:
    """The place of a tier; -1 for one that is not in the policy."""
    return next((place for place, (name, _) in enumerate(TIERS) if name == tier), -1)


@dataclass(slots=True)
class Standing:
    """One person in one group: help expected to count there by kind, and what the topics told of their tier.

    `told` is (sequence, tier before or "" for a joining, tier after).
    """

    earned: dict[str, int] = field(default_factory=dict)
    told: list[tuple[int, str, str]] = field(default_factory=list)
    member: bool = False
    joinings: int = 0
    """How often they must have joined."""

    def earn(self, kind: str) -> None:
        """One more contribution that must count."""
        self.earned[kind] = self.earned.get(kind, 0) + 1

    @property
    def due(self) -> str:
        """The tier that a member must have in the end."""
        return tier_of(sum(count for kind, count in self.earned.items() if kind in EARNS))

    def faults(self) -> tuple[list[str], list[str]]:
        """What is missing in the chain and what is too much, in words; a guest has no chain and no fault.

        A chain starts with a joining, each change starts where the last one ended, goes up, and the last one ends
        at `due`. (Only what a member earns while away may be told first at the next joining.)
        """
        lost: list[str] = []
        doubled: list[str] = []
        now = ""
        for _, before, after in sorted(self.told):
            if before and (before != now or rank(after) <= rank(before)):
                doubled.append(f"{before} to {after} while {now or 'not a member'}")
            now = after
        if self.member and rank(now) < rank(self.due):
            lost.append(f"{self.due}, is {now or 'nothing'}")
        if self.member and rank(now) > rank(self.due):
            doubled.append(f"{now}, has earned {self.due}")
        return lost, doubled


@dataclass(slots=True)
class Thread:
    """A note: who helped in it, by kind and source, to which groups it was handed over, and which know its text."""

    helps: dict[tuple[str, str], str] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    taught: Counter[str] = field(default_factory=Counter)
    deleted: bool = False

    def faults(self) -> tuple[list[str], list[str]]:
        """Groups that were not taught the note, and those that were too often: once each, and a deleted one to none."""
        due = dict.fromkeys(self.groups, 0 if self.deleted else 1)
        places = due.keys() | self.taught.keys()
        return (
            [group for group in places if self.taught[group] < due.get(group, 0)],
            [group for group in places if self.taught[group] > due.get(group, 0)],
        )


@dataclass(slots=True)
class Group:
    """A group as the HTTP answers make it, and the newest state that the topics tell of it."""

    seats: int
    state: str = "open"
    people: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    told: tuple[int, str, int, int] | None = None
    """Sequence, state, members, how many wait."""

    @property
    def idle(self) -> bool:
        """Whether somebody waits though a seat is free."""
        return bool(self.waiting) and self.state == "open" and len(self.people) < self.seats

    circle: int = 0
    """Members that the turns of the circle come to."""
