"""What a group talks about: counts of terms, learned one note at a time, one bounded document per group."""

from collections.abc import Mapping
from typing import ClassVar, Literal
from zlib import crc32

import msgspec

from services.recommend.core import tally
from services.recommend.core.terms import features, kind
from shared.flow.documents import Document

State = Literal["open", "closed"]

# The charter speaks like ten notes: enough for a group that has none, soon outvoted by what people talk about.
CHARTER_NOTES = 10
KEEP_TERMS = 4_000
MOST_TERMS = 5_000


class GroupProfile(Document, frozen=True, kw_only=True):
    """One group as `recommend` sees it; a document of its own, about 45 KB when full.

    `terms` holds the counts as `tally` has them.
    `v` is the version that the lane counts; nothing here changes it. `sequence` is that of the last change of
    state and seats that was taken up. A profile without a name is of a group whose opening has not been heard of;
    one without an owner was made by a release that did not keep them. `cell` is where the group said that it meets, as
    it was told (moved), "" where it said nothing.
    """

    COLLECTION: ClassVar[str] = "profiles"
    REBUILT: ClassVar[bool] = True
    FOLLOWED: ClassVar[bool] = True

    name: str = ""
    owner_id: str = ""
    cell: str = ""
    sequence: int = 0
    state: State = "open"
    seats_left: int = 0
    notes: int = 0
    terms: str = ""


def opened(
    profile: GroupProfile, name: str, *, purpose: str, audience: str, seats_left: int, owner_id: str = ""
) -> GroupProfile:
    """The profile with the group's charter: name, and 200 characters each of purpose and audience.

    After a crash notes and changes of the group may have come first: what they told stays.
    """
    charter = features(name, purpose)
    for term, count in features("", audience).items():
        charter.setdefault(term, count)
    seats = profile.seats_left if profile.sequence else seats_left
    named = msgspec.structs.replace(profile, name=name, owner_id=owner_id, seats_left=seats)
    return _added(named, {term: CHARTER_NOTES * count for term, count in charter.items()})


def learn(profile: GroupProfile, terms: Mapping[str, int]) -> GroupProfile:
    """The profile after one more note of this group; `terms` as `features` made them.

    Above 5,000 terms the 4,000 with the highest counts stay (of equals words before characters before pairs,
    then by a hash of the term), so a new topic has the room of 1,000 terms in which to prove itself.
    The result depends on the notes and their order only: a replay gives equal bytes. Until the first pruning it
    does not even depend on their order; after it the counts may, because a pruned term starts again at nothing.
    Raises ValueError for a term that is empty or holds a space, or a count below one.
    """
    for term, count in terms.items():
        if not term or " " in term or count < 1:
            raise ValueError(f"not a term of a note: {term!r} x {count}")
    return msgspec.structs.replace(_added(profile, terms), notes=profile.notes + 1)


def unlearn(profile: GroupProfile, terms: Mapping[str, int]) -> GroupProfile:
    """The profile without a note that it has learned before: its text is gone, or another stands in its place.

    Exact until the profile is first pruned; a term that was pruned and came back falls to nothing at the least.
    """
    left = tally.added(profile.terms, ((term, -count) for term, count in terms.items()))
    return msgspec.structs.replace(profile, notes=max(0, profile.notes - 1), terms=left)


def changed(profile: GroupProfile, *, state: State, seats_left: int, sequence: int) -> GroupProfile:
    """The profile with the group's new state and seats, if they are newer; what it has learned stays."""
    if sequence <= profile.sequence:
        return profile
    return msgspec.structs.replace(profile, state=state, seats_left=seats_left, sequence=sequence)


def counts(profile: GroupProfile) -> dict[str, int]:
    """The counts kept, `{term: count}`, in the order of the terms."""
    return tally.read(profile.terms)


def _added(profile: GroupProfile, terms: Mapping[str, int]) -> GroupProfile:
    kept = tally.added(profile.terms, terms.items())
    if tally.size(kept) > MOST_TERMS:
        kept = tally.told(dict(sorted(tally.read(kept).items(), key=_rank)[:KEEP_TERMS]))
    return msgspec.structs.replace(profile, terms=kept)


def _rank(item: tuple[str, int]) -> tuple[int, int, int, str]:
    # A hash, because by the alphabet the same corner of the script would lose every tie.
    term, count = item
    return -count, kind(term), crc32(term.encode("utf-8", "surrogatepass")), term
