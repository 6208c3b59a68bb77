"""One feed: a system, the data, a progress bar, and the report."""

import asyncio
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from local.audit import Audit
from local.feeder import Bounds, Feeder, Files, Outcome
from local.ledger import Verdict
from local.memory import peak
from local.play import INTERRUPTED, terminal
from local.processes import CannotStartError
from local.rebuilding import rebuilt
from local.report import Row, Sheet, faults, last_line, over_time, quantile, sparkline
from local.session import Session, Steps, found_or_started

GIVE_UP = 45.0
"""Seconds without any record after which what is missing counts as lost."""
SMALL = 1_000_000
"""Bytes of text under way on the mock cluster, which keeps no more than 5 MB of a partition."""
TELL_EVERY = 10.0


async def feed(files: Files, bounds: Bounds, choice: str) -> int:
    """Feeds the files; 0 when nothing is lost or doubled, 130 when interrupted."""
    console = terminal()
    try:
        async with found_or_started(choice, Steps(console)) as session:
            verdict = await session.watched(_fed(console, session, files, bounds))
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return INTERRUPTED
    print(last_line(verdict), flush=True)
    return 0 if verdict.clean else 1


async def _fed(console: Console, session: Session, files: Files, bounds: Bounds) -> Verdict:
    if session.live.stack == "embedded":
        bounds = replace(bounds, bytes=SMALL)
    async with _bar(console, session) as bar:
        feeder = await asyncio.to_thread(Feeder, session, files, bounds, bar.advance)
        for what, most in (
            ("groups", feeder.groups),
            ("memberships", feeder.memberships),
            ("notes", feeder.notes),
            ("comments", feeder.comments),
        ):
            bar.total(what, most)
        outcome = await feeder.run()
    console.print("[dim]all sent; waiting for quiet topics, then comparing the APIs with our own count …[/]")
    verdict, compared = await _judged(console, session)
    rebuilds = [row async for row in rebuilt(session)]
    if rebuilds and verdict.clean:
        console.print("[dim]rebuilt; once more …[/]")
        verdict, compared = await _judged(console, session)
    made = Sheet("What came of the feed", session.witness)
    made.section(_flow(session, outcome, feeder.gate.held))
    made.section(_quality(session, outcome))
    made.section(_effects(session))
    made.section(rebuilds)
    made.section([*_odd(outcome), Row("values of the APIs compared with our own count", f"{compared:,}")])
    made.wire(verdict)
    console.print(made.table)
    console.print(over_time(outcome.lag, ["feed", *(child.name for child in session.children)]))
    faults(console, verdict)
    return verdict


async def _judged(console: Console, session: Session) -> tuple[Verdict, int]:
    """What the witness and the APIs say in the end, and how many values were compared."""
    verdict = await session.witness.settle(GIVE_UP)
    async with _bar(console, session) as bar:
        audit = Audit(session.client, session.witness.ledger, bar.advance)
        for what, most in audit.totals().items():
            bar.total(what, most)
        return verdict + await audit.all(), audit.compared


