"""How good what was suggested for notes has been: each relay is compared with what had been told before it, in order.

Prequential: nothing is looked at that the system could have learned from the relay itself. Beside it stands what is
popular: the groups that most notes had been relayed to until then.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from services.recommend.core.people import LOOK
from services.recommend.core.shown import REST

WITHIN = 5
SIZES = ((20, "under 20"), (100, "20 to 99"))
LARGE = "100 and more"
"""A group's size: notes that had been relayed to it before."""


class Outcome(msgspec.Struct, frozen=True):
    """A relay: where its group stood in what was told (from 1, 0 for nowhere), and among the most popular."""

    at: datetime
    group_id: str
    rank: int
    popular: int
    before: int

    @property
    def week(self) -> str:
        """The week of the relay, as of ISO 8601."""
        year, week, _ = self.at.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def size(self) -> str:
        """How large its group was."""
        return next((name for most, name in SIZES if self.before < most), LARGE)


class Figures(msgspec.Struct, frozen=True):
    """Shares of relays, 0..1; `macro` is the mean over groups of `within`; `popular` is `within` of what is popular."""

    n: int
    first: float
    within: float
    mrr: float
    macro: float
    popular: float


class Looks:
    """Takes what people were shown and what they joined, in the order in which it was told.

    `shown` counts groups, each of them once a look; of these `again` had been shown to the same person within a week,
    and `joined` were joined within a week. joined / shown is what a place on a list is worth.
    """

    def __init__(self) -> None:
        self.shown = self.again = self.joined = 0
        self._last: dict[tuple[str, str], datetime] = {}
        self._went: set[tuple[str, str]] = set()

    def saw(self, person_id: str, group_id: str, at: datetime) -> None:
        """Somebody was shown a group."""
        last = self._last.get((person_id, group_id))
        if last is None or at >= last + LOOK:
            self.shown += 1
            self.again += last is not None and at < last + REST
            self._last[person_id, group_id] = at

    def went(self, person_id: str, group_id: str, at: datetime) -> None:
        """Somebody has joined a group."""
        last = self._last.get((person_id, group_id))
        if last is not None and at < last + REST and (person_id, group_id) not in self._went:
            self._went.add((person_id, group_id))
            self.joined += 1


class Evaluation:
    """Takes suggestions and relays in the order in which they were told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.looks = Looks()
        self.early = 0
        """Relays before anything was suggested for their note: they say nothing of it."""
        self._told: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._relays: Counter[str] = Counter()
        self._known: set[tuple[str, str]] = set()

    def suggested(self, note_id: str, group_ids: Sequence[str], sequence: int) -> None:
        """What was told for a note, best first; the higher sequence holds, whatever comes late."""
        if sequence > self._told.get(note_id, (-1, ()))[0]:
            self._told[note_id] = sequence, tuple(group_ids)

    def relayed(self, note_id: str, group_id: str, at: datetime) -> None:
        """Where the note went; the same relay again is none."""
        if (note_id, group_id) in self._known:
            return
        self._known.add((note_id, group_id))
        if note_id in self._told:
            best = sorted(self._relays, key=lambda group: (-self._relays[group], group))[:WITHIN]
            rank, popular = _place(self._told[note_id][1], group_id), _place(best, group_id)
            self.outcomes.append(Outcome(at, group_id, rank, popular, self._relays[group_id]))
        else:
            self.early += 1
        self._relays[group_id] += 1


def figures(outcomes: Iterable[Outcome]) -> Figures:
    """What some relays come to; all 0 for none."""
    of = list(outcomes)
    n = len(of) or 1
    by_group: dict[str, list[bool]] = {}
    for one in of:
        by_group.setdefault(one.group_id, []).append(0 < one.rank <= WITHIN)
    return Figures(
        n=len(of),
        first=sum(one.rank == 1 for one in of) / n,
        within=sum(0 < one.rank <= WITHIN for one in of) / n,
        mrr=sum(1 / one.rank for one in of if one.rank) / n,
        macro=sum(sum(hits) / len(hits) for hits in by_group.values()) / (len(by_group) or 1),
        popular=sum(0 < one.popular <= WITHIN for one in of) / n,
    )


def _place(groups: Sequence[str], group_id: str) -> int:
    return groups.index(group_id) + 1 if group_id in groups else 0
