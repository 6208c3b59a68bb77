"""A person across groups: where they are, what they said no to, what they were shown; one bounded document.

What a change of memberships does to the groups' circles (see `circles`) is computed here too, from the document
before and after it. The result of a set of joins, leaves and answers does not depend on their order: a membership is
told by the higher sequence, an answer by the later time, and the shares of a person's pairs are whole numbers that
add up to the same whatever the way.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from zlib import crc32

import msgspec
from msgspec.structs import replace

from shared.flow.documents import Document

Answer = Literal["", "joined", "refused", "liked", "reported"]

SHARE = 128
"""What a person has to give to each pair of their groups, if they were in one group only."""
MOST_GROUPS = 128
"""A person in more groups than this says nothing of which groups go together, and costs nothing."""
MOST_SEEN = 1_000
LOOK = timedelta(hours=1)
"""Within this time a group that is shown again is seen once: a list that is refreshed is no second look."""
FEEDBACK_KEPT = 500


class Tie(msgspec.Struct, frozen=True):
    """One person and one group. `sequence` is that of the last join or leave that was taken up, 0 if there was none.

    `answer` is the person's last word on the suggestion: "refused" is "not for me"; "joined" is what they say, until
    the group says it too; "liked" leaves the group on their lists, "reported" does not. `seen` counts how often the
    group was shown to them. The times are of the last of each.
    """

    group_id: str
    member: bool = False
    sequence: int = 0
    answer: Answer = ""
    answered_at: datetime | None = None
    seen: int = 0
    seen_at: datetime | None = None


class Person(Document, frozen=True, kw_only=True):
    """One person as `recommend` sees them; the ties in the order of the groups' ids.

    All memberships are kept, and of the groups that they are not in the 500 that say most.
    """

    COLLECTION: ClassVar[str] = "people"
    REBUILT: ClassVar[bool] = True

    ties: tuple[Tie, ...] = ()


class Turn(msgspec.Struct, frozen=True):
    """What one group's circle learns: so many members more, and by how much its pairs with other groups change."""

    members: int = 0
    shares: tuple[tuple[str, int], ...] = ()


def joined(person: Person, group_id: str, sequence: int) -> Person:
    """The person in the group; the same object if a join or leave of a higher sequence was taken up before.

    Raises ValueError, as all functions here, for an id that is empty or holds white space.
    """
    return _moved(person, group_id, True, sequence)


def left(person: Person, group_id: str, sequence: int) -> Person:
    """The person without the group, which is not suggested to them again; the same object if that is old news."""
    return _moved(person, group_id, False, sequence)


def answered(person: Person, group_id: str, answer: Answer, at: datetime) -> Person:
    """The person after their word on a suggestion; the last one holds, and "" takes it back.

    The same object if they have said something later.
    """
    tie = _tie(person, group_id)
    if tie.answered_at is not None and at < tie.answered_at:
        return person
    return _put(person, replace(tie, answer=answer, answered_at=at))


def saw(person: Person, group_ids: Iterable[str], at: datetime) -> Person:
    """The person after a look at a list of suggestions; a group counts once an hour, and 1,000 times at most."""
    for group_id in sorted(set(group_ids)):
        tie = _tie(person, group_id)
        if tie.seen < MOST_SEEN and (tie.seen_at is None or at >= tie.seen_at + LOOK):
            person = _put(person, replace(tie, seen=tie.seen + 1, seen_at=at))
    return person


def groups_of(person: Person) -> tuple[str, ...]:
    """The groups that the person is in, in the order of their ids."""
    return tuple(tie.group_id for tie in person.ties if tie.member)


def settled(person: Person) -> frozenset[str]:
    """The groups of which nothing is to be suggested: the person is in them, has left them or has answered."""
    return frozenset(t.group_id for t in person.ties if t.member or t.sequence or t.answer not in ("", "liked"))


def share(groups: int) -> int:
    """What each pair of groups of a person in so many groups is worth: 128 / `groups`, to the nearest power of two.

    A tenth group is weaker evidence than a second: the 1 / degree of P3 (Cooper et al., WWW 2014). In powers of
    two, because then most joins leave the worth of the person's other pairs alone. 0 above 128 groups.
    """
    if not 1 <= groups <= MOST_GROUPS:
        return 0
    # n * n has 2k or 2k + 1 bits just where k is the nearest whole number to log2(n).
    return SHARE >> (groups * groups).bit_length() // 2


def turned(before: Person, after: Person) -> dict[str, Turn]:
    """What must change in the circles of the groups when a person's document goes from `before` to `after`.

    At most 129 groups with 128 pairs each; groups where nothing changes are left out, others are in order.
    """
    old, new = set(groups_of(before)), set(groups_of(after))
    was, now = share(len(old)), share(len(new))
    moved = old ^ new
    # Beyond the cap a person has no pairs; where their worth stays, only those of the moved groups change.
    telling = (old if was else set()) | (new if now else set())
    touched = telling if was != now else telling & moved
    shares: dict[str, dict[str, int]] = {group: {} for group in moved}
    for one in touched:
        for other in telling - {one}:
            more = now * (one in new and other in new) - was * (one in old and other in old)
            if more:
                shares.setdefault(one, {})[other] = more
                shares.setdefault(other, {})[one] = more
    return {
        group: Turn((group in new) - (group in old), tuple(sorted(pairs.items())))
        for group, pairs in sorted(shares.items())
    }


def _moved(person: Person, group_id: str, member: bool, sequence: int) -> Person:
    tie = _tie(person, group_id)
    if sequence <= tie.sequence:
        return person
    return _put(person, replace(tie, member=member, sequence=sequence))


def _tie(person: Person, group_id: str) -> Tie:
    if not group_id or any(c.isspace() for c in group_id):
        raise ValueError(f"not the id of a group: {group_id!r}")
    return next((tie for tie in person.ties if tie.group_id == group_id), Tie(group_id))


def _put(person: Person, tie: Tie) -> Person:
    ties = [other for other in person.ties if other.group_id != tie.group_id]
    apart = [other for other in ties if not other.member]
    if not tie.member and len(apart) >= FEEDBACK_KEPT:
        ties.remove(min(apart, key=_worth))  # never the newest, or a "not for me" would be lost on somebody
    return replace(person, ties=tuple(sorted([*ties, tie], key=lambda other: other.group_id)))


def _worth(tie: Tie) -> tuple[bool, bool, int, int]:
    # A hash decides between equals: by the alphabet the same groups would be forgotten by everybody.
    return tie.answer != "", tie.sequence > 0, tie.seen, crc32(tie.group_id.encode("utf-8", "surrogatepass"))
