"""What many groups cost, and whether reading and learning keep up: the speed of recommend, at one size and at ten.

    python -m tests.bench.growth DATA [--groups 10000 100000] [--each 100] [--parts core lane start reads] [--table F]

DATA holds memberships/*.jsonl.gz and notes/X.jsonl.gz with X_nodes.jsonl.gz. Towns with `--each` members a group are
generated like the largest file of memberships (`town.py`); each is measured in a process of its own:

- core: memory, lists, searches, places and what is learned, without database and network: seconds of the processor;
- start: a process follows a database that holds the town, from nothing (`standing.py`);
- lane: what an event costs from its bytes to those of what it changes (`lane.py`), once for all sizes;
- reads: two processes of recommend answer 500 requests a second over HTTP, with their database (`standing.py`).

What is learned is folded in batches of 200 events, and the views take up the documents that a batch has changed, as a
lane does it; then all that the files hold is learned so, too. Fails where a bar is missed: with the fewest groups 50 ms
for the slowest in a hundred lists and searches, over HTTP too, and for the slowest in twenty places, and looks at notes
nearby; 5,000 events a second for memberships and for feedback. Start and reads take a quiet machine. `--table` writes
the figures as Markdown, town by town, and keeps those of other parts and sizes and what is written by hand: what takes
long may be run in turns.
"""

import argparse
import asyncio
import gc
import multiprocessing
import os
import platform
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import process_time

from local.memory import resident
from services.recommend.core import (
    Asked,
    Circle,
    Circles,
    GroupProfile,
    Person,
    Picture,
    Places,
    Profiles,
    Pulses,
    Source,
    answered,
    features,
    joined,
    left,
    list_for,
    noted,
    search,
    turn,
    turned,
)
from tests.bench import lane, people, placement, standing
from tests.bench.placement import Note
from tests.bench.town import Town
from tests.pages import BY_HAND, by_hand

Figures = dict[str, float]
Rows = dict[str, dict[str, str]]
"""What is told, by column: of towns of a size, or of files."""
Step = tuple[str, str, bool]
NOW = datetime(2026, 5, 4, tzinfo=UTC)
WEIGHTS: dict[Source, float] = {"search": 1.0, "intent": 0.4, "place": 0.3, "algorithm": 0.2}
PARTS = ("core", "lane", "start", "reads")
FILES = "all that a file holds"
ASKED, JOINS, RELAYS, BATCH = 1_000, 2_000, 1_000, 200
MOST_MS, LEAST_LEARNED = 50.0, 5_000.0
BARS: dict[str, float] = {"a list of five: p99, ms": MOST_MS, "a search of three words: p99, ms": MOST_MS}
BARS |= {"a place: p95, ms": MOST_MS, "over HTTP at 500/s: p99, ms": MOST_MS, "over HTTP, notes: p95, ms": MOST_MS}


def memory() -> float:
    """MB that this process holds."""
    gc.collect()
    return resident(os.getpid())


def timed(what: str, calls: Sequence[Callable[[], object]]) -> Figures:
    """Milliseconds of a call: on average, and of the slowest in twenty and in a hundred."""
    spent = []
    for call in calls:
        began = process_time()
        call()
        spent.append((process_time() - began) * 1e3)
    spent.sort()
    p95, p99 = (spent[int(len(spent) * part)] for part in (0.95, 0.99))
    return {f"{what}: mean, ms": sum(spent) / len(spent), f"{what}: p95, ms": p95, f"{what}: p99, ms": p99}


class Learning:
    """Groups and people as the lanes keep them, with the views that follow."""

    def __init__(self, circles: dict[str, Circle], profiles: dict[str, GroupProfile]) -> None:
        self.circles, self.profiles = circles, profiles
        self.people: dict[str, Person] = {}
        self.circles_view, self.profiles_view = Circles(), Profiles()

    def moves(self, steps: Sequence[Step]) -> float:
        """Joins and leaves with all the turns they make: events a second."""
        events, began = 0, process_time()
        for start in range(0, len(steps), BATCH):
            changed: dict[str, Circle] = {}
            for n, (person_id, group, inside) in enumerate(steps[start : start + BATCH], start + 2):
                before = self.people.get(person_id) or Person(id=person_id)
                after = self.people[person_id] = (joined if inside else left)(before, group, n)
                for name, change in turned(before, after).items():
                    circle = self.circles.get(name) or Circle(id=name)
                    changed[name] = self.circles[name] = turn(circle, change)
                    events += 1
                events += 1
            for circle in changed.values():
                self.circles_view.put(circle)
        return events / (process_time() - began)

    def relays(self, notes: Sequence[tuple[str, dict[str, int]]]) -> float:
        """Notes that groups learn: events a second, the weighing of terms for the next score included."""
        began = process_time()
        for start in range(0, len(notes), BATCH):
            changed: dict[str, GroupProfile] = {}
            for group, terms in notes[start : start + BATCH]:
                changed[group] = self.profiles[group] = noted(self.profiles[group], terms)
            for name, profile in changed.items():
                self.profiles[name] = profile.closed()
                self.profiles_view.put(self.profiles[name])
            self.profiles_view.scores({})
        return len(notes) / (process_time() - began)


