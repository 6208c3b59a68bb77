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
from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.recommend.core.profiles import GroupProfile, counts
from services.recommend.core.terms import WORD, kind, says_little

Floats = NDArray[np.float64]

METHOD = "placement-1"
MAX_REASONS = 3
_STEPS = 8
# A fall below this is rounding.
_NOTHING = 1e-9
_FIRST_SLOTS = 64


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


class _Evidence(msgspec.Struct, frozen=True):
    """The note's known terms: `says[i, slot]` is what `names[i]` adds to the dot product, `square[i]` to |d W|^2."""

    names: list[str]
    square: Floats
    says: Floats


class Profiles:
    """All groups, indexed by term; a view, made of profiles only.

    The scores depend on the newest profile of each group and on nothing else: neither on the order of `put`s
    nor on their number. One writer; a reader in the same task sees each `put` whole.
    """

    def __init__(self, method: Method | None = None) -> None:
        self._method = method or Method()
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._held: dict[str, tuple[GroupProfile, dict[str, int]]] = {}
        self._postings: dict[str, dict[int, int]] = {}
        self._sums: dict[str, int] = {}
        self._weights: dict[str, int] = {}
        # Terms to be weighed anew before the next score: once, however many profiles have changed their counts.
        self._stale: set[str] = set()
        # |c_g W|^2 per slot. Python integers: they neither round nor overflow.
        self._norms: list[int] = []
        self._open: list[bool] = []
        # Whose slot it is, and whether they take somebody.
        self._names: list[str] = []
        self._takes: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._learned: list[int] = []
        self._lengths: Floats | None = None
        self._notes = 0
        self._step = self._notes_step()

    def __len__(self) -> int:
        return len(self._held)

    def put(self, profile: GroupProfile) -> None:
        """Take up a profile in place of the group's old one; an older version than the one held is ignored."""
        held, old = self._held.get(profile.id, (None, {}))
        if held is not None and profile.v < held.v:
            return
        slot = self._slots[profile.id] if held else self._new_slot(profile.id)
        new = old if held and held.terms == profile.terms else counts(profile)
        self._held[profile.id] = (profile, new)
        self._open[slot] = profile.state == "open"
        self._names[slot], self._takes[slot] = profile.id, self.able(profile.id)
        self._learned[slot] = profile.notes
        self._take(slot, old, new)
        self._count_notes(profile.notes - (held.notes if held else 0))

    def remove(self, group_id: str) -> None:
        """Forget a group; one that is not held is no error."""
        if group_id not in self._held:
            return
        profile, old = self._held.pop(group_id)
        slot = self._slots.pop(group_id)
        self._take(slot, old, {})
        self._open[slot] = self._takes[slot] = False
        self._free.append(slot)
        self._count_notes(-profile.notes)

    def name(self, group_id: str) -> str:
        """What the group is called; "" for one that has not been heard of."""
        held = self._held.get(group_id)
        return held[0].name if held else ""

    def owner(self, group_id: str) -> str:
        """Who has founded the group; "" where nobody knows."""
        held = self._held.get(group_id)
        return held[0].owner_id if held else ""

    def able(self, group_id: str) -> bool:
        """Whether the group takes somebody now: open, with seats left."""
        held = self._held.get(group_id)
        return held is not None and held[0].state == "open" and held[0].seats_left > 0

    def scores(self, terms: Mapping[str, int]) -> dict[str, float]:
        """The score of every open group, full ones too: a note may belong where there is no seat left."""
        evidence = self._evidence(terms)
        score = self._share(evidence.says.sum(axis=0)[None], evidence.square.sum()[None])[0]
        return {group: float(score[slot]) for group, slot in self._slots.items() if self._open[slot]}

    def place(self, terms: Mapping[str, int], k: int = 5, floor: float = 0.02) -> list[Placement]:
        """The best groups with seats left, at most `k`, none under `floor`, highest score first.

        Nothing comes out without a reason: a note of which no term is known goes nowhere.
        Full and closed groups compete and do not come out, so that no score is raised by a better place being shut.
        """
        evidence = self._evidence(terms)
        said, square = evidence.says.sum(axis=0), evidence.square.sum()
        score = self._share(said[None], square[None])[0]
        best = self._best(score, k, floor)
        if not best or not evidence.names:
            return []
        # The note is scored again without each of its terms; what a group loses by that is the reason's weight.
        falls = score - self._share(said - evidence.says, square - evidence.square)
        found = []
        for group in best:
            slot = self._slots[group]
            if reasons := _told(evidence.names, falls[:, slot].tolist()):
                found.append(Placement(group, float(score[slot]), reasons))
        return found

    def _best(self, score: Floats, k: int, floor: float) -> list[str]:
        """At most k groups with seats left, none under the floor; of equals the first by id."""
        fit = np.flatnonzero(self._takes & (score >= floor))
        if 0 < k < len(fit):
            fit = fit[score[fit] >= np.partition(score[fit], -k)[-k]]
        return [group for _, group in sorted((-float(score[slot]), self._names[slot]) for slot in fit.tolist())[:k]]

    def _evidence(self, terms: Mapping[str, int]) -> _Evidence:
        self._settle()
        known = [(term, count, post) for term, count in terms.items() if (post := self._postings.get(term))]
        slots: list[int] = []
        values: list[int] = []
        for _, _, post in known:
            slots.extend(post)
            values.extend(post.values())
        names = [term for term, _, _ in known]
        count = np.array([count for _, count, _ in known], dtype=float)
        weight = np.array([self._weights[term] for term in names], dtype=float)
        rows = np.repeat(np.arange(len(known)), np.array([len(post) for _, _, post in known], dtype=np.intp))
        says = np.zeros((len(known), len(self._norms)))
        says[rows, np.array(slots, dtype=np.intp)] = np.array(values, dtype=float)
        says *= (count * weight**2)[:, None]
        return _Evidence(names, (count * weight) ** 2, says)

    def _share(self, said: Floats, square: Floats) -> Floats:
        """Scores `[n, slots]` of n notes' dot products; free slots get 0, closed groups keep their share."""
        if self._lengths is None:
            learned = np.array(self._learned, dtype=float)
            lengths = np.sqrt(np.maximum(np.array(self._norms, dtype=float), 1.0))
            self._lengths = lengths / np.sqrt((1 + learned) / (self._method.trust + learned))
        near = said / self._lengths / np.sqrt(np.maximum(square, 1.0))[:, None]
        power = _sharpened(near, self._method.sharpness)
        return np.asarray(power / (power.sum(axis=1, keepdims=True) + self._method.none**self._method.sharpness))

    def _take(self, slot: int, old: Mapping[str, int], new: Mapping[str, int]) -> None:
        """Replace a slot's counts; terms that become rarer or commoner are weighed before the next score."""
        self._lengths = None
        if old is new:
            return
        differ = [(term, old.get(term, 0), after) for term, after in new.items() if old.get(term) != after]
        differ += [(term, old[term], 0) for term in old.keys() - new.keys()]
        for term, before, after in differ:
            post = self._postings.setdefault(term, {})
            self._norms[slot] += (after**2 - before**2) * self._weights.get(term, 0) ** 2
            self._sums[term] = self._sums.get(term, 0) + after - before
            if after:
                post[slot] = after
            else:
                del post[slot]
            self._stale.add(term)
            if not post:
                del self._postings[term], self._sums[term]

    def _settle(self) -> None:
        """Weigh what has changed; the norms of all that hold a term move with its weight."""
        for term in self._stale:
            if term in self._postings:
                self._weigh(term)
            else:
                self._weights.pop(term, None)
            self._lengths = None
        self._stale.clear()

    def _weigh(self, term: str) -> None:
        rare = math.log1p(self._step / self._sums[term]) ** self._method.power
        weight = round(_STEPS * self._method.weight[kind(term)] * rare)
        old = self._weights.get(term, 0)
        self._weights[term] = weight
        if weight != old:
            for slot, count in self._postings[term].items():
                self._norms[slot] += count**2 * (weight**2 - old**2)

    def _count_notes(self, more: int) -> None:
        """All terms are weighed anew when the notes have grown by a quarter of an octave, not at every note."""
        self._notes += more
        if self._notes_step() != self._step:
            self._step = self._notes_step()
            self._stale.update(self._postings)

    def _notes_step(self) -> float:
        return float(2.0 ** (round(4 * math.log2(self._notes + self._method.first_notes)) / 4))

    def _new_slot(self, group_id: str) -> int:
        if not self._free:
            size = len(self._norms)
            more = max(_FIRST_SLOTS, size)
            self._norms.extend([0] * more)
            self._open.extend([False] * more)
            self._names.extend([""] * more)
            self._takes = np.concatenate([self._takes, np.zeros(more, dtype=np.bool_)])
            self._learned.extend([0] * more)
            self._free.extend(range(size + more - 1, size - 1, -1))
        self._slots[group_id] = self._free.pop()
        return self._slots[group_id]


def _sharpened(near: Floats, sharpness: float) -> Floats:
    # numpy's general power takes thirty times as long as two products.
    power: Floats = near * near * near if sharpness == 3.0 else near**sharpness
    return power


def _told(names: list[str], falls: list[float]) -> tuple[Reason, ...]:
    """Up to three reasons, strongest first; of overlapping terms (`显示`, `示器`) the stronger speaks for both.

    A single character or a small word tells a person little: it is a reason only where there is nothing else.
    """
    strongest = sorted(zip(falls, names, strict=True), key=lambda item: (-item[0], item[1]))
    telling = [(fall, term) for fall, term in strongest if not says_little(term)]
    return _distinct(telling) or _distinct(strongest)


def _distinct(strongest: list[tuple[float, str]]) -> tuple[Reason, ...]:
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
