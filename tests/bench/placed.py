"""How well a file of ranked groups (`python -m services.recommend place`) hits the truth.

    python -m tests.bench.placed --split notes.jsonl.gz --into DIR        writes DIR/train.jsonl and DIR/test.jsonl
    python -m tests.bench.placed ranked.jsonl --truth test.jsonl [--train train.jsonl] [--least 20]

The split is by time, the first 80 % to learn. With `--train` only notes of nodes with at least so many posts there
are asked about, and popularity and tf-idf centroids, learned from it, stand beside; all rank all the nodes they know.
A note that is missing from the ranked file, or whose node does not come out in it, counts as missed.
"""

import argparse
import gzip
import json
import sys
from collections import Counter
from heapq import nlargest
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from services.recommend.core import features
from tests.bench.placement import (
    COLUMNS,
    LEAST_POSTS,
    SMALL,
    TRAIN,
    Centroid,
    Note,
    Popularity,
    Rank,
    Scorer,
    figures,
)

K = 10
MISSED = 1_000_000

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def split(notes: Path, folder: Path) -> None:
    rows = sorted(read(notes), key=lambda row: float(row["created"]))
    at = int(len(rows) * TRAIN)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", rows[:at]), ("test", rows[at:])):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
        print(f"{name}: {len(part)} rows", file=sys.stderr)


def place(ranked: list[str], node: str) -> Rank:
    return Rank(node, ranked.index(node) + 1 if node in ranked else MISSED)


def top(scorer: Scorer, row: Row) -> list[str]:
    scores = scorer(features(row["title"], row.get("text") or ""))
    return nlargest(K, sorted(scores), key=lambda node: scores[node])


def scored(ranked: Path, truth: list[Row], train: list[Row], least: int) -> dict[str, list[Rank]]:
    posts = Counter(row["node"] for row in train)
    asked = [row for row in truth if not train or posts[row["node"]] >= least]
    lists = {row["id"]: row["ranked"] for row in read(ranked)}
    told = {"ranked file": [place(lists.get(row["id"], []), row["node"]) for row in asked]}
    if train:
        notes = [Note(row["node"], features(row["title"], row.get("text") or ""), {}) for row in train]
        told[f"ranked file, nodes under {SMALL} posts"] = [r for r in told["ranked file"] if posts[r.node] < SMALL]
        for name, scorer in (("popularity", Popularity(notes)), ("tf-idf centroid", Centroid(notes))):
            told[name] = [place(top(scorer, row), row["node"]) for row in asked]
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ranked", type=Path, nargs="?")
    parser.add_argument("--truth", type=Path, help="rows: id, node")
    parser.add_argument("--train", type=Path, help="rows: node, title, text")
    parser.add_argument("--least", type=int, default=LEAST_POSTS, help="posts of a node in --train (default: 20)")
    parser.add_argument("--split", type=Path, metavar="NOTES")
    parser.add_argument("--into", type=Path, metavar="DIR")
    asked = parser.parse_args()
    if asked.split and asked.into:
        split(asked.split, asked.into)
        return 0
    if not asked.ranked or not asked.truth:
        parser.error("a ranked file and --truth, or --split and --into")
    table = Table("", *COLUMNS)
    train = read(asked.train) if asked.train else []
    for name, ranks in scored(asked.ranked, read(asked.truth), train, asked.least).items():
        table.add_row(name, *figures(ranks).row())
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
