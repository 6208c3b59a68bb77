"""The feed: a note's group is told after its suggestions, what cannot be used is counted, and it holds back."""

import asyncio
import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from local.client import NoAnswerError, Refusal
from local.feeder import Bounds, Feeder, Files, Outcome
from local.journal import Accepted, Journal
from local.ledger import Seen
from local.live import Live
from local.rows import KEYS, MissingKeyError
from local.session import Session
from local.witness import Witness
from shared.contracts import Envelope
from shared.contracts.recommend import GroupsSuggested, Suggestion


class System:
    """A system as small as can be: every note is suggested the groups opened so far, first one first.

    The id of a note is its title, unless it is of our own writing. `hidden` are notes that nobody finds;
    `refused` are texts of comments that are given up.
    """

    def __init__(self, hidden: Sequence[str] = (), refused: Sequence[str] = ()) -> None:
        self.journal = Journal()
        self.witness = Witness(self.journal, 4)
        self.hidden, self.refused = hidden, refused
        self.groups: list[str] = []
        self.seats: dict[str, int] = {}
        self.joined: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.relayed: list[tuple[str, str]] = []
        self.comments: list[tuple[str, str]] = []
        self.suggests = True

    @property
    def session(self) -> Session:
        return Session(Live("embedded", "", {}, "", 4), cast("Any", self), self.witness)

    async def open_group(self, person: str, body: dict[str, Any]) -> str:
        assert all(body["charter"].values())
        self.groups.append(body["name"])
        self.seats[body["name"]] = body["seats"]
        return str(body["name"])

    async def note(self, person: str, body: dict[str, str]) -> str:
        note = body["title"] if len(body["title"]) == 2 else f"own-{len(self.notes)}"
        self.notes.append(note)
        self.journal.accept(Accepted("note", person, note=note, size=len(body["text"])))
        if self.suggests:
            asyncio.get_running_loop().call_soon(self.suggest, note, list(self.groups))
        return note

    def suggest(self, note: str, groups: list[str]) -> None:
        found = tuple(Suggestion(group_id=group, score=0.5, reasons=()) for group in groups)
        event = GroupsSuggested(note_id=note, suggestions=found, model="m")
        envelope = Envelope("e", event.TYPE, event.source, datetime(2026, 5, 4, tzinfo=UTC), note, 1, "chain", "cause")
        for fact in (("NotePosted", note), ("ContentJudged", note), ("GroupsSuggested", note, "1")):
            self.witness.ledger.book.see(*fact)
        for watcher in self.witness.watchers:
            watcher(Seen(event, envelope, 0.0), None)

    async def join(self, person: str, group: str) -> dict[str, Any]:
        if (person, group) in self.joined:
            raise Refusal(409, "already-member", {})
        self.joined.append((person, group))
        return {}

    async def relay(self, person: str, note: str, group: str, scopes: frozenset[str]) -> dict[str, Any]:
        assert self.witness.ledger.book.seen("GroupsSuggested", note, "1")
        if note in self.hidden:
            raise Refusal(404, "unknown-note", {})
        self.relayed.append((note, group))
        return {}

    async def comment(self, person: str, note: str, body: dict[str, str]) -> str:
        if note in self.hidden:
            raise Refusal(404, "unknown-note", {})
        if body["text"] in self.refused:
            raise NoAnswerError("500")
        self.comments.append((note, body["text"]))
        return body["text"]


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