class Bar:
    """Progress: bars on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, session: Session) -> None:
        self._console, self._witness = console, session.witness
        columns = (
            TextColumn("{task.description:<16}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._done: Counter[str] = Counter()
        self._totals: dict[str, int] = {}

    def total(self, what: str, most: int) -> None:
        """A bar for this many; none for 0."""
        if most:
            self._totals[what] = most
            self._tasks[what] = self.progress.add_task(what, total=most, note="")

    def advance(self, what: str, more: int) -> None:
        """More of it is done; more than the total makes the bar longer."""
        self._done[what] += more
        if what in self._tasks:
            total = max(self._totals[what], self._done[what])
            note = f"{len(self._witness.ledger.book.waiting)} effects under way"
            self.progress.update(self._tasks[what], completed=self._done[what], total=total, note=note)

    async def tell(self) -> None:
        """Where there is no terminal: how far it is, every few seconds."""
        while not self._console.is_terminal:
            await asyncio.sleep(TELL_EVERY)
            told = ", ".join(f"{what} {self._done[what]:,} of {most:,}" for what, most in self._totals.items())
            self._console.print(f"{told}, {len(self._witness.ledger.book.waiting)} effects under way", highlight=False)


@asynccontextmanager
async def _bar(console: Console, session: Session) -> AsyncIterator[Bar]:
    bar = Bar(console, session)
    telling = asyncio.create_task(bar.tell())
    try:
        with bar.progress:
            yield bar
    finally:
        telling.cancel()


def _flow(session: Session, outcome: Outcome, held: float) -> Iterable[Row]:
    """How fast, and how far behind."""
    commands, lag, witness = session.client.journal.commands, outcome.lag, session.witness
    seconds = outcome.seconds or 1.0
    ledger = witness.ledger
    yield Row("commands accepted", f"{commands.total():,}: " + _counts(commands))
    yield Row("sending took", f"{seconds:.0f} s, {commands.total() / seconds:.0f} commands/s, held back {held:.0f} s")
    rate = ledger.kinds.total() / max(1.0, witness.last - witness.first)
    yield Row("events", f"{ledger.kinds.total():,}, {rate:.0f} events/s from the first to the last")
    for what, values, unit in (("effects under way", lag.waiting, ""), ("age of the oldest", lag.seconds, " s")):
        middle, most = quantile(values, 0.5), max(values, default=0.0)
        yield Row(f"lag: {what}", f"median {middle:.3g}{unit}, max {most:.3g}{unit}")
        yield Row("  over time", sparkline(values))
    yield Row("503 and broken connections got over", f"{session.client.journal.waits:,}")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peaks = [f"{child.name} {peak(child.pid):.0f}" for child in session.children]
    yield Row("most memory, MB", ", ".join([f"feed {own:.0f}", *peaks]))


def _quality(session: Session, outcome: Outcome) -> Iterable[Row]:
    """What the classifier and the recommender made of it."""
    hidden = session.witness.ledger.hidden
    caught = [hidden.get(comment, False) for comment, spam in outcome.labels.items() if spam]
    hurt = [hidden.get(comment, False) for comment, spam in outcome.labels.items() if not spam]
    yield Row("own group among the first suggested", f"{outcome.placed.shares()}  ({outcome.placed.asked:,} notes)")
    yield Row("  beside popularity", outcome.popular.shares())
    yield Row("spam caught", _share(caught))
    yield Row("ham hidden", _share(hurt))
    gates = session.witness.ledger.gates
    for kind, which in (("spam", True), ("ham", False)):
        said = [gates.get(comment) == "held" for comment, spam in outcome.labels.items() if spam is which]
        yield Row(f"  {kind} held before anybody saw it", _share(said))
    yield Row("  not looked at by the gate", _share([said == "open" for said in gates.values()]))
    notes = session.witness.ledger.notes
    yield Row("notes hidden", _share([hidden.get(note, False) for note in notes]))
    opened = sum(comment in session.witness.ledger.need_of for comment in outcome.labels)
    yield Row("needs opened", f"{opened:,} of {len(outcome.labels):,} comments")


def _effects(session: Session) -> Iterable[Row]:
    """Every kind of event with its times, and which tiers changed."""
    for kind, count in sorted(session.witness.ledger.kinds.items()):
        yield Row(kind, f"{count:,}", kind)
    steps = (told for standing in session.witness.ledger.standings.values() for told in standing.told)
    changes = Counter(f"{old} to {new}" for _, old, new in steps if old)
    yield Row("tiers changed", f"{changes.total():,}" + (f": {_counts(changes)}" if changes else ""))


def _odd(outcome: Outcome) -> Iterable[Row]:
    """Rows and commands that did not go through as they were, by reason."""
    for what, counts in (
        ("rows left out", outcome.odd.left_out),
        ("texts made to fit", outcome.odd.changed),
        ("commands refused", outcome.refused),
    ):
        yield Row(what, f"{counts.total():,}")
        for reason, count in counts.most_common():
            known = " (moderation had hidden the note)" if reason.endswith("unknown-note") else ""
            yield Row(f"  {reason}", f"{count:,}{known}")
    if outcome.homeless:
        yield Row("notes of nodes that were not given", f"{outcome.homeless:,}")


def _share(hits: list[bool]) -> str:
    return f"{sum(hits):,} of {len(hits):,}" + (f" ({sum(hits) / len(hits):.1%})" if hits else "")


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.most_common())
