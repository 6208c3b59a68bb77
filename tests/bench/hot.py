"""How close a heat that never has to be written again comes to Lemmy's hot rank: ``python -m tests.bench.hot``.

A week of notes whose scores are heavy-tailed and grow as 1 - exp(-age / 12 h). At one moment the list is ordered by
Lemmy's formula, log10(max(2, score + 2)) / (hours + 2)^1.8, and by the moment that notes keeps, for several worths of
a tenfold strength and several numbers of notes a day. Told: the share of Lemmy's first 20 that are among ours.
"""

import math
import random
from datetime import UTC, datetime, timedelta

from services.notes.core import hot_at

A_DAY, DAYS, TIMES, FIRST = (100, 500, 2_000, 10_000), 7, 10, 20
HOURS = (2.0, 4.0, 6.0, 8.0, 12.0, 18.0, 24.0)


def lemmy(score: float, hours: float) -> float:
    """The formula of features.md, row N8."""
    return math.log10(max(2.0, score + 2)) / math.pow(hours + 2, 1.8)


def week(a_day: int, seed: int) -> list[tuple[float, float]]:
    """Age in hours and score of every note of a week."""
    rng = random.Random(seed)
    ages = [rng.uniform(0, DAYS * 24) for _ in range(a_day * DAYS)]
    return [(age, (rng.paretovariate(0.9) - 1) * (1 - math.exp(-age / 12))) for age in ages]


def overlap(notes: list[tuple[float, float]], hours: float) -> float:
    """Share of Lemmy's first that are among ours."""
    now = datetime(2026, 5, 4, tzinfo=UTC)
    ours = [hot_at(now - timedelta(hours=age), score, hours) for age, score in notes]
    by_lemmy = sorted(range(len(notes)), key=lambda i: lemmy(notes[i][1], notes[i][0]), reverse=True)[:FIRST]
    by_ours = sorted(range(len(notes)), key=ours.__getitem__, reverse=True)[:FIRST]
    return len({*by_lemmy} & {*by_ours}) / FIRST


def main() -> int:
    """Exit status 0; the table is what matters."""
    print(f"of Lemmy's first {FIRST}, by notes a day and by hours that a tenfold strength counts as")
    print("a day  " + "".join(f"{hours:6.0f}" for hours in HOURS))
    for a_day in A_DAY:
        weeks = [week(a_day, seed) for seed in range(TIMES)]
        print(f"{a_day:5}  " + "".join(f"{sum(overlap(w, h) for w in weeks) / TIMES:6.2f}" for h in HOURS))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