def feedback(people_: Sequence[Person], names: list[str]) -> float:
    """Answers to suggestions: events a second."""
    chance, began = random.Random(3), process_time()
    for person in people_:
        answered(person, names[chance.randrange(len(names))], "refused", NOW)
    return len(people_) / (process_time() - began)


def core(like: Path, groups: int, each: int) -> Figures:
    """One town without database and network."""
    began = process_time()
    town = Town(people.read(like, 1), groups, each)
    made = Learning({}, {})
    found: Figures = {"people": town.people, "memberships": town.memberships}
    before, spent = memory(), 0.0
    for circle in town.circles():
        took = process_time()
        made.circles_view.put(circle)
        spent += process_time() - took
        made.circles[circle.id] = circle
    found["all pairs counted, s"] = process_time() - began - spent
    found |= {"circles: view, s": spent, "circles: MB per 1,000 groups": (memory() - before) / groups * 1e3}
    before, spent = memory(), 0.0
    places = Places()
    for profile in town.profiles():
        took = process_time()
        made.profiles_view.put(profile)
        places.put(profile)
        spent += process_time() - took
        made.profiles[profile.id] = profile
    took = process_time()
    made.profiles_view.scores({})
    found["profiles: view, s"] = spent + process_time() - took
    found["profiles: MB per 1,000 groups"] = (memory() - before) / groups * 1e3
    return found | asked(town, made, places) | learned(town, made) | {"memory of it all, MB": memory()}


