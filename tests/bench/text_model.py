"""How well and how fast the text model tells spam: `make bench-text DATA=dir`.

DATA holds spam/*.jsonl.gz with `text` and `label` (files of one label are left out) and, if it is there,
notes/v2ex.jsonl.gz. One model with one configuration learns each file as `train` does, in four ways:

    80/20      four fifths are learned, the rest asked about; mean of draws
    5-fold     each text is asked about once, the five answers ranked together
    200        200 texts are learned; mean of ten draws
    transfer   all other files are learned, none of this one; `+ 200` learns 200 of its own after them

What is asked about is never near what was learned (`tests/bench/corpora.py`). R is the share of spam above the chance
that at most 1 % of the ham exceeds, ece the mean distance of chance and truth in ten bins. Beside it: logistic
regression over tf-idf of one to three characters, and naive Bayes over their counts. Times are of this process on one
core. The rows are read, counted and forgotten: nothing of them is printed or kept.
"""

import argparse
import gc
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline

from services.moderation.commands import LabelledRow, mixed, trained
from services.moderation.core import Bar, Case, Judges, TextModel, learned, read, verdicts, watched
from shared.release import base_rules
from tests.bench.corpora import Corpus, Labels, Scores, Split, area, corpora, distance, few, fifths, folds, recall

LEAST_RATE = 10_000.0
MOST_SECONDS = 0.001
SINGLE = 500
DRAWS = 10
BARS: dict[tuple[str, str], tuple[float, float]] = {
    ("zh_chat", "80/20"): (0.75, 0.97),
    ("zh_comments", "5-fold"): (0.90, 0.0),
    ("en_sms", "5-fold"): (0.96, 0.0),
    ("zh_comments", "200"): (0.69, 0.976),
}
"""Least R and AUC."""

Fit = Callable[[Sequence[str], Labels], Callable[[Sequence[str]], Scores]]


class Figures(NamedTuple):
    """Of one way to part one file."""

    recall: float
    auc: float
    ece: float


def ours(texts: Sequence[str], labels: Labels) -> Callable[[Sequence[str]], Scores]:
    """The model as `train` makes it and the live path asks it."""
    given = mixed(LabelledRow(text, 1 if spam else 0) for text, spam in zip(texts, labels.tolist(), strict=True))
    return partial(asked, trained(given).judges)


def asked(judges: Judges, texts: Sequence[str]) -> Scores:
    """Chances, as in verdicts."""
    return np.array([verdict.chance for verdict in verdicts(list(map(Case, texts)), judges)])


def beside(make: Callable[[], Pipeline], texts: Sequence[str], labels: Labels) -> Callable[[Sequence[str]], Scores]:
    """A baseline."""
    made = make().fit(texts, labels)
    return lambda texts: np.asarray(made.predict_proba(texts)[:, 1])


def logistic() -> Pipeline:
    """Character logistic regression."""
    seen = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    return make_pipeline(seen, LogisticRegression(C=10, solver="liblinear"))


def bayes() -> Pipeline:
    """Naive Bayes."""
    return make_pipeline(CountVectorizer(analyzer="char", ngram_range=(1, 3)), MultinomialNB(alpha=0.1))


WAYS: dict[str, Fit] = {"ours": ours, "logistic": partial(beside, logistic), "bayes": partial(beside, bayes)}


def figures(corpus: Corpus, splits: Iterable[Split], fit: Fit, *, pooled: bool) -> Figures:
    """Learn and ask; `pooled` ranks all answers together, else each split counts by itself."""
    parts: list[tuple[Labels, Scores]] = []
    for known, rest in splits:
        answer = fit([corpus.texts[place] for place in known], corpus.labels[known])
        parts.append((corpus.labels[rest], answer([corpus.texts[place] for place in rest])))
    if pooled:
        parts = [(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))]
    return Figures(*np.mean([(recall(*part), area(*part), distance(*part)) for part in parts], axis=0).tolist())


def transfer(corpus: Corpus, others: Sequence[Corpus]) -> Iterator[tuple[str, Figures]]:
    """What is learned elsewhere, asked here; then with 200 texts of here learned one by one, as staff teach."""
    texts = [text for other in others for text in other.texts]
    given = zip(texts, np.concatenate([other.labels for other in others]).tolist(), strict=True)
    judges = trained(mixed(LabelledRow(text, 1 if spam else 0) for text, spam in given)).judges
    yield (
        "transfer",
        figures(corpus, [([], list(range(len(corpus.texts))))], lambda *_: partial(asked, judges), pooled=True),
    )

    def after(texts: Sequence[str], labels: Labels) -> Callable[[Sequence[str]], Scores]:
        lessons = [(read(text, judges.rules), bool(spam)) for text, spam in zip(texts, labels, strict=True)]
        return partial(asked, Judges(judges.rules, learned(judges.model, lessons).model, judges.bar))

    yield "transfer + 200", figures(corpus, few(corpus, DRAWS), after, pooled=False)


