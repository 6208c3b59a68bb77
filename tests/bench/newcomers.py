"""How well somebody in no group is sent to their groups by what they say of themselves (`tests/bench/recommend.py`).

People are the authors of notes: the nodes in which they wrote are their groups, of which they have at least three. All
of that is hidden, and what they say of themselves is what the headers of these nodes say (`all`), or a quarter of the
words of that, drawn by the seed (`some`). Profiles have learned the first 80 % of the notes. Beside it stands what is
popular: the nodes with most authors. Fails when R@10 of either is below 1.2 times that.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.recommend.commands import GroupRow, NoteRow, by_time, learned
from services.recommend.core import Circle, Circles, Found, Person, Picture, Places, Profiles, Source, blended, features
from services.recommend.core.shown import CANDIDATES
from services.recommend.core.terms import TITLE_CHARS
from services.recommend.weights import Blend
from tests.bench.placement import TRAIN, read

K, LEAST_GROUPS, TIMES, SEED = 10, 3, 1.2, 42
LONGEST = 320
"""Characters that the API takes."""
Says = dict[str, str]


def people_of(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    """The nodes in which each author wrote, in order; authors of fewer than three are no newcomers to ask about."""
    nodes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.get("user"):
            nodes[row["user"]].add(row["node"])
    return {user: sorted(found) for user, found in sorted(nodes.items())}


def ranked(about: str, groups: Picture) -> list[str]:
    """The first ten of `introduced`, without its rules of what is shown, which are about more than finding."""
    terms = features(about[:TITLE_CHARS], about[TITLE_CHARS:LONGEST])
    told = groups.profiles.place(terms, CANDIDATES, floor=0.0)
    fits = groups.circles.suggest(Person(id="new"), CANDIDATES)
    found: dict[Source, list[Found]] = {
        "intent": [Found(one.group_id, one.reasons) for one in told],
        "algorithm": [Found(one.group_id, one.reasons) for one in fits],
    }
    return [one.group_id for one in blended(found, groups.weights)][:K]


def told_of(people: dict[str, list[str]], header: Says) -> Iterator[tuple[str, str, str]]:
    """Who, all that the headers say, and some of it."""
    chance = random.Random(SEED)
    for person, nodes in people.items():
        all_ = " ".join(header.get(node, "") for node in nodes)
        words = list(features("", all_))
        yield person, all_, " ".join(chance.sample(words, max(1, len(words) // 4)) if words else [])


def measure(notes_at: Path, nodes_at: Path) -> list[str]:
    """Print the table; the bars that are missed. Nothing for notes without authors."""
    rows, nodes = read(notes_at), read(nodes_at)
    authors = people_of(rows)
    asked = {who: found for who, found in authors.items() if len(found) >= LEAST_GROUPS}
    if not asked:
        return []
    notes = by_time(NoteRow(r["node"], float(r["created"]), r["title"], r.get("text") or "") for r in rows)
    groups = [GroupRow(n["node"], n["title"], n.get("header")) for n in nodes]
    profiles, circles = Profiles(), Circles()
    for profile in learned(groups, notes[: int(len(notes) * TRAIN)]).values():
        profiles.put(profile)
    for node, count in Counter(node for found in authors.values() for node in found).items():
        circles.put(Circle(id=node, members=count))
    weights = Blend().by_source()
    picture = Picture(circles, profiles, Places(), weights)
    popular = ranked("", picture)
    hits: dict[str, float] = defaultdict(float)
    for who, all_, some in told_of(asked, {n["node"]: n.get("header") or "" for n in nodes}):
        lists = {"popularity": popular, "all": ranked(all_, picture), "some": ranked(some, picture)}
        for name, found in lists.items():
            hits[name] += len({*found} & {*asked[who]}) / len(asked[who]) / len(asked)
    table = Table("said of oneself", f"R@{K}", "times popularity")
    for name, value in hits.items():
        table.add_row(name, f"{value:.4f}", f"{value / hits['popularity']:.2f}")
    print(f"newcomers: {len(asked)} people of {notes_at.name}")
    Console(width=110).print(table)
    bar = TIMES * hits["popularity"]
    return [f"newcomers, {name}: R@{K} is below {bar:.4f}" for name in ("all", "some") if hits[name] < bar]
