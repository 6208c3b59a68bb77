"""How well and how fast the rules judge real texts: `python -m tests.bench.text DATA_DIR [--unmask] [--newcomers]`.

DATA_DIR holds spam/*.jsonl.gz and ham/*.jsonl.gz with a field `text`; `label` 1 is spam, no label is ham.
One core, in the processor's time. Beside the rates stands what one of a plain filter is: NFKC, case folding, twenty
words looked for. The rows are read, counted and forgotten: nothing of them is printed or kept.
"""

import argparse
import gc
import gzip
import json
import re
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from services.moderation.core import read as seen
from shared.judging import readings
from shared.judging.model import CHUNK
from shared.release import base_rules
from shared.rules import Sight, Value, judge
from shared.text import normalise

MOST_HAM_HIDDEN = 0.005
"""The bar: at most this share of a ham file's rows may be hidden."""

RULES = base_rules()
MOST_NEW_HIDDEN = 0.001
"""The bar for newcomers: at most this share of honest first texts may be hidden."""
NEW: dict[str, Value] = {"author.age": 0.0, "author.written": 0, "author.posts(1m)": 0, "author.posts(1h)": 0}
"""What a counter tells of somebody's first text."""
LEAST_RATE = 20_000
"""The bar: texts a second that the median of the files must come to."""
PLAIN = [
    "微信",
    "qq",
    "加我",
    "联系",
    "电话",
    "兼职",
    "赚钱",
    "优惠",
    "免费",
    "贷款",
    "代理",
    "彩金",
    "约炮",
    "看片",
    "发票",
    "free",
    "win",
    "prize",
    "call",
    "txt",
]

_MASK = re.compile(r"(?<![A-Za-z])x+(?![A-Za-z])")


@dataclass
class Tally:
    """What one file came to: rows and hidden rows by label, rules that spoke in hidden ham, seconds by row."""

    rows: Counter[int] = field(default_factory=Counter)
    hidden: Counter[int] = field(default_factory=Counter)
    blamed: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    normalising: float = 0.0
    batch: float = 0.0
    plain: float = 0.0


def read(path: Path, unmask: bool) -> Iterator[tuple[int, str]]:
    """(label, text) of each row. `unmask` puts digits where a publisher wrote x for them."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = row["text"]
            if unmask:
                text = _MASK.sub(lambda mask: "13912345678"[: len(mask.group())].ljust(len(mask.group()), "5"), text)
            yield int(row.get("label", 0)), text


def measure(path: Path, unmask: bool) -> Tally:
    """Every row judged once in a batch (the rate), and once alone under the clock (the tail)."""
    tally = Tally()
    rows = list(read(path, unmask))
    began = time.process_time()
    for _, text in rows:
        normalise(text)
    tally.normalising = time.process_time() - began
    began = time.process_time()
    texts = [text for _, text in rows]
    verdicts = [r.judgement for at in range(0, len(texts), CHUNK) for r in readings(texts[at : at + CHUNK], RULES)]
    tally.batch = time.process_time() - began
    began = time.process_time()
    for _, text in rows:
        plain = unicodedata.normalize("NFKC", text).casefold()
        any(word in plain for word in PLAIN)
    tally.plain = time.process_time() - began
    for (label, _), verdict in zip(rows, verdicts, strict=True):
        tally.rows[label] += 1
        tally.hidden[label] += verdict.hide
        if verdict.hide and not label:
            tally.blamed.update(reason.rule for reason in verdict.reasons)
    for _, text in rows:
        began = time.process_time()
        seen(text, RULES)
        tally.seconds.append(time.process_time() - began)
    return tally


def strangers(path: Path) -> tuple[int, int, int]:
    """Ham as the first text of somebody new: rows, hidden, and put up for review by rules that know it."""
    rows = [text for label, text in read(path, unmask=False) if not label]
    said = [judge(RULES, Sight(text, normalise(text), NEW)) for text in rows]
    return len(said), sum(one.hide for one in said), sum(one.review and not one.hide for one in said)


def share(tally: Tally, label: int) -> str:
    """The hidden share of the rows with this label; a dash where there are none."""
    if not tally.rows[label]:
        return "-"
    return f"{tally.hidden[label] / tally.rows[label]:.2%} of {tally.rows[label]:,}"


def main(argv: list[str]) -> int:
    """Print the table; exit code 1 if a ham file lost more rows than the bar allows, or the rate is below its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--unmask", action="store_true", help="read runs of x as the digits they stand for")
    parser.add_argument("--newcomers", action="store_true", help="judge ham as the first texts of strangers, too")
    parser.add_argument("--blame", action="store_true", help="name the rules that spoke in hidden ham")
    given = parser.parse_args(argv)
    gc.set_threshold(50_000, 50, 100)  # as shared.app does
    files = [path for kind in ("spam", "ham") for path in sorted((given.data / kind).glob("*.jsonl.gz"))]
    failed, rates = not files, list[float]()
    print(
        f"{'file':<34}{'spam hidden (recall)':>24}{'ham hidden':>20}{'texts/s':>10}{'normalise/s':>13}"
        f"{'plain filter':>14}{'p99 us':>8}"
    )
    for path in files:
        tally = measure(path, given.unmask)
        rates.append(tally.rows.total() / tally.batch)
        rows, p99 = tally.rows.total(), sorted(tally.seconds)[int(len(tally.seconds) * 0.99)] * 1e6
        print(
            f"{path.name.removesuffix('.jsonl.gz'):<34}{share(tally, 1):>24}{share(tally, 0):>20}"
            f"{rows / tally.batch:>10,.0f}{rows / tally.normalising:>13,.0f}"
            f"{tally.batch / tally.plain:>11.1f} x{p99:>10,.0f}"
        )
        if given.blame and tally.blamed:
            print(f"    {dict(tally.blamed.most_common(8))}")
        failed |= path.parent.name == "ham" and tally.hidden[0] > MOST_HAM_HIDDEN * tally.rows[0]
    if given.newcomers:
        failed |= _newcomers(files)
    rate = median(rates) if rates else 0
    print(f"\nmedian {rate:,.0f} texts/s, normalised and judged")
    return int(failed or rate < LEAST_RATE)


def _newcomers(files: Sequence[Path]) -> bool:
    """Print what happens to honest strangers; whether too many are hidden."""
    print(f"\n{'first texts of strangers':<34}{'ham hidden':>20}{'for review':>14}")
    rows = hidden = 0
    for path in files:
        found = strangers(path)
        rows, hidden = rows + found[0], hidden + found[1]
        if found[0]:
            print(f"{path.name.removesuffix('.jsonl.gz'):<34}{found[1] / found[0]:>20.3%}{found[2] / found[0]:>14.3%}")
    print(f"{'all':<34}{hidden / max(rows, 1):>20.3%} of {rows:,}")
    return hidden > MOST_NEW_HIDDEN * rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