def asked(town: Town, made: Learning, places: Places) -> Figures:
    """How long lists, searches, places and placing take."""
    some, cells = town.some(ASKED), town.cells(ASKED)
    pulses = Pulses()
    for pulse in town.pulses(NOW):
        pulses.put(pulse)
    picture = Picture(made.circles_view, made.profiles_view, places, WEIGHTS, pulses)
    lists = [partial(list_for, who, NOW, 5, made.circles_view, made.profiles_view, pulses=pulses) for who in some]
    searches = [
        partial(search, who, Asked(words), NOW, picture, 5)
        for who, words in zip(some, town.words(ASKED, 3), strict=True)
    ]
    nearby = [partial(search, who, Asked(cell=cell), NOW, picture, 5) for who, cell in zip(some, cells, strict=True)]
    notes = [partial(made.profiles_view.place, features(words, "")) for words in town.words(ASKED // 5, 30)]
    found = timed("a list of five", lists) | timed("a search of three words", searches)
    return found | timed("a place", nearby) | timed("a note of 30 terms placed", notes)


def learned(town: Town, made: Learning) -> Figures:
    """How much is learned a second."""
    chance = random.Random(4)
    movers = town.some(JOINS, seed=2)
    made.people |= {person.id: person for person in movers}
    steps = [(person.id, chance.choice(town.names), True) for person in movers]
    notes = [(chance.choice(town.names), features(words, "")) for words in town.words(RELAYS, 30)]
    return {
        "joins with their turns, events/s": made.moves(steps),
        "feedback, events/s": feedback(movers, town.names),
        "relays, events/s": made.relays(notes),
    }


def from_files(data: Path) -> Iterator[tuple[str, float]]:
    """What the files hold, learned from nothing: events a second."""
    for path in sorted(data.glob("memberships/*.jsonl.gz")):
        steps = list(people.history(people.read(path, 3), 42))
        yield f"{path.name}: joins and leaves with their turns, events/s", Learning({}, {}).moves(steps)
    for path in sorted(data.glob("notes/*.jsonl.gz")):
        nodes = path.with_name(path.name.replace(".jsonl", "_nodes.jsonl"))
        if nodes.exists():
            rows = sorted(placement.read(path), key=lambda row: float(row["created"]))
            notes = [Note(row["node"], features(row["title"], row.get("text") or ""), {}) for row in rows]
            profiles = placement.charters(placement.read(nodes), notes)
            told = [(note.node, note.terms) for note in notes]
            yield f"{path.name}: relays, events/s", Learning({}, profiles).relays(told)


def measured(like: Path, groups: int, each: int, parts: Sequence[str]) -> Figures:
    """All that is asked for of one town, each part in a process of its own."""
    fresh = partial(ProcessPoolExecutor, 1, multiprocessing.get_context("spawn"))
    found: Figures = {}
    if "core" in parts:
        with fresh() as pool:
            found |= pool.submit(core, like, groups, each).result()
    if "start" in parts or "reads" in parts:
        found |= asyncio.run(standing.measure(Town(people.read(like, 1), groups, each), "reads" in parts))
    return found


def missed(towns: dict[int, Figures], files: Figures) -> list[str]:
    """The bars that are missed, in words."""
    fewest, found = min(towns), towns[min(towns)]
    told = [
        f"MISSED {what} with {fewest:,} groups: {found[what]:.1f}, not {bar:.0f}"
        for what, bar in BARS.items()
        if found.get(what, 0.0) > bar
    ]
    rates = {f"{what} with {n:,} groups": v for n, town in towns.items() for what, v in town.items()} | files
    told += [
        f"MISSED {what}: {rate:,.0f}, not {LEAST_LEARNED:,.0f}"
        for what, rate in rates.items()
        if "events/s" in what and "relays" not in what and rate < LEAST_LEARNED
    ]
    return told


def rows(towns: dict[int, Figures], files: Figures) -> Rows:
    """What each figure is, by its column."""
    found: Rows = {}
    for groups, told in towns.items():
        for what, value in told.items():
            found.setdefault(what, {})[f"{groups:,} groups"] = _told(value)
    return found | {what: {FILES: _told(value)} for what, value in files.items()}


def table(told: Rows) -> Iterator[str]:
    """The figures as Markdown: of towns by their size, and of files."""
    columns = sorted({column for cells in told.values() for column in cells} - {FILES}, key=len)
    if columns:
        yield "| | " + " | ".join(columns) + " |"
        yield "| --- |" + " ---: |" * len(columns)
    for what, cells in told.items():
        if FILES not in cells:
            yield f"| {what} | " + " | ".join(cells.get(column, "") for column in columns) + " |"
    of_files = {what: cells[FILES] for what, cells in told.items() if FILES in cells}
    if of_files:
        yield from (*[""] * bool(columns), f"| | {FILES} |", "| --- | ---: |")
        yield from (f"| {what} | {value} |" for what, value in of_files.items())


def _told(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def standing_there(page: str) -> Rows:
    """The figures of a page, as `table` has written them."""
    found: Rows = {}
    columns: list[str] = []
    for line in page.splitlines():
        what, *cells = [cell.strip() for cell in line.split("|")[1:-1]] or [""]
        if cells and not what:
            columns = cells
        elif cells and what != "---":
            found[what] = {column: cell for column, cell in zip(columns, cells, strict=True) if cell}
    return found


def write(told: Rows, where: Path | None) -> None:
    """Print the figures; put them into the file too, after its title and first paragraph, with those of other runs and
    before what is written by hand."""
    print("\n".join(table(told)), flush=True)
    if where is None:
        return
    before = where.read_text() if where.exists() else "# How recommend grows"
    page = before.partition(BY_HAND)[0]
    known = standing_there(page)
    whole = {what: known.get(what, {}) | told.get(what, {}) for what in dict.fromkeys([*known, *told])}
    head = "\n\n".join(page.split("\n\n")[:2])
    where.write_text("\n".join([head, "", *table(whole), ""]) + by_hand(before))


def main() -> int:
    """Measure, print, and say which bars are missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--groups", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--each", type=int, default=100, help="members of a group")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--table", type=Path, help="Markdown to write the figures into")
    told = parser.parse_args()
    like = max(told.data.glob("memberships/*.jsonl.gz"), key=lambda path: path.stat().st_size)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, towns like {like.name}", flush=True)
    towns: dict[int, Figures] = {}
    for groups in told.groups:
        towns[groups] = measured(like, groups, told.each, told.parts)
        write(rows(towns, {}), told.table)
    files = dict(from_files(told.data)) if "core" in told.parts else {}
    files |= dict(lane.measure(told.data)) if "lane" in told.parts else {}
    write(rows({}, files), told.table)
    bars = missed(towns, files)
    print("\n".join(bars) or "all bars held")
    return int(bool(bars))


if __name__ == "__main__":
    sys.exit(main())
