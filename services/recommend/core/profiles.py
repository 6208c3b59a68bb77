"""What a group talks about: counts of terms, learned one note at a time, one bounded document per group."""

from collections.abc import Iterable, Mapping
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
# Notes that wait to be counted together, at the most: what they say is held until then.
_MOST_NEWS = 64


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

    def closed(self) -> "GroupProfile":
        """With all that it has learned counted."""
        return self


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
    return _with_news(named, {term: CHARTER_NOTES * count for term, count in charter.items()}).closed()


def learn(profile: GroupProfile, terms: Mapping[str, int]) -> GroupProfile:
    """The profile after one more note of this group; `terms` as `features` made them.

    Above 5,000 terms the 4,000 with the highest counts stay (of equals words before characters before pairs,
    then by a hash of the term), so a new topic has the room of 1,000 terms in which to prove itself.
    The result depends on the notes and their order only: a replay gives equal bytes. Until the first pruning it
    does not even depend on their order; after it the counts may, because a pruned term starts again at nothing.
    Raises ValueError for a term that is empty or holds a space, or a count below one.
    """
    return noted(profile, terms).closed()


def unlearn(profile: GroupProfile, terms: Mapping[str, int]) -> GroupProfile:
    """The profile without a note that it has learned before: its text is gone, or another stands in its place.

    Exact until the profile is first pruned; a term that was pruned and came back falls to nothing at the least.
    """
    return unnoted(profile, terms).closed()


def noted(profile: GroupProfile, terms: Mapping[str, int]) -> GroupProfile:
    """As `learn`, but the terms are counted when the profile is closed: once for all notes of a batch, to the same."""
    for term, count in terms.items():
        if not term or " " in term or count < 1:
            raise ValueError(f"not a term of a note: {term!r} x {count}")
    return _with_news(msgspec.structs.replace(profile, notes=profile.notes + 1), terms)


def unnoted(profile: GroupProfile, terms: Mapping[str, int]) -> GroupProfile:
    """As `unlearn`, counted when the profile is closed."""
    fewer = {term: -count for term, count in terms.items()}
    return _with_news(msgspec.structs.replace(profile, notes=max(0, profile.notes - 1)), fewer)


def changed(profile: GroupProfile, *, state: State, seats_left: int, sequence: int) -> GroupProfile:
    """The profile with the group's new state and seats, if they are newer; what it has learned stays."""
    if sequence <= profile.sequence:
        return profile
    return msgspec.structs.replace(profile, state=state, seats_left=seats_left, sequence=sequence)


def counts(profile: GroupProfile) -> dict[str, int]:
    """The counts kept, `{term: count}`, in the order of the terms."""
    return tally.read(profile.closed().terms)


class _Learning(GroupProfile, frozen=True, kw_only=True):
    """A profile that has heard news, counts of terms; its `terms` are those before all of them."""

    news: tuple[Mapping[str, int], ...]

    def closed(self) -> GroupProfile:
        told = {name: getattr(self, name) for name in GroupProfile.__struct_fields__}
        return GroupProfile(**told | {"terms": _counted(self.terms, self.news)})


def _with_news(profile: GroupProfile, terms: Mapping[str, int]) -> GroupProfile:
    if isinstance(profile, _Learning):
        more = msgspec.structs.replace(profile, news=(*profile.news, terms))
        return more if len(more.news) < _MOST_NEWS else more.closed()
    told = {name: getattr(profile, name) for name in GroupProfile.__struct_fields__}
    return _Learning(**told, news=(terms,))


def _counted(terms: str, news: Iterable[Mapping[str, int]]) -> str:
    """The counts after some news, one after the other; what comes to 0 goes, and what comes to less."""
    counts = tally.parts(terms)
    for more in news:
        for term, change in more.items():
            count = int(counts.get(term, "0")) + change
            if count > 0:
                counts[term] = str(count)
            else:
                counts.pop(term, None)
        if len(counts) > MOST_TERMS:
            counts = _pruned(counts)
    return tally.joined(counts)


def _pruned(counts: Mapping[str, str]) -> dict[str, str]:
    numbers = dict(zip(counts, map(int, counts.values()), strict=True))
    edge = sorted(numbers.values(), reverse=True)[KEEP_TERMS - 1]
    kept = {term: counts[term] for term, count in numbers.items() if count > edge}
    equals = sorted((term for term, count in numbers.items() if count == edge), key=_draw)
    return kept | {term: counts[term] for term in equals[: KEEP_TERMS - len(kept)]}


def _draw(term: str) -> tuple[int, int, str]:
    # A hash, because by the alphabet the same corner of the script would lose every tie.
    return kind(term), crc32(term.encode("utf-8", "surrogatepass")), term
