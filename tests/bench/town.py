"""Towns of any size that look like a real one: who is where, what groups talk about, where they meet.

How many groups a person is in, and how large groups are, is drawn from a file of memberships; who is where is chance,
which makes more pairs of groups than real communities have. Groups talk of 300 terms each out of 50,000, the n-th
commonest with a chance like 1 / n, and meet in the cells within 12 km of the middle of a city. All are alive, and have
been asked questions.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import h3
import numpy as np
from scipy import sparse

from services.recommend.core import (
    Circle,
    GroupProfile,
    NoteTerms,
    Person,
    Pulse,
    Tie,
    Turn,
    asked,
    founded,
    heard,
    share,
    turn,
)
from shared.place import district

TERMS, VOCABULARY = 300, 50_000
MIDDLE, AROUND = "89264d1063bffff", 40
"""The cell of the middle of the city, and steps of 0.35 km to its edge."""
_AT_ONCE = 2_000


class Town:
    """People and groups like those of a file, `each` members a group on average."""

    def __init__(self, like: dict[str, list[str]], groups: int, each: int) -> None:
        chance = np.random.default_rng(42)
        degrees = np.array([len(found) for found in like.values()])
        sizes = np.unique([g for found in like.values() for g in found], return_counts=True)[1]
        weight = chance.choice(sizes, groups).astype(float)
        people = round(groups * each / degrees.mean())
        many = np.minimum(chance.choice(degrees, people), groups)
        rows = np.repeat(np.arange(people), many)
        columns = chance.choice(groups, len(rows), p=weight / weight.sum())
        self.x = sparse.csr_matrix((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=(people, groups))
        self.x.data[:] = 1  # the same group twice is once
        self.names = [f"group-{n:06d}" for n in range(groups)]

    @property
    def people(self) -> int:
        return int(self.x.shape[0])

    @property
    def memberships(self) -> int:
        return int(self.x.nnz)

    def circles(self) -> Iterator[Circle]:
        """Every group's circle: all pairs by sparse products, some thousand groups at a time."""
        worth = np.array([share(int(n)) for n in range(int(self.x.getnnz(axis=1).max()) + 1)], dtype=np.int32)
        weighed = (sparse.diags(worth[self.x.getnnz(axis=1)], dtype=np.int32) @ self.x).tocsr()
        columns, members = self.x.T.tocsr(), self.x.getnnz(axis=0).tolist()
        for start in range(0, len(self.names), _AT_ONCE):
            pairs = (columns[start : start + _AT_ONCE] @ weighed).tocsr()
            for n in range(pairs.shape[0]):
                row = slice(pairs.indptr[n], pairs.indptr[n + 1])
                told = zip(pairs.indices[row].tolist(), pairs.data[row].tolist(), strict=True)
                shares = tuple((self.names[o], int(value)) for o, value in told if o != start + n and value)
                yield turn(Circle(id=self.names[start + n], v=1), Turn(members[start + n], shares))

    def person(self, row: int) -> Person:
        groups = sorted(self.x.indices[self.x.indptr[row] : self.x.indptr[row + 1]].tolist())
        return Person(id=f"person-{row}", v=1, ties=tuple(Tie(self.names[n], member=True, sequence=1) for n in groups))

    def some(self, count: int, seed: int = 1) -> list[Person]:
        """People of the town, by chance."""
        return [self.person(row) for row in np.random.default_rng(seed).choice(self.people, count, replace=False)]

    def words(self, count: int, many: int) -> list[str]:
        """So many words each, of which a third are common."""
        chance = np.random.default_rng(5)
        drawn = chance.integers(1, np.array([100, 2_000, 20_000])[np.arange(many) % 3], (count, many))
        return [" ".join(f"t{n}" for n in row) for row in drawn.tolist()]

    def cells(self, count: int) -> list[str]:
        """Where people stand, anywhere in the city."""
        city = sorted(h3.grid_disk(MIDDLE, AROUND))
        return [city[n] for n in np.random.default_rng(6).integers(len(city), size=count)]

    def profiles(self) -> Iterator[GroupProfile]:
        """What each group talks about, and where it meets; a tenth has no seat left."""
        chance = np.random.default_rng(43)
        odds = 1 / np.arange(1, VOCABULARY + 1)
        odds = np.cumsum(odds / odds.sum())
        cells = sorted(h3.grid_disk(MIDDLE, AROUND))
        for n, name in enumerate(self.names):
            found = np.unique(np.searchsorted(odds, chance.random(TERMS))).tolist()
            told = " ".join(f"{term} {1 + len(term) % 3}" for term in sorted(f"t{t}" for t in found))
            yield GroupProfile(
                id=name,
                v=1,
                name=f"G{n}",
                owner_id=f"owner-{n % (len(self.names) // 2)}",
                cell=cells[int(chance.integers(len(cells)))],
                seats_left=int(n % 10 > 0),
                notes=20,
                terms=told,
            )

    def notes(self, count: int, now: datetime) -> Iterator[NoteTerms]:
        """So many notes anywhere in the city, of an author each, the last hours' first."""
        for n, cell in enumerate(self.cells(count)):
            yield NoteTerms(
                id=f"note-{n}",
                v=1,
                posted=True,
                author_id=f"author-{n}",
                at=now - timedelta(minutes=n),
                cell=cell,
                district=district(cell),
            )

    def pulses(self, now: datetime) -> Iterator[Pulse]:
        """What was heard of each group today: two people, and four questions, of which some were answered."""
        for n, name in enumerate(self.names):
            pulse = heard(heard(founded(Pulse(id=name, v=1), now), "ann", now), "bob", now)
            for need in range(4):
                pulse = asked(pulse, f"need-{need}", "answered" if (n + need) % 3 else "open", now, 1)
            yield pulse
