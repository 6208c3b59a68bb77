"""What many groups cost: seconds to start, memory, a list, a search, a join; nothing of it touches a database.

    python -m tests.bench.growth --memberships F [--groups 10000] [--each 100] [--texts 10000]

As many groups with `--each` memberships on average are generated: how many groups a person is in, and how large groups
are, is drawn from F; who is where is chance, which makes more pairs of groups than real communities have. Pairs are
counted by one sparse product, which is what joins one by one end in (`tests/bench/people.py` checks that). `--texts`
groups talk of 300 terms each out of 50,000, the common ones far oftener. Run it on a quiet machine; it takes one core.
"""

import argparse
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from local.memory import resident
from services.recommend.core import (
    Asked,
    Circle,
    Circles,
    GroupProfile,
    Person,
    Picture,
    Places,
    Profiles,
    Source,
    Tie,
    Turn,
    features,
    joined,
    learn,
    list_for,
    search,
    share,
    turn,
    turned,
)
from shared.flow.documents import from_mongo, to_mongo
from tests.bench.people import read

Ints = NDArray[np.int64]
NOW = datetime(2026, 5, 4, tzinfo=UTC)
WEIGHTS: dict[Source, float] = {"search": 1.0, "intent": 0.4, "place": 0.3, "algorithm": 0.2}
ASKED, JOINS, TERMS, VOCABULARY = 1_000, 300, 300, 50_000


def memory() -> float:
    """MB that this process holds."""
    return resident(os.getpid())


class Town:
    """People and groups like those of a file, as many as wanted."""

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

    def circles(self) -> Iterator[Circle]:
        """Every group's circle, by one sparse product."""
        worth = np.array([share(int(n)) for n in range(int(self.x.getnnz(axis=1).max()) + 1)], dtype=np.int32)
        pairs = (self.x.T.tocsr() @ sparse.diags(worth[self.x.getnnz(axis=1)], dtype=np.int32) @ self.x).tocsr()
        for n, (name, members) in enumerate(zip(self.names, self.x.getnnz(axis=0).tolist(), strict=True)):
            row = slice(pairs.indptr[n], pairs.indptr[n + 1])
            told = zip(pairs.indices[row].tolist(), pairs.data[row].tolist(), strict=True)
            shares = tuple((self.names[other], int(value)) for other, value in told if other != n and value)
            yield turn(Circle(id=name), Turn(members, shares))

    def person(self, row: int) -> Person:
        groups = sorted(self.x.indices[self.x.indptr[row] : self.x.indptr[row + 1]].tolist())
        return Person(id=str(row), ties=tuple(Tie(self.names[n], member=True, sequence=1) for n in groups))

    def some(self, count: int) -> list[Person]:
        return [self.person(row) for row in random.Random(1).sample(range(self.x.shape[0]), count)]


def profiles(count: int) -> Iterator[GroupProfile]:
    """Groups that talk: the n-th commonest of the terms with a chance like 1 / n."""
    chance = np.random.default_rng(43)
    odds = 1 / np.arange(1, VOCABULARY + 1)
    for n in range(count):
        found = sorted(f"t{t}" for t in set(chance.choice(VOCABULARY, TERMS, p=odds / odds.sum()).tolist()))
        told = " ".join(f"{term} {1 + len(term) % 3}" for term in found)
        yield GroupProfile(id=f"group-{n:06d}", v=1, name=f"G{n}", seats_left=1, notes=20, terms=told)


def timed(what: str, calls: Sequence[Callable[[], object]]) -> None:
    spent = []
    for call in calls:
        began = perf_counter()
        call()
        spent.append(perf_counter() - began)
    at = sorted(spent)
    p95, p99 = (at[int(len(at) * share_)] * 1e3 for share_ in (0.95, 0.99))
    print(f"  {what}: mean {mean(spent) * 1e3:.2f} ms, p95 {p95:.2f} ms, p99 {p99:.2f} ms over {len(spent)}")


def of_circles(town: Town) -> Circles:
    """Who is where: seconds, memory, and what a join costs."""
    began = perf_counter()
    documents = {circle.id: circle for circle in town.circles()}
    size = sum(len(circle.others) for circle in documents.values()) / 1e6
    print(f"{len(documents)} circles counted at once in {perf_counter() - began:.1f} s, {size:.0f} MB as documents")
    stored = [to_mongo(circle) for circle in documents.values()]
    before, began = memory(), perf_counter()
    view = Circles()
    for document in stored:
        view.put(from_mongo(Circle, document))
    held = memory() - before
    print(
        f"  view: {perf_counter() - began:.1f} s, {held:.0f} MB, {held / len(documents) * 1e3:.1f} MB per 1,000 groups"
    )
    people = town.some(ASKED)
    timed("the best forty of a person", [partial(view.suggest, who, 40) for who in people])
    began, events = perf_counter(), 0
    for who in islice(people, JOINS):
        after = joined(who, random.Random(who.id).choice(town.names), 2)
        changes = turned(who, after)
        for group, change in changes.items():
            turn(documents[group], change)
        events += 1 + len(changes)
    took = perf_counter() - began
    print(f"  joins: {took / JOINS * 1e3:.2f} ms each with all its turns, {events / took:.0f} events a second")
    return view


def of_texts(count: int, circles: Circles, people: list[Person]) -> None:
    """What groups talk about: seconds, memory, placing, searching, learning."""
    stored = [to_mongo(profile) for profile in profiles(count)]
    before, began = memory(), perf_counter()
    view = Profiles()
    for document in stored:
        view.put(from_mongo(GroupProfile, document))
    view.scores({})  # weighs the terms
    held = memory() - before
    print(f"{count} profiles of {TERMS} terms, view: {perf_counter() - began:.1f} s, {held:.0f} MB")
    asked = random.Random(2)
    words = [" ".join(f"t{asked.randrange(1, 2_000)}" for _ in range(30)) for _ in range(100)]
    timed("a note of 30 terms placed", [partial(view.place, features(w, "")) for w in words])
    first = [Asked(" ".join(w.split()[:3])) for w in words]
    picture = Picture(circles, view, Places(), WEIGHTS)
    looks = [partial(search, who, some, NOW, picture) for some, who in zip(first, people, strict=False)]
    timed("a search of 3 words", looks)
    timed("a list of five", [partial(list_for, who, NOW, 5, circles, view) for who in people])
    began = perf_counter()
    for n, w in enumerate(words):
        view.put(learn(from_mongo(GroupProfile, stored[n]), features(w, "")))
    view.scores({})
    print(f"  relays learned: {len(words) / (perf_counter() - began):.0f} a second")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memberships", type=Path, required=True)
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=100, help="memberships of a group")
    parser.add_argument("--texts", type=int, default=10_000, help="groups that talk")
    asked = parser.parse_args()
    began = perf_counter()
    town = Town(read(asked.memberships, 1), asked.groups, asked.each)
    people, groups = town.x.shape
    print(f"{groups} groups, {people} people, {town.x.nnz} memberships, made in {perf_counter() - began:.1f} s")
    circles = of_circles(town)
    of_texts(asked.texts, circles, town.some(ASKED))
    return 0


if __name__ == "__main__":
    sys.exit(main())
