"""How long a look of the gate takes, and what it holds: ``python -m tests.bench.gate DATA_DIR``.

DATA_DIR holds spam/, ham/ and notes/ with *.jsonl.gz (`text`, notes with `title`). The gate has what a community at
work would have told it: the rules of the release, a text model that has learned rows of these files, and 10,000
counters that are hot. Then it looks at rows of all files in turn, of which it has learned none. Fails where one look
in a hundred takes longer than 20 ms. The rows are read and forgotten: nothing of them is printed or kept.
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from services.moderation.core import PARTS, Judges, cell, learned, read, weights_of
from services.moderation.core.bar import Bar
from shared.contracts.moderation import Count, CounterHeated, ModelTold
from shared.gate import MOST_SECONDS, Gate
from shared.judging import blank
from shared.judging.keys import text_hash
from shared.judging.snapshot import Draft
from shared.release import base_rules
from shared.telemetry import GateMetrics

LEARNED, LOOKED, HOT = 4_000, 20_000, 10_000


def kind_of(where: str, row: dict[str, Any]) -> str:
    """What a row is: the files of advertisements have ham among them."""
    return "ham" if row.get("label") == 0 else where


def rows(folder: Path) -> Iterator[tuple[str, str]]:
    """Rows of all files in turn, with the name of their folder."""

    def of(path: Path) -> Iterator[tuple[str, str]]:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if "text" in row:
                    yield (
                        kind_of(path.parent.name, row),
                        f"{row['title']}\n{row['text']}" if "title" in row else row["text"],
                    )

    files = sorted(path for part in ("spam", "ham", "notes") for path in (folder / part).glob("*.jsonl.gz"))
    return (row for turn in zip_longest(*map(of, files)) for row in turn if row)


def told(gate: Gate, lessons: list[tuple[str, str]], now: datetime) -> None:
    """What moderation would have told."""
    rules = base_rules()
    model = learned(blank(), [(read(text, rules), kind == "spam") for kind, text in lessons]).model
    judges = Judges(rules, model, Bar(id="bench", at=0.95))
    for part in range(PARTS):
        about = {"policy_id": f"model-{part}", "model": judges.version, "ham": model.ham, "spam": model.spam}
        gate.told.take(
            ModelTold(**about, bar=0.95, part=part, parts=PARTS, weights=weights_of(model, part)), sequence=1
        )
    for number in range(HOT):
        counter = f"person:p{number}" if number % 2 else f"text:{text_hash(lessons[number % len(lessons)][1])}0"
        fact = "author.hidden(7d)" if number % 2 else "crowd.people(1h)"
        counts = (Count(fact=fact, count=3),)
        until = now + timedelta(minutes=10)
        event = CounterHeated(policy_id=cell(counter), counter_id=counter, counts=counts, until=until)
        gate.told.take(event, sequence=1)
    gate.caught_up()


def main(folder: Path) -> int:
    """Exit status 1 where the bound is missed."""
    given, now = rows(folder), datetime.now(UTC)
    gate = Gate(base_rules(), (), timedelta(seconds=30), GateMetrics(), clock=lambda: 0.0)  # never rests
    told(gate, list(islice(given, LEARNED)), now)
    wall, busy, held, many = list[float](), list[float](), dict[str, int](), dict[str, int]()
    for number, (kind, text) in enumerate(islice(given, LOOKED)):
        began, worked = time.perf_counter(), time.process_time()
        passage = gate.look(Draft("comment", text, f"p{number % (4 * HOT)}"), now)
        busy.append(time.process_time() - worked)
        wall.append(time.perf_counter() - began)
        many[kind] = many.get(kind, 0) + 1
        held[kind] = held.get(kind, 0) + passage.held
    for name, took in (("by the clock", sorted(wall)), ("of the processor", sorted(busy))):
        p50, p99, most = (took[min(int(share * len(took)), len(took) - 1)] * 1_000 for share in (0.5, 0.99, 1))
        print(f"{len(took):,} looks, ms {name}: median {p50:.2f}, 99 % {p99:.2f}, longest {most:.2f}")
    for kind, count in many.items():
        print(f"held of {kind}: {held[kind]:,} of {count:,} ({held[kind] / count:.1%})")
    return 0 if sorted(wall)[int(0.99 * len(wall))] <= MOST_SECONDS else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DATA_DIR")
    sys.exit(main(parser.parse_args().folder))
