"""Which groups go together, and so which group a person may like next: pairs of groups that share people.

    near(h, g) = (c_hg / (n_h ** 0.5 * n_g ** 0.2)) ** 0.8
    score(g)   = (sum_h x_h near(h, g) + popular * n_g / max n) * fade ** seen_g

with c_hg the sum over the people in both of `share` (about 1 / their number of groups), n the members of a group,
x_h what a tie of this person to h counts for: 1 for a membership, less than 0 for "not for me"; seen_g the looks at g.
Item-based collaborative filtering (Deshpande and Karypis, ACM TOIS 2004) with the random walk's weights: RP3beta
(Paudel et al., ACM TiiS 2016) has the powers 1 and beta for n_h and n_g; ours were chosen on development splits of
two data sets, where they lie on a wide plateau. c and n are whole numbers, so a view that was followed put by put
equals one built afresh to the last bit, and the score is a sum: what a membership adds to it is the reason's weight.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from itertools import islice
from typing import ClassVar, Literal
from zlib import crc32

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from services.recommend.core import tally
from services.recommend.core.people import SHARE, Person, Turn, settled, share
from shared.flow.documents import Document

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

METHOD = "circles-1"
KEEP_OTHERS = 800
MOST_OTHERS = 1_000
MAX_REASONS = 3
MOST_WEIGHT = 1e6
_FROM, _TO, _SHARP = 0.5, 0.2, 0.8
# A contribution below this is rounding.
_NOTHING = 1e-9
_FIRST_SLOTS = 64
_FEW = 128


class Circle(Document, frozen=True, kw_only=True):
    """One group by the company it keeps: how many members, and in which other groups they are.

    `others` holds the shares as `tally` has them, about 40 KB when full. A share counts 128ths of a person. Turns may
    come in any order, so a share may be below 0 for a while.
    """

    COLLECTION: ClassVar[str] = "circles"
    REBUILT: ClassVar[bool] = True
    FOLLOWED: ClassVar[bool] = True

    members: int = 0
    others: str = ""


class Weights(msgspec.Struct, frozen=True):
    """What each kind of tie counts for, of settings. Raises ValueError for a number that is none or beyond a million.

    `member`: a group that the person is in. `joined`: one that they say they have joined. `liked`, `refused` ("not for
    me") and `reported`: what they said of a group, for its neighbours; a report outweighs a hundred likes. `fade`: what
    is left of a score when the group was shown once. `popular`: the largest group's own weight, which decides where
    nothing is known of a person, and is little beside a single person in common.
    """

    member: float = 1.0
    joined: float = 1.0
    liked: float = 0.1
    refused: float = -1.0
    reported: float = -12.0
    fade: float = 0.9
    popular: float = 0.001

    def __post_init__(self) -> None:
        if not all(abs(value) <= MOST_WEIGHT for value in msgspec.structs.astuple(self)):  # false for NaN
            raise ValueError("weights must be numbers from -1,000,000 to 1,000,000")
        if not 0 <= self.fade <= 1:
            raise ValueError("fade must be from 0 to 1")


class Because(msgspec.Struct, frozen=True):
    """Why a group came out: people in `group_id`, which the person is in ("members") or likes ("liked"), are also in
    it, or many people are in it ("popular").

    Were the person not in `group_id`, the score would be lower by `weight`; "popular" names no group.
    """

    kind: Literal["members", "liked", "popular"]
    group_id: str
    weight: float


class Fit(msgspec.Struct, frozen=True):
    """One group for a person; `score` is comparable inside one list only; strongest reason first."""

    group_id: str
    score: float
    reasons: tuple[Because, ...]


class _Row(msgspec.Struct, frozen=True):
    """The other groups of a circle, by slot and in the order of the slots, with what is shared with each."""

    at: Ints
    shares: Ints


class _Voice(msgspec.Struct, frozen=True):
    """What a tie to `group_id` adds to the scores: `says[i]` to the group in slot `at[i]`, which are in order."""

    group_id: str
    kind: Literal["members", "liked"]
    at: Ints
    says: Floats

    def to(self, slots: Ints) -> Floats:
        """What it says to some slots."""
        if not len(self.at):
            return np.zeros(len(slots))
        place = np.minimum(np.searchsorted(self.at, slots), len(self.at) - 1)
        said: Floats = np.where(self.at[place] == slots, self.says[place], 0.0)
        return said


class _Slots(dict[str, int]):
    """The slot of each group that was ever named; of one that is new, one that is made for it."""

    def __init__(self, made: Callable[[str], int]) -> None:
        super().__init__()
        self._made = made

    def __missing__(self, group_id: str) -> int:
        slot = self[group_id] = self._made(group_id)
        return slot


class Rating(msgspec.Struct, frozen=True):
    """A group and its score, comparable inside one list only."""

    group_id: str
    score: float


class Look(msgspec.Struct, frozen=True):
    """All groups as they are for one person, until a circle changes: what speaks for them, and their scores by slot."""

    person: Person
    weights: Weights
    voices: list[_Voice]
    score: Floats


def others(circle: Circle) -> dict[str, int]:
    """The other groups of the members, `{group: share}`, in the order of the ids."""
    return tally.read(circle.others)


def turn(circle: Circle, change: Turn) -> Circle:
    """The circle after a change. Of more than 1,000 other groups the 800 with the largest shares stay.

    Until then the order of changes leaves no trace; a pair that was dropped starts again at nothing.
    Raises ValueError for a group whose id is empty or holds white space.
    """
    for group, _ in change.shares:
        if group.split() != [group]:
            raise ValueError(f"not the id of a group: {group!r}")
    kept = tally.added(circle.others, change.shares)
    if tally.size(kept) > MOST_OTHERS:
        kept = tally.told(dict(sorted(tally.read(kept).items(), key=_rank)[:KEEP_OTHERS]))
    return replace(circle, members=circle.members + change.members, others=kept)


class Circles:
    """All groups, ready to be scored for a person; a view, made of circles only.

    The scores depend on the newest circle of each group and on nothing else: neither on the order of `put`s nor on
    their number. One writer; a reader in the same task sees each `put` whole. A circle is read out of its string when
    somebody's list needs it first, so a start over many, or a crowd that joins one group, costs little.
    """

    def __init__(self) -> None:
        self.weights = Weights()
        """What holds where nobody says otherwise."""
        self._slots = _Slots(self._new_slot)
        self._names: list[str] = []
        self._versions: dict[str, int] = {}
        # Per slot: the other groups, a string until they are needed; members, 0 for a group that is not held, and
        # what a score is divided by for its size.
        self._others: list[_Row | str] = []
        self._members: Floats = np.zeros(_FIRST_SLOTS)
        self._sizes: Floats = np.ones(_FIRST_SLOTS)
        self._draw: NDArray[np.uint32] = np.zeros(_FIRST_SLOTS, dtype=np.uint32)

    def __len__(self) -> int:
        return len(self._versions)

    def put(self, circle: Circle) -> None:
        """Take up a circle in place of the group's old one; an older version than the one held is ignored."""
        if circle.v < self._versions.get(circle.id, circle.v):
            return
        slot = self._slots[circle.id]
        self._others[slot] = circle.others
        self._count(slot, circle.members)
        self._versions[circle.id] = circle.v

    def remove(self, group_id: str) -> None:
        """Forget a group; one that is not held is no error."""
        if self._versions.pop(group_id, None) is not None:
            slot = self._slots[group_id]
            self._others[slot] = ""
            self._count(slot, 0)

    def suggest(
        self,
        person: Person,
        k: int = 5,
        floor: float = 0.0,
        weights: Weights | None = None,
        able: Callable[[str], bool] | Set[str] = lambda group_id: True,
    ) -> list[Fit]:
        """The best groups for a person, at most `k`, highest score first, none at 0 or under `floor`.

        Never one that they are in or have left, or gave an answer on; none without members; only those that are
        `able` to take somebody: some groups, or what is asked from the best one down. Without weights those of the view
        hold.
        """
        look = self.look(person, weights)
        return self.fits(look, [one.group_id for one in self.best(look, k, floor, able)])

    def look(self, person: Person, weights: Weights | None = None) -> Look:
        """All groups for a person; without weights those of the view hold."""
        weights = weights or self.weights
        voices = self._voices(person, weights)
        return Look(person, weights, voices, self._score(voices, person, weights))

    def best(
        self, look: Look, k: int, floor: float = 0.0, able: Callable[[str], bool] | Set[str] = lambda group_id: True
    ) -> list[Rating]:
        """As of `suggest`, without reasons."""
        out, names, score = settled(look.person), self._names, look.score
        among, asked = (None, able) if callable(able) else (able, able.__contains__)
        fit = (slot for slot in self._ranked(score, floor, among) if names[slot] not in out and asked(names[slot]))
        return [Rating(names[slot], float(score[slot])) for slot in islice(fit, k)]

    def fits(self, look: Look, groups: Sequence[str]) -> list[Fit]:
        """Some groups that have a circle, with reasons."""
        slots, fade_of = [self._slots[group] for group in groups], look.weights.fade
        fades = {tie.group_id: fade_of**tie.seen for tie in look.person.ties if tie.seen}
        fade = np.array([fades.get(group, 1.0) for group in groups])
        told = _told(look.voices, np.array(slots, dtype=np.int32), fade)
        popular = look.weights.popular * fade * self._members[slots] / self._largest()
        return [
            Fit(group, float(look.score[slots[i]]), told[i] or (Because("popular", "", float(popular[i])),))
            for i, group in enumerate(groups)
        ]

    def scores(self, person: Person, weights: Weights | None = None) -> dict[str, float]:
        """The score of every group that has members, the person's own among them."""
        weights = weights or self.weights
        score = self._score(self._voices(person, weights), person, weights)
        return {group: float(score[slot]) for group, slot in self._slots.items() if self._members[slot]}

    def alike(self, one: str, other: str) -> float:
        """How far two groups are the same people, 0..1: 1 if all of the smaller one are in both and nowhere else."""
        if one not in self._slots or other not in self._slots:
            return 0.0
        slot, beside = self._slots[one], self._slots[other]
        shared = self._shared(slot, other)
        smaller = max(1.0, min(float(self._members[slot]), float(self._members[beside])))
        return min(1.0, shared / (share(2) * smaller))

    def _shared(self, slot: int, other: str) -> int:
        """What a circle has in common with another group; a string is not read for that."""
        row = self._others[slot]
        if isinstance(row, str):
            return max(0, tally.count_of(row, other))
        beside = self._slots[other]
        place = int(row.at.searchsorted(beside))
        return int(row.shares[place]) if place < len(row.at) and row.at[place] == beside else 0

    def _voices(self, person: Person, weights: Weights) -> list[_Voice]:
        found = []
        for tie in person.ties:
            # What the group has told holds: one may have left since one said it.
            told = "" if tie.answer == "joined" and tie.sequence else tie.answer
            x = weights.member if tie.member else getattr(weights, told) if told else 0.0
            if x and tie.group_id in self._slots:
                row = self._row(slot := self._slots[tie.group_id])
                sizes = max(1.0, self._members[slot]) ** _FROM * self._sizes[row.at]
                kind: Literal["members", "liked"] = "liked" if tie.answer == "liked" and not tie.member else "members"
                found.append(_Voice(tie.group_id, kind, row.at, x * (row.shares / (SHARE * sizes)) ** _SHARP))
        return found

    def _score(self, voices: list[_Voice], person: Person, weights: Weights) -> Floats:
        """Scores `[slots]`."""
        score: Floats = weights.popular * self._members[: len(self._names)] / self._largest()
        for voice in voices:
            score[voice.at] += voice.says
        for tie in person.ties:
            if tie.seen and tie.group_id in self._slots:
                score[self._slots[tie.group_id]] *= weights.fade**tie.seen
        return score

    def _largest(self) -> float:
        return max(1.0, float(self._members.max()))

    def _ranked(self, score: Floats, floor: float, among: Set[str] | None) -> Iterator[int]:
        """Slots with members and a score, best first; equals by a hash of their names, alike in every process."""
        good = (score > 0) & (score >= floor) & (self._members[: len(score)] > 0)
        if among is not None:
            wanted = np.zeros(len(good), dtype=np.bool_)
            wanted[[self._slots[group] for group in among if group in self._slots]] = True
            good &= wanted
        fit = np.flatnonzero(good)
        if len(fit) > _FEW:  # the rest is put in order only for somebody whom the first few do not suit
            first = score[fit] >= np.partition(score[fit], -_FEW)[-_FEW]
            yield from self._ordered(fit[first], score)
            fit = fit[~first]
        yield from self._ordered(fit, score)

    def _ordered(self, slots: NDArray[np.intp], score: Floats) -> list[int]:
        order: list[int] = slots[np.lexsort((self._draw[slots], -score[slots]))].tolist()
        return order

    def _row(self, slot: int) -> _Row:
        """The other groups of a circle, without those that owe it something for the moment."""
        row = self._others[slot]
        if isinstance(row, str):
            told = row.split(" ") if row else []
            at = np.fromiter(map(self._slots.__getitem__, told[::2]), np.int32, len(told) // 2)
            shares = np.fromiter(map(int, told[1::2]), np.int32, len(told) // 2)
            order = np.argsort(at)
            order = order[shares[order] > 0]
            row = self._others[slot] = _Row(at[order], shares[order])
        return row

    def _count(self, slot: int, members: int) -> None:
        self._members[slot] = max(members, 0)
        self._sizes[slot] = max(members, 1) ** _TO

    def _new_slot(self, group_id: str) -> int:
        slot = len(self._names)
        if slot == len(self._members):
            self._members = np.concatenate([self._members, np.zeros(slot)])
            self._sizes = np.concatenate([self._sizes, np.ones(slot)])
            self._draw = np.concatenate([self._draw, np.zeros(slot, dtype=np.uint32)])
        self._names.append(group_id)
        self._others.append("")
        self._draw[slot] = _draw(group_id)
        return slot


def _told(voices: list[_Voice], slots: Ints, fade: Floats) -> list[tuple[Because, ...]]:
    """For each slot up to three memberships that speak for it, strongest first."""
    heard: list[list[tuple[float, str, Literal["members", "liked"]]]] = [[] for _ in slots]
    for voice in voices:
        said = voice.to(slots) * fade
        for place in np.flatnonzero(said > _NOTHING).tolist():
            heard[place].append((-float(said[place]), voice.group_id, voice.kind))
    return [tuple(Because(kind, group, -weight) for weight, group, kind in sorted(one)[:MAX_REASONS]) for one in heard]


def _rank(item: tuple[str, int]) -> tuple[int, int]:
    return -item[1], _draw(item[0])


def _draw(group_id: str) -> int:
    """Between equals a hash decides: by the alphabet the same groups would always be last."""
    return crc32(group_id.encode("utf-8", "surrogatepass"))