async def fed(system: System, files: Files, bounds: Bounds | None = None) -> Outcome:
    return await Feeder(system.session, files, bounds or Bounds(), lambda what, more: None).run()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Six notes of two nodes, newest first in the file; the nodes; eight comments."""
    notes = [{"title": f"n{i}", "text": "t", "node": "ab"[i % 2], "created": i} for i in reversed(range(6))]
    nodes = [{"node": node, "title": node, "header": ""} for node in "ab"]
    return Files(
        notes=write(tmp_path / "notes", notes),
        nodes=write(tmp_path / "nodes", nodes),
        spam=write(tmp_path / "spam", [{"text": f"s{i}"} for i in range(4)]),
        ham=write(tmp_path / "ham", [{"text": f"h{i}"} for i in range(4)]),
    )


async def test_notes_go_in_time_order_and_their_group_is_told_after(files: Files) -> None:
    """Whatever the order of the file; every relay follows the suggestions that were made without it."""
    system = System()
    outcome = await fed(system, files)
    assert system.notes == [f"n{i}" for i in range(6)]
    assert sorted(system.relayed) == [(f"n{i}", "ab"[i % 2]) for i in range(6)]
    assert outcome.placed.asked == outcome.popular.asked == 6
    assert outcome.placed.among == {1: 3, 3: 6, 5: 6}


async def test_comments_are_spread_over_the_notes_with_their_labels(files: Files) -> None:
    """All of them go somewhere, evenly, and what is an advertisement is remembered by id."""
    system = System()
    outcome = await fed(system, files)
    assert outcome.labels == {f"{kind}{i}": kind == "s" for kind in "sh" for i in range(4)}
    under = [sum(note == f"n{i}" for note, _ in system.comments) for i in range(6)]
    assert max(under) - min(under) <= 1


async def test_limits_hold(files: Files) -> None:
    """Not more notes than the limit, the earliest ones, and not more comments."""
    system = System()
    some = Files(files.notes, files.nodes, files.spam, files.ham, limit=2, comments=3)
    await fed(system, some)
    assert system.notes == ["n0", "n1"]
    assert len(system.comments) == 3


async def test_a_hidden_note_takes_nothing_with_it(files: Files) -> None:
    """Its comments go under a note of ours, its relay is counted as refused, and the feed goes on."""
    system = System(hidden=["n1", "n2"], refused=["h0"])
    outcome = await fed(system, files)
    assert len(system.comments) == 7
    assert outcome.refused == {"relay: 404 unknown-note": 2, "comment: 500": 1}


async def test_comments_alone_go_under_notes_of_our_own(files: Files) -> None:
    """Without notes, those of our own writing take them; nothing is placed and nothing is homeless."""
    system = System()
    outcome = await fed(system, Files(spam=files.spam, ham=files.ham))
    assert len(system.comments) == 8
    assert outcome.placed.asked == outcome.homeless == 0


async def test_notes_of_unknown_nodes_are_counted(files: Files) -> None:
    """A note whose node is not among the nodes is posted and measured nowhere."""
    system = System()
    outcome = await fed(system, Files(notes=files.notes))
    assert (outcome.homeless, outcome.placed.asked, len(system.notes)) == (6, 0, 6)


async def test_memberships_become_joins(files: Files, tmp_path: Path) -> None:
    """A group that is there is joined; another one is opened first, with seats for all and for its owner."""
    pairs = [(f"p{i}", "cd"[i % 2]) for i in range(6)] + [("p0", "a"), ("p0", "c"), ("名字", "d")]
    some = write(tmp_path / "memberships", [{"u": u, "g": g, "w": 1} for u, g in pairs] + [{"u": 5, "g": "c"}])
    system = System()
    outcome = await fed(system, Files(nodes=files.nodes, memberships=some))
    assert sorted(system.groups) == ["a", "b", "c", "d"]
    assert min(system.seats.values()) > len(pairs)
    assert set(system.joined) - set(pairs) == {(person, "d") for person, _ in system.joined if person[:2] == "u-"}
    assert (len(system.joined), outcome.refused) == (8, {"join: 409 already-member": 1})
    assert outcome.odd.left_out == {"membership: u is no text": 1}


async def test_a_limit_bounds_memberships(tmp_path: Path) -> None:
    """Not more joins than the limit, and only the groups that these need."""
    some = write(tmp_path / "memberships", [{"u": f"p{i}", "g": "cd"[i // 2]} for i in range(4)])
    system = System()
    await fed(system, Files(memberships=some, limit=2))
    assert (system.groups, sorted(system.joined)) == (["c"], [("p0", "c"), ("p1", "c")])


@pytest.mark.parametrize("name", KEYS)
def test_a_row_without_its_keys_is_refused_before_anything_is_fed(name: str, tmp_path: Path) -> None:
    """File, line and key are named; lines that are no object, or hold something odd, are not refused."""
    for key in KEYS[name]:
        good: dict[str, Any] = dict.fromkeys(KEYS[name])
        bad = {k: "x" for k in good if k != key}
        file: Any = write(tmp_path / "rows", [good, [1], good, bad, {}])
        with pytest.raises(MissingKeyError, match=rf"rows, line 4: no key '{key}'"):
            replace(Files(), **{name: file}).check()
        file = write(tmp_path / "rows", [good, [1]])
        replace(Files(), **{name: file}).check()


@pytest.mark.parametrize("bounds", [Bounds(waiting=3), Bounds(bytes=2)])
async def test_the_feed_holds_back_while_too_much_is_under_way(files: Files, bounds: Bounds) -> None:
    """No further command is sent before effects have come, be they many or large."""
    system = System()
    system.suggests = False
    feeding = asyncio.create_task(fed(system, Files(notes=files.notes), bounds))
    assert await system.witness.until(lambda: len(system.notes) > 0, 5)
    for _ in range(50):
        await asyncio.sleep(0)
    first = len(system.notes)
    assert first <= 2
    for note in list(system.notes):
        system.suggest(note, [])
    assert await system.witness.until(lambda: len(system.notes) > first, 10)
    system.suggests = True
    for note in system.notes[first:]:
        system.suggest(note, [])
    async with asyncio.timeout(20):
        await feeding
    assert len(system.notes) == 6
