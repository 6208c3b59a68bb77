"""Labelled texts for measuring, and the ways to part them into what is learned and what is asked about.

A text that is asked about is never near one that was learned: equal but for white space and case it counts once, and
with a cosine of 0.8 and more of the counts of character trigrams it is not asked.
"""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

NEAR = 0.8
FOLDS = 5
FEW = 200
_AT_ONCE = 500

Places = list[int]
Split = tuple[Places, Places]
"""Places of what is learned, and of what is asked about."""


class Corpus(NamedTuple):
    """Texts that differ, their labels, and their trigrams as rows of length one."""

    name: str
    texts: list[str]
    labels: NDArray[np.bool_]
    trigrams: object


def corpora(data: Path) -> list[Corpus]:
    """The files of DATA/spam that have both labels."""
    found = (corpus(path) for path in sorted(data.glob("spam/*.jsonl.gz")))
    return [one for one in found if 0 < one.labels.sum() < len(one.labels)]


def corpus(path: Path) -> Corpus:
    """The rows of a file, equal ones once."""
    rows: dict[str, tuple[str, bool]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            rows.setdefault("".join(row["text"].lower().split()), (row["text"], row["label"] == 1))
    counted = CountVectorizer(analyzer="char", ngram_range=(3, 3)).fit_transform(rows)
    labels = np.array([spam for _, spam in rows.values()])
    return Corpus(path.name.removesuffix(".jsonl.gz"), [text for text, _ in rows.values()], labels, normalize(counted))


def apart(given: Corpus, learned: Places, asked: Places) -> Split:
    """The split without what is asked and near to what is learned."""
    known, far = given.trigrams[learned].T.tocsr(), Places()  # type: ignore[index]
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        nearest = (given.trigrams[part] @ known).max(axis=1).toarray().ravel()  # type: ignore[index]
        far += [place for place, near in zip(part, nearest, strict=True) if near < NEAR]
    return learned, far


def folds(given: Corpus) -> Iterator[Split]:
    """Each text is asked about once, and learned in all other folds."""
    mixed = _mixed(given, 0)
    for fold in range(FOLDS):
        asked = mixed[fold::FOLDS]
        out = set(asked)
        yield apart(given, [place for place in mixed if place not in out], asked)


def fifths(given: Corpus, draws: int) -> Iterator[Split]:
    """Four fifths are learned, the rest is asked about."""
    for seed in range(draws):
        mixed = _mixed(given, seed)
        cut = len(mixed) * 4 // 5
        yield apart(given, mixed[:cut], mixed[cut:])


def few(given: Corpus, draws: int, many: int = FEW) -> Iterator[Split]:
    """So many texts are learned, the rest is asked about."""
    for seed in range(draws):
        mixed = _mixed(given, 100 + seed)
        yield apart(given, mixed[:many], mixed[many:])


def _mixed(given: Corpus, seed: int) -> Places:
    return random.Random(seed).sample(range(len(given.texts)), len(given.texts))


# -- what a ranking is worth ----------------------------------------------------------------------------------

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]


def recall(labels: Labels, scores: Scores) -> float:
    """Share of the spam above a score that at most one in a hundred of the ham exceeds."""
    ham = np.sort(scores[~labels])[::-1]
    return float((scores[labels] > ham[len(ham) // 100]).mean())


def area(labels: Labels, scores: Scores) -> float:
    """Area under the ROC curve; equal scores count half."""
    _, place, many = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(many) - (many - 1) / 2)[place]
    spam, ham = int(labels.sum()), int((~labels).sum())
    return float((rank[labels].sum() - spam * (spam + 1) / 2) / (spam * ham))


def distance(labels: Labels, chances: Sequence[float] | Scores) -> float:
    """Expected calibration error over ten bins."""
    given = np.asarray(chances)
    bins = np.minimum((given * 10).astype(int), 9)
    parts = [bins == i for i in range(10) if (bins == i).any()]
    return float(sum(abs(labels[part].mean() - given[part].mean()) * part.mean() for part in parts))
