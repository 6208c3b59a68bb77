"""What a run comes to: one table, what is missing by kind and id, and the last line."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.ledger import Verdict
from local.tally import Lag
from local.witness import Witness

TIMES = (
    "Times: from the sending of the HTTP request that was the cause (of an escalation: from its due time) to the\n"
    "arrival of the event at the witness, an independent consumer; both ends by one clock."
)
MOST = 20
STRETCHES = 12
BARS = " ▁▂▃▄▅▆▇█"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies (nearest rank); 0.0 of no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def milliseconds(values: Sequence[float], share: float) -> str:
    """A quantile of seconds, in words."""
    if not values:
        return ""
    found = quantile(values, share) * 1000
    return f"{found:.0f} ms" if found < 10_000 else f"{found / 1000:.1f} s"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Values as bars of equal time, each the highest of its stretch; the highest of all is a full one."""
    if not values:
        return ""
    size = max(1, -(-len(values) // width))
    peaks = [max(values[i : i + size]) for i in range(0, len(values), size)]
    top = max(peaks) or 1.0
    return "".join(BARS[min(8, round(8 * peak / top))] for peak in peaks)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what, how it came out, and the kind of event whose times stand beside it."""

    what: str
    result: str
    kind: str = ""


class Sheet:
    """The one table of a report: sections of rows, with times of the witness."""

    def __init__(self, title: str, witness: Witness) -> None:
        self._witness = witness
        self.table = Table(title=title, title_justify="left", caption=TIMES, caption_justify="left", expand=False)
        self.table.add_column("what", overflow="fold")
        self.table.add_column("result", overflow="fold")
        self.table.add_column("median", justify="right", no_wrap=True)
        self.table.add_column("p95", justify="right", no_wrap=True)

    def section(self, rows: Iterable[Row]) -> None:
        """Rows that belong together, with a line under them."""
        for row in rows:
            seconds = self._witness.seconds.get(row.kind, ())
            times = (milliseconds(seconds, 0.5), milliseconds(seconds, 0.95))
            self.table.add_row(escape(row.what), escape(row.result), *times)
        self.table.add_section()

    def wire(self, verdict: Verdict) -> None:
        """The last section: what the witness has read, missed and found twice."""
        book = self._witness.ledger.book
        rows = [
            Row("records read by the witness", f"{self._witness.records:,}"),
            Row("same ce_id twice on the wire", f"{book.repeats:,} (allowed: counted once)"),
            Row("dead letters", f"{len(self._witness.ledger.dead):,}"),
            Row("lost", f"{len(verdict.lost):,}"),
            Row("doubled", f"{len(verdict.doubled):,}"),
        ]
        if self._witness.others:
            rows.insert(1, Row("events of others, left out", f"{self._witness.others:,}"))
        self.section(rows)


def over_time(lag: Lag, processes: Sequence[str]) -> Table:
    """Lag and memory as a small table: the peaks of a dozen stretches of the time in which commands were sent."""
    table = Table(title="Over time, the most of each stretch", title_justify="left", expand=False)
    for name in ("until", "effects under way", "age of the oldest", *(f"MB {name}" for name in processes)):
        table.add_column(name, justify="right", overflow="fold")
    for until, waiting, oldest, *memory in lag.stretches(STRETCHES):
        table.add_row(f"{until:.0f} s", f"{waiting:.0f}", f"{oldest:.1f} s", *(f"{held:.0f}" for held in memory))
    return table


def faults(console: Console, verdict: Verdict) -> None:
    """What is lost and doubled, by kind and id; the first of each."""
    for name, facts in (("lost", verdict.lost), ("doubled", verdict.doubled)):
        if not facts:
            continue
        kinds = Counter(fact[0] for fact in facts)
        console.print(f"[red]{name}:[/] " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
        for fact in facts[:MOST]:
            console.print(f"  {name}: {' '.join(fact)}", markup=False, highlight=False)
        if len(facts) > MOST:
            console.print(f"  … and {len(facts) - MOST} more", highlight=False)


def last_line(verdict: Verdict) -> str:
    """The last line of every run."""
    return f"lost {len(verdict.lost)} doubled {len(verdict.doubled)}"
