"""Which groups a note belongs in: the nearest centroids of the groups' talk, followed profile by profile.

    W(t)    = round(8 * w * log(1 + N / c_t) ** 1.5)       N notes learned (in steps), c_t count of t in all groups
    near(g) = sum_t d_t W(t) * c_tg W(t) / (|d W| * |c_g W|) * sqrt((1 + n_g) / (trust + n_g))
    score   = near ** sharpness, as a share of the sum over the open groups and "none of these" (a constant)

with d_t the count of t in the note, c_tg and n_g the counts and the notes of group g: the cosine of note and group,
less for a group of which little is known, because a dozen charter terms lie near to somebody's note by chance.
Rocchio's classifier with tf-idf (Joachims, ICML 1997; the power is ours, chosen on a development split). There is
no prior of its own: the centroid of a busy group lies near to all talk, which is prior enough; naive Bayes with an
explicit one was measured beside it and was worse. Weights are whole numbers, so every sum is exact: a view
followed put by put equals one built afresh to the last bit of `near`.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.recommend.core.index import Evidence, Index
from services.recommend.core.profiles import GroupProfile
from services.recommend.core.terms import WORD, kind, says_little

Floats = NDArray[np.float64]

METHOD = "placement-1"
MAX_REASONS = 3
_STEPS = 8
# A fall below this is rounding.
_NOTHING = 1e-9
_FIRST_SLOTS = 64
_MOST_RARE = 10_000
"""Totals of which is remembered how rare they make a term; of more all are forgotten, and reckoned again."""


class Method(msgspec.Struct, frozen=True):
    """The knobs of the score.

    `weight`: how much a word, a character, a pair counts. `power`: how far rare terms lead common ones.
    `first_notes`: notes supposed to have been learned before the first, so that rarity means something early.
    `trust`: a group of this many notes is believed about three quarters; 1 believes a bare charter wholly.
    `sharpness` makes nearness a probability and never changes the order; `none` is the nearness of no group.
    (A share of powers, not of exponentials: a cosine of twice the size means the same in short and long notes.)
    """

    weight: tuple[float, float, float] = (2.0, 1.0, 1.0)
    power: float = 1.5
    first_notes: int = 1_000
    trust: int = 5
    sharpness: float = 3.0
    none: float = 0.03


class Reason(msgspec.Struct, frozen=True):
    """Why a group came out: scored without `term`, the note gets `weight` less for this group (0..1)."""

    kind: Literal["term"]
    term: str
    weight: float


class Placement(msgspec.Struct, frozen=True):
    """One group for a note; `score` is the probability that it belongs there, 0..1; strongest reason first."""

    group_id: str
    score: float
    reasons: tuple[Reason, ...]


class _Note(msgspec.Struct, frozen=True):
    """A note before the groups: `said` is its dot product with each, by slot, `square` is |d W|^2.

    `known` is all that is known of its terms where that is one piece; larger ones are read again, and not held.
    """

    terms: Mapping[str, int]
    known: tuple[Evidence, ...]
    said: Floats
    square: float


class Profiles:
    """All groups, indexed by term; a view, made of profiles only.

    The scores depend on the newest profile of each group and on nothing else: neither on the order of `put`s
    nor on their number. One writer; a reader in the same task sees each `put` whole.
    """

    def __init__(self, method: Method | None = None) -> None:
        self._method = method or Method()
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._held: dict[str, GroupProfile] = {}
        self._able: set[str] = set()
        self._index = Index(self._weight)
        # Per slot: whose it is, whether they are open, whether they take somebody, the notes learned.
        self._names: list[str] = []
        self._open: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._takes: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._learned: Floats = np.zeros(0)
        self._lengths: Floats | None = None
        self._notes = 0
        self._step = self._notes_step()
        # How rare a term is, by its total: most terms have one of a few hundred.
        self._rare: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._held)

    def put(self, profile: GroupProfile) -> None:
        """Take up a profile in place of the group's old one; an older version than the one held is ignored."""
        held = self._held.get(profile.id)
        if held is not None and profile.v < held.v:
            return
        slot = self._slots[profile.id] if held else self._new_slot(profile.id)
        self._held[profile.id] = profile
        takes = profile.state == "open" and profile.seats_left > 0
        self._open[slot], self._takes[slot] = profile.state == "open", takes
        (self._able.add if takes else self._able.discard)(profile.id)
        self._learned[slot] = profile.notes
        if (before := held.terms if held else "") != profile.terms:
            self._index.take(slot, before, profile.terms)
        self._lengths = None
        self._count_notes(profile.notes - (held.notes if held else 0))

    def remove(self, group_id: str) -> None:
        """Forget a group; one that is not held is no error."""
        profile = self._held.pop(group_id, None)
        if profile is None:
            return
        slot = self._slots.pop(group_id)
        self._index.take(slot, profile.terms, "")
        self._lengths = None
        self._open[slot] = self._takes[slot] = False
        self._able.discard(group_id)
        self._free.append(slot)
        self._count_notes(-profile.notes)

    def settle(self) -> None:
        """Weigh what profiles have changed, as the next reader would."""
        if self._index.settle():
            self._lengths = None

    def name(self, group_id: str) -> str:
        """What the group is called; "" for one that has not been heard of."""
        held = self._held.get(group_id)
        return held.name if held else ""

    def owner(self, group_id: str) -> str:
        """Who has founded the group; "" where nobody knows."""
        held = self._held.get(group_id)
        return held.owner_id if held else ""

    def able(self, group_id: str) -> bool:
        """Whether the group takes somebody now: open, with seats left."""
        return group_id in self._able

    def scores(self, terms: Mapping[str, int]) -> dict[str, float]:
        """The score of every open group, full ones too: a note may belong where there is no seat left."""
        score = self._share(self._read(terms))
        return {group: float(score[slot]) for group, slot in self._slots.items() if self._open[slot]}

    def place(self, terms: Mapping[str, int], k: int = 5, floor: float = 0.02) -> list[Placement]:
        """The best groups with seats left, at most `k`, none under `floor`, highest score first.

        Nothing comes out without a reason: a note of which no term is known goes nowhere.
        Full and closed groups compete and do not come out, so that no score is raised by a better place being shut.
        """
        note = self._read(terms)
        score = self._share(note)
        best = self._best(score, k, floor)
        why = self._falls(note, score, best)
        told = ((slot, _told(falls)) for slot, falls in zip(best, why, strict=True))
        return [Placement(self._names[slot], float(score[slot]), reasons) for slot, reasons in told if reasons]

    def _best(self, score: Floats, k: int, floor: float) -> list[int]:
        """At most k groups with seats left and a score, none under the floor; of equals the first by id."""
        fit = np.flatnonzero(self._takes & (score >= floor) & (score > 0))
        if 0 < k < len(fit):
            fit = fit[score[fit] >= np.partition(score[fit], -k)[-k]]
        return sorted(fit.tolist(), key=lambda slot: (-float(score[slot]), self._names[slot]))[:k]

    def _read(self, terms: Mapping[str, int]) -> _Note:
        """The note as the groups are to see it."""
        self.settle()
        said, square = np.zeros(len(self._names)), 0.0
        whole: tuple[Evidence, ...] = ()
        for n, known in enumerate(self._index.evidence(terms)):
            np.add.at(said, known.slots, _says(known))
            square += float(((known.times * known.weights) ** 2).sum())
            whole = () if n else (known,)
        return _Note(terms, whole, said, square)

    def _share(self, note: _Note) -> Floats:
        """Scores of the slots; free slots get 0, closed groups keep their share."""
        length = math.sqrt(max(note.square, 1.0))
        power = _sharpened(note.said / self._sizes() / length, self._method.sharpness)
        return np.asarray(power / (power.sum() + self._method.none**self._method.sharpness))

    def _sizes(self) -> Floats:
        """What a dot product is divided by: the lengths, more for groups of which little is known."""
        if self._lengths is None:
            known = np.sqrt((1 + self._learned) / (self._method.trust + self._learned))
            self._lengths = np.sqrt(np.maximum(self._index.norms.astype(float), 1.0)) / known
        return self._lengths

    def _falls(self, note: _Note, score: Floats, best: list[int]) -> list[list[tuple[float, str]]]:
        """By how much each of the best would fall if the note were scored without a term; of terms that they use.

        Without a term the others' dot products fall, too. Only the groups that use it are reckoned anew, and what
        they all have together is corrected by the difference. (A group that does not use the term would rise.)
        """
        found: list[list[tuple[float, str]]] = [[] for _ in best]
        sizes, place = self._sizes(), np.full(len(self._names), -1)
        place[best] = np.arange(len(best))
        before = _sharpened(note.said / sizes, self._method.sharpness)
        whole = before.sum()
        for known in (note.known or self._index.evidence(note.terms)) if best else ():
            after = _sharpened((note.said[known.slots] - _says(known)) / sizes[known.slots], self._method.sharpness)
            rest = self._rest(whole + np.add.reduceat(after - before[known.slots], known.starts), note, known)
            mine = np.flatnonzero(place[known.slots] >= 0)
            term = np.searchsorted(known.starts, mine, side="right") - 1
            falls = score[known.slots[mine]] - after[mine] / rest[term]
            whose = place[known.slots[mine]]
            for which, fall, one in zip(whose.tolist(), falls.tolist(), term.tolist(), strict=True):
                found[which].append((fall, known.names[one]))
        return found

    def _rest(self, whole: Floats, note: _Note, known: Evidence) -> Floats:
        """What a share is taken of, without each of the terms."""
        sharpness = self._method.sharpness
        square = np.maximum(note.square - (known.times * known.weights) ** 2, 1.0)
        return np.asarray(np.maximum(whole, 0.0) + self._method.none**sharpness * square ** (sharpness / 2))

    def _weight(self, kind_: int, total: int) -> int:
        rare = self._rare.get(total)
        if rare is None:
            if len(self._rare) == _MOST_RARE:
                self._rare.clear()
            rare = self._rare[total] = math.log1p(self._step / total) ** self._method.power
        return round(_STEPS * self._method.weight[kind_] * rare)

    def _count_notes(self, more: int) -> None:
        """All terms are weighed anew when the notes have grown by a quarter of an octave, not at every note."""
        self._notes += more
        if self._notes_step() != self._step:
            self._step = self._notes_step()
            self._rare.clear()
            self._index.renew()

    def _notes_step(self) -> float:
        return float(2.0 ** (round(4 * math.log2(self._notes + self._method.first_notes)) / 4))

    def _new_slot(self, group_id: str) -> int:
        if not self._free:
            size = len(self._names)
            more = max(_FIRST_SLOTS, size)
            self._index.grow(more)
            self._open = np.concatenate([self._open, np.zeros(more, dtype=np.bool_)])
            self._takes = np.concatenate([self._takes, np.zeros(more, dtype=np.bool_)])
            self._learned = np.concatenate([self._learned, np.zeros(more)])
            self._names.extend([""] * more)
            self._free.extend(range(size + more - 1, size - 1, -1))
        slot = self._slots[group_id] = self._free.pop()
        self._names[slot] = group_id
        return slot


