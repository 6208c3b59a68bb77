"""What spam that nobody has found costs a model's bar, and what staff win by finding it.

    python -m tests.bench.bar DATA

DATA holds spam/*.jsonl.gz with `text` and `label`, and notes/v2ex.jsonl.gz. Of each file of spam a model learns one
half. The spam of the other half is strewn among a forum's notes; the bar is fitted on the earlier half of this
community, in which staff have found none, half, or all of the spam that the rules had spared, and asked of the later
half. "caught" is the share of its spam that rules or model hide, "hidden" that of its notes. Prints a table.
"""

import argparse
import gzip
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.moderation.commands import LabelledRow, mixed, trained
from services.moderation.core import Bar, Case, Judges, Verdict, found_spam, verdicts, watched
from tests.bench.corpora import Corpus, corpora

SHARES = (0.01, 0.06, 0.5)
"""Of the community's texts that are spam."""
FOUND = (0.0, 0.5, 1.0)
MOST = 4_000
"""Texts of a community."""

Text = tuple[str, bool]
"""And whether it is spam."""


def forum(data: Path) -> list[str]:
    """Notes, oldest first, but for those of the node that is for advertisements."""
    with gzip.open(data / "notes" / "v2ex.jsonl.gz", "rt", encoding="utf-8") as lines:
        notes = sorted(map(json.loads, lines), key=lambda row: row["created"])
    return [f"{row['title']}\n{row['text'] or ''}" for row in notes if row["node"] != "promotions"]


def community(notes: Sequence[str], spam: Sequence[str], share: float) -> list[Text]:
    """Both in one order, so that so much of it is spam; as long as both suffice."""
    rng = random.Random(42)
    many = int(min(MOST * share, len(spam), len(notes) * share / (1 - share)))
    texts = [(text, True) for text in rng.sample(list(spam), many)]
    texts += [(text, False) for text in notes[: round(many * (1 - share) / share)]]
    rng.shuffle(texts)
    return texts


def fitted(earlier: Sequence[Text], judges: Judges, found: float) -> Bar:
    """The bar of a community whose staff find so much of the spam that the rules spare, by chance."""
    rng = random.Random(42)
    bar = Bar(id="own")
    for number, (verdict, (_, spam)) in enumerate(zip(_judged(earlier, judges), earlier, strict=True)):
        if verdict.spared:
            bar = watched(bar, [verdict.chance], str(number))
            if spam and rng.random() < found:
                bar = found_spam(bar, str(number))
    return bar


def _judged(texts: Sequence[Text], judges: Judges) -> Sequence[Verdict]:
    return verdicts([Case(text) for text, _ in texts], judges)


def rows(corpus: Corpus, notes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """One for each share of spam and each diligence of staff."""
    given = [
        LabelledRow(text, 1 if spam else 0) for text, spam in zip(corpus.texts, corpus.labels.tolist(), strict=True)
    ]
    random.Random(42).shuffle(given)
    half = len(given) // 2
    judges = trained(mixed(given[:half])).judges
    spam = [row.text for row in given[half:] if row.label]
    for share in SHARES:
        texts = community(notes, spam, share)
        earlier, later = texts[: len(texts) // 2], texts[len(texts) // 2 :]
        for found in FOUND:
            bar = fitted(earlier, Judges(judges.rules, judges.model, Bar(id="none")), found)
            hidden = [v.hide for v in _judged(later, Judges(judges.rules, judges.model, bar))]
            caught = [hide for hide, (_, bad) in zip(hidden, later, strict=True) if bad]
            wrong = [hide for hide, (_, bad) in zip(hidden, later, strict=True) if not bad]
            shown = "none" if bar.at is None else f"{bar.at:.4f}"
            told = (f"{sum(caught) / len(caught):.1%}", f"{sum(wrong) / len(wrong):.2%}", f"{len(caught)}/{len(wrong)}")
            yield corpus.name, f"{share:.0%}", f"{found:.0%}", shown, *told


def main(argv: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args(argv).data
    notes = forum(data)
    table = Table("file", "spam", "found", "bar", "caught", "hidden", "spam/notes asked")
    for corpus in track(corpora(data), console=Console(stderr=True), description="learning"):
        for row in rows(corpus, notes):
            table.add_row(*row)
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
