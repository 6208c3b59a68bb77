"""How well and how fast the text model tells spam: `python -m tests.bench.text_model DATA_DIR [--draws n]`.

DATA_DIR holds spam/*.jsonl.gz with `text` and `label` (files of one label are left out) and notes/v2ex.jsonl.gz.
Texts that are equal but for white space and case count once. Four fifths are learned once, in a random order, the rest
is asked about; `few` learns 200 texts only. R is the share of spam above the chance that 1 % of the ham exceeds, ece
the mean distance of chance and truth in ten bins. Two baselines have the same features: naive Bayes, and logistic
regression by plain stochastic descent. `hides` is what the live rule does with the bar of the learned ham.
Times are of this process on one core. The rows are read, counted and forgotten: nothing of them is printed or kept.
"""

import argparse
import gzip
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.moderation.commands import base_rules
from services.moderation.core import Bar, Case, Judges, blank, learned, read, verdicts, watched
from services.moderation.core.grams import BITS, Reading, features

RULES = base_rules()
FEW = 200
LEAST_RATE = 10_000.0
MOST_SECONDS = 0.001
SINGLE = 500

Scores = NDArray[np.float64]
Rows = Sequence[tuple[str, bool]]


class Figures(NamedTuple):
    """Of one run over the texts that were asked about."""

    recall: float
    auc: float
    ece: float
    spam_hidden: float
    ham_hidden: float
    rate: float
    single: float