def _says(known: Evidence) -> Floats:
    """What each entry adds to the dot product of the note with its group."""
    says: Floats = np.repeat(known.times * known.weights**2, known.many) * known.counts
    return says


def _sharpened(near: Floats, sharpness: float) -> Floats:
    # numpy's general power takes thirty times as long as two products.
    power: Floats = near * near * near if sharpness == 3.0 else near**sharpness
    return power


def _told(falls: list[tuple[float, str]]) -> tuple[Reason, ...]:
    """Up to three reasons, strongest first; of overlapping terms (`显示`, `示器`) the stronger speaks for both.

    A single character or a small word tells a person little: it is a reason only where there is nothing else.
    """
    strongest = sorted(falls, key=lambda item: (-item[0], item[1]))
    return _distinct(item for item in strongest if not says_little(item[1])) or _distinct(strongest)


def _distinct(strongest: Iterable[tuple[float, str]]) -> tuple[Reason, ...]:
    told: list[Reason] = []
    for fall, term in strongest:
        if fall <= _NOTHING or len(told) == MAX_REASONS:
            break
        if not any(_overlap(term, other.term) for other in told):
            told.append(Reason("term", term, fall))
    return tuple(told)


def _overlap(one: str, other: str) -> bool:
    if WORD in (kind(one), kind(other)):
        return False
    return one in other or other in one or one[-1] == other[0] or other[-1] == one[0]