def speed(corpus: Corpus, model: TextModel) -> tuple[float, float]:
    """Texts a second in a batch, seconds for one alone: normalised, judged by rules and model, evidence shown."""
    judges, cases = Judges(base_rules(), model, Bar(id="bench", at=0.9)), list(map(Case, corpus.texts))
    began = time.process_time()
    verdicts(cases, judges)
    batch = time.process_time() - began
    began = time.process_time()
    for case in cases[:SINGLE]:
        verdicts([case], judges)
    return len(cases) / batch, (time.process_time() - began) / min(SINGLE, len(cases))


def community(data: Path, judges: Judges) -> str:
    """A model of other communities' spam over a forum's notes: with a bar of their own, and without."""
    with gzip.open(data / "notes" / "v2ex.jsonl.gz", "rt", encoding="utf-8") as lines:
        notes = sorted(map(json.loads, lines), key=lambda row: row["created"])
    texts = [f"{row['title']}\n{row['text'] or ''}" for row in notes if row["node"] != "promotions"]
    half = len(texts) // 2
    begun = verdicts(list(map(Case, texts[:half])), Judges(judges.rules, judges.model, Bar(id="none")))
    bar = watched(Bar(id="own"), [verdict.chance for verdict in begun if verdict.spared])
    later = verdicts(list(map(Case, texts[half:])), Judges(judges.rules, judges.model, bar))
    alone = sum(verdict.hide and verdict.spared for verdict in later) / len(later)
    sure = sum(verdict.chance > 0.9 and verdict.spared for verdict in later) / len(later)
    return (
        f"{len(texts):,} notes of a forum, none from `promotions`: the model alone hides {alone:.2%} of the later half "
        f"above the bar of the earlier one ({bar.at}); above 0.9 it would be {sure:.2%}"
    )


def main(argv: list[str]) -> int:
    """Print the table; exit code 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="", help="ways to part the files, separated by commas")
    given = parser.parse_args(argv)
    gc.set_threshold(50_000, 50, 100)  # as shared.app does
    files = corpora(given.data)
    table = Table("file", "way", "R@1%", "AUC", "ece", "logistic R", "AUC", "bayes R", "AUC", "bar R", "AUC", "")
    missed = not files
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("learning", total=len(files) * 4)
        for corpus in files:
            for way, found in _measured(corpus, files, given.only.split(",") if given.only else ()):
                bar = BARS.get((corpus.name, way))
                good = bar is None or (found["ours"].recall >= bar[0] and found["ours"].auc >= bar[1])
                missed |= not good
                table.add_row(*_row(corpus.name, way, found), *_bar(bar, good))
                progress.advance(task)
    Console(width=120).print(table)
    return int(missed | _speeds(given.data, files))


def _measured(corpus: Corpus, files: Sequence[Corpus], only: Sequence[str]) -> Iterator[tuple[str, dict[str, Figures]]]:
    ways: dict[str, Callable[[], Iterable[Split]]] = {
        "80/20": lambda: fifths(corpus, 2),
        "5-fold": lambda: folds(corpus),
        "200": lambda: few(corpus, DRAWS),
    }
    for way, splits in ways.items():
        if not only or way in only:
            parts = list(splits())
            yield way, {name: figures(corpus, parts, fit, pooled=way == "5-fold") for name, fit in WAYS.items()}
    others = [other for other in files if other is not corpus]
    if others and (not only or "transfer" in only):
        for way, found in transfer(corpus, others):
            yield way, {"ours": found}


def _row(name: str, way: str, found: dict[str, Figures]) -> list[str]:
    mine = found["ours"]
    cells = [name, way, f"{mine.recall:.3f}", f"{mine.auc:.4f}", f"{mine.ece:.3f}"]
    for other in ("logistic", "bayes"):
        cells += [f"{found[other].recall:.3f}", f"{found[other].auc:.4f}"] if other in found else ["", ""]
    return cells


def _bar(bar: tuple[float, float] | None, good: bool) -> list[str]:
    if bar is None:
        return ["", "", ""]
    return [f"{bar[0]:.2f}", f"{bar[1]:.3f}" if bar[1] else "", "kept" if good else "MISSED"]


def _speeds(data: Path, files: Sequence[Corpus]) -> bool:
    """Print how fast a model of all files is; whether too slow."""
    rows = [LabelledRow(t, 1 if s else 0) for f in files for t, s in zip(f.texts, f.labels.tolist(), strict=True)]
    judges = trained(mixed(rows)).judges
    rates = [speed(corpus, judges.model) for corpus in files]
    for corpus, (rate, single) in zip(files, rates, strict=True):
        print(f"{corpus.name}: {rate:,.0f} texts/s in a batch, {single * 1000:.2f} ms alone")
    if (data / "notes" / "v2ex.jsonl.gz").exists():
        print(community(data, judges))
    return not rates or min(rate for rate, _ in rates) < LEAST_RATE or max(one for _, one in rates) > MOST_SECONDS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