def rows_of(path: Path) -> list[tuple[str, bool]]:
    """Text and label of each row, equal texts once."""
    found: dict[str, tuple[str, bool]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            found.setdefault("".join(row["text"].lower().split()), (row["text"], row["label"] == 1))
    return list(found.values())


def recall(labels: NDArray[np.bool_], scores: Scores) -> float:
    """Share of the spam above the score that one in a hundred of the ham exceeds."""
    ham = np.sort(scores[~labels])[::-1]
    return float((scores[labels] > ham[len(ham) // 100]).mean())


def area(labels: NDArray[np.bool_], scores: Scores) -> float:
    """Area under the ROC curve; equal scores count half."""
    _, place, many = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(many) - (many - 1) / 2)[place]
    spam, ham = int(labels.sum()), int((~labels).sum())
    return float((rank[labels].sum() - spam * (spam + 1) / 2) / (spam * ham))


def distance(labels: NDArray[np.bool_], chances: Scores) -> float:
    """Expected calibration error over ten bins."""
    bins = np.minimum((chances * 10).astype(int), 9)
    parts = [bins == i for i in range(10) if (bins == i).any()]
    return float(sum(abs(labels[part].mean() - chances[part].mean()) * part.mean() for part in parts))


def ours(train: Rows, test: Rows) -> Figures:
    """The model as it is live, timed."""
    model, before = learned(blank(), ((read(text, RULES), spam) for text, spam in train))
    ham = [chance for chance, (_, spam) in zip(before, train, strict=True) if chance is not None and not spam]
    judges, texts = Judges(RULES, model, watched(Bar(id="bench"), ham)), [text for text, _ in test]
    began = time.process_time()
    found = verdicts(list(map(Case, texts)), judges)
    batch = time.process_time() - began
    began = time.process_time()
    for text in texts[:SINGLE]:
        verdicts([Case(text)], judges)
    single = (time.process_time() - began) / min(SINGLE, len(texts))
    labels, chances = np.array([spam for _, spam in test]), np.array([verdict.chance for verdict in found])
    hidden = np.array([verdict.hide for verdict in found])
    return Figures(
        recall(labels, chances),
        area(labels, chances),
        distance(labels, chances),
        float(hidden[labels].mean()),
        float(hidden[~labels].mean()),
        len(texts) / batch,
        single,
    )


def bayes(train: Sequence[tuple[Reading, bool]], test: Sequence[Reading]) -> Scores:
    """Naive Bayes over the same features, each counted once a text, a tenth added to each count."""
    counts = np.full((2, 1 << BITS), 0.1)
    for label in (0, 1):
        found = features([reading for reading, spam in train if spam == bool(label)])
        np.add.at(counts[label], found.ids, 1.0)
    ratio = np.log(counts[1] / counts[1].sum()) - np.log(counts[0] / counts[0].sum())
    asked = features(test)
    return np.bincount(asked.owner, ratio[asked.ids], asked.size).astype(float)


def plain(train: Sequence[tuple[Reading, bool]], test: Sequence[Reading]) -> Scores:
    """Logistic regression over the same features by stochastic descent with one constant step."""
    weights = np.zeros(1 << BITS)
    found = features([reading for reading, _ in train])
    bounds = np.searchsorted(found.owner, np.arange(found.size + 1))
    for place, (_, spam) in enumerate(train):
        part = slice(bounds[place], bounds[place + 1])
        chance = 1 / (1 + np.exp(-np.clip(weights[found.ids[part]] @ found.values[part], -40, 40)))
        weights[found.ids[part]] -= 2.0 * (chance - spam) * found.values[part]
    asked = features(test)
    return np.bincount(asked.owner, weights[asked.ids] * asked.values, asked.size).astype(float)


def measure(name: str, rows: Rows, few: int, draws: int) -> Figures:
    """Means over draws, printed beside those of the baselines."""
    ran: list[Figures] = []
    beside: dict[str, list[tuple[float, float]]] = {"naive Bayes": [], "plain logistic": []}
    baselines: dict[str, Callable[..., Scores]] = {"naive Bayes": bayes, "plain logistic": plain}
    for seed in range(draws):
        mixed = random.Random(seed).sample(list(rows), len(rows))
        cut = few or len(mixed) * 4 // 5
        train, test = mixed[:cut], mixed[cut:]
        ran.append(ours(train, test))
        known, asked = [(read(t, RULES), s) for t, s in train], [read(t, RULES) for t, _ in test]
        labels = np.array([spam for _, spam in test])
        for other, scores in ((other, fit(known, asked)) for other, fit in baselines.items()):
            beside[other].append((recall(labels, scores), area(labels, scores)))
    mean = Figures(*np.mean(ran, axis=0).tolist())
    print(
        f"{name:<22}{mean.recall:>8.3f}{mean.auc:>8.4f}{mean.ece:>8.3f}{mean.spam_hidden:>12.1%}{mean.ham_hidden:>11.2%}"
        f"{mean.rate:>10,.0f}{mean.single * 1000:>11.2f}"
    )
    for other, found in beside.items():
        both = np.mean(found, axis=0)
        print(f"    {other:<18}{both[0]:>8.3f}{both[1]:>8.4f}")
    return mean


def community(data: Path, rows: Rows) -> None:
    """A model of other communities' spam over a forum's notes: without a bar of its own, and with one."""
    with gzip.open(data / "notes" / "v2ex.jsonl.gz", "rt", encoding="utf-8") as lines:
        notes = sorted(map(json.loads, lines), key=lambda row: row["created"])
    texts = [f"{row['title']}\n{row['text'] or ''}" for row in notes if row["node"] != "promotions"]
    model = learned(blank(), ((read(text, RULES), spam) for text, spam in rows)).model
    half = len(texts) // 2
    begun = verdicts(list(map(Case, texts[:half])), Judges(RULES, model, Bar(id="none")))
    bar = watched(Bar(id="own"), [verdict.chance for verdict in begun if verdict.spared])
    later = verdicts(list(map(Case, texts[half:])), Judges(RULES, model, bar))
    by_rules = sum(not verdict.spared for verdict in (*begun, *later)) / len(texts)
    alone = sum(verdict.hide and verdict.spared for verdict in later) / len(later)
    sure = sum(verdict.chance > 0.9 and verdict.spared for verdict in later) / len(later)
    print(f"\nforum notes, none from `promotions`: {len(texts):,}, of which the rules hide {by_rules:.2%}")
    print(f"the model alone hides {alone:.2%} above their own bar of {bar.at}; above 0.9 it would be {sure:.2%}")


def main(argv: list[str]) -> int:
    """Print the table; exit code 1 if the model is slower than the bars for rate and single texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--draws", type=int, default=2, help="random splits for each line (few: five times as many)")
    given = parser.parse_args(argv)
    files = {path.name.removesuffix(".jsonl.gz"): rows_of(path) for path in sorted(given.data.glob("spam/*.gz"))}
    mixed = {name: rows for name, rows in files.items() if len({spam for _, spam in rows}) == 2}
    print(f"{'':<22}{'R@1%':>8}{'AUC':>8}{'ece':>8}{'spam hides':>12}{'ham hides':>11}{'texts/s':>10}{'single ms':>11}")
    found = [measure(name, rows, 0, given.draws) for name, rows in mixed.items()]
    found += [measure(f"{name}, few", rows, FEW, given.draws * 5) for name, rows in mixed.items()]
    if (given.data / "notes" / "v2ex.jsonl.gz").exists():
        community(given.data, [row for rows in mixed.values() for row in rows])
    rate, single = float(np.median([run.rate for run in found])), max(run.single for run in found)
    print(f"\nmedian {rate:,.0f} texts/s in batches, slowest {single * 1000:.2f} ms alone")
    return int(rate < LEAST_RATE or single > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
