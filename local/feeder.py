"""Replays real data through the HTTP APIs: groups, notes in time order, comments under them, relays afterwards."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from zlib import crc32

from local.client import NoAnswerError, Refusal
from local.ledger import Seen
from local.memory import resident
from local.pool import spread
from local.rows import (
    KEYS,
    BadRow,
    Comment,
    InTime,
    Membership,
    Node,
    Note,
    Odd,
    checked,
    comments,
    lines,
    membership_of,
    node_of,
    note_of,
    parsed,
    seats,
)
from local.session import Session
from local.tally import Hits, Lag, Popularity
from local.texts import POSTS
from shared.contracts.recommend import GroupsSuggested

KEEPER, RELAYER = "feed-keeper", "feed-relayer"
STAFF = frozenset({"relay"})
SEATS = 10_000
THE_REST = "照章办事，见面好说话。"
"""The four parts of a charter that the data does not have; profiles leave them out."""
AT_ONCE = 24
"""Notes in hand at the same time, each with the comments under it: so many requests at most."""
UNDER_ONE = 50
"""Comments under a note of our own."""
SUGGESTED = 60.0
"""Seconds after which a note that got no suggestion is not handed over; the notes after it wait a second only."""


@dataclass(frozen=True, slots=True)
class Files:
    """What is to be fed: any subset, and how much of it."""

    notes: Path | None = None
    nodes: Path | None = None
    memberships: Path | None = None
    spam: Path | None = None
    ham: Path | None = None
    limit: int | None = None
    comments: int | None = None

    def check(self) -> None:
        """Raises MissingKeyError when a row of any of them lacks a key."""
        for name, keys in KEYS.items():
            if path := getattr(self, name):
                checked(path, keys)


@dataclass(frozen=True, slots=True)
class Bounds:
    """When the feed holds back: effects not seen yet, and bytes of text behind them."""

    waiting: int = 400
    bytes: int = 4_000_000
    rate: float | None = None
    """Commands a second, at most."""


@dataclass(slots=True)
class Outcome:
    """What was done and what came of it, beside what the witness knows."""

    odd: Odd = field(default_factory=Odd)
    refused: Counter[str] = field(default_factory=Counter)
    placed: Hits = field(default_factory=Hits)
    popular: Hits = field(default_factory=Hits)
    lag: Lag = field(default_factory=Lag)
    labels: dict[str, bool] = field(default_factory=dict)
    """Comments that were accepted, and whether they are advertisements."""
    homeless: int = 0
    """Notes whose node is not among the nodes."""
    seconds: float = 0.0


Advance = Callable[[str, int], None]
"""Told of progress: "groups", "memberships", "notes" or "comments", and how many more."""


class Gate:
    """Lets commands through: not more than a rate, and none while too much is under way."""

    def __init__(self, session: Session, bounds: Bounds) -> None:
        self._book, self._witness, self._bounds = session.witness.ledger.book, session.witness, bounds
        self._next = 0.0
        self.held = 0.0
        """Seconds in which nothing was let through because too much was under way."""

    async def passed(self) -> None:
        """Returns when one more command may be sent."""
        clock = asyncio.get_running_loop().time
        if self._bounds.rate:
            self._next = max(self._next, clock()) + 1 / self._bounds.rate
            await asyncio.sleep(max(0.0, self._next - clock()))
        if not self._free():
            since = clock()
            while not await self._witness.until(self._free, 5.0):
                pass
            self.held += clock() - since

    def _free(self) -> bool:
        return len(self._book.waiting) < self._bounds.waiting and self._book.waiting_bytes < self._bounds.bytes


class Feeder:
    """One feed. Rows that cannot be used are counted and left out; a command that is refused is counted.

    In memory are ids and the rows at hand, never the files. A note's group is told by a relay after the witness
    has seen its suggestions, so these were made before the system knew.
    """

    def __init__(self, session: Session, files: Files, bounds: Bounds, advance: Advance) -> None:
        self._client, self._witness = session.client, session.witness
        self._files, self._advance, self._session = files, advance, session
        self.gate = Gate(session, bounds)
        self.outcome = Outcome()
        self._groups: dict[str, str] = {}
        self._popularity = Popularity()
        self._patience = SUGGESTED
        self._suggested: dict[str, asyncio.Future[list[str]]] = {}
        self._witness.watchers.append(self._hear)
        self._order = InTime(files.notes, session.directory) if files.notes else None
        labelled = [(path, spam) for path, spam in ((files.spam, True), (files.ham, False)) if path]
        self.comments, self._comments = comments(labelled, files.comments, self.outcome.odd)
        there_are = len(POSTS) + self.comments // UNDER_ONE if self._order is None else len(self._order)
        self.notes = min(there_are, files.limit or there_are)
        found = seats(files.memberships, files.limit) if files.memberships else (0, Counter[str]())
        self.memberships, self._seats = found
        self.groups = len(self._seats) + (sum(1 for _ in lines(files.nodes, Odd())) if files.nodes else 0)
        self._bench: asyncio.Future[str] | None = None

    async def run(self) -> Outcome:
        """All of it; returns when the last command is answered."""
        sampler = asyncio.create_task(self._sample())
        start = asyncio.get_running_loop().time()
        try:
            if self._files.nodes:
                await spread(self._nodes(self._files.nodes), self._open, AT_ONCE)
            if self._files.memberships:
                await spread((Node(key, key, key, key) for key in self._seats), self._open, AT_ONCE)
                await spread(self._memberships(self._files.memberships), self._join, AT_ONCE)
            await spread(self._threads(), self._thread, AT_ONCE)
        finally:
            sampler.cancel()
            self.outcome.seconds = asyncio.get_running_loop().time() - start
        return self.outcome

    # -- rows ----------------------------------------------------------------------------------------------

    def _nodes(self, path: Path) -> Iterator[Node]:
        known: set[str] = set()
        for line in lines(path, self.outcome.odd):
            try:
                node = node_of(parsed(line), self.outcome.odd)
            except BadRow as reason:
                self._leave_out("node", reason)
                continue
            if node.key in known:
                self._leave_out("node", BadRow("told twice"))
                continue
            known.add(node.key)
            yield node

    def _memberships(self, path: Path) -> Iterator[Membership]:
        for line in islice(lines(path, self.outcome.odd), self.memberships):
            try:
                yield membership_of(parsed(line), self.outcome.odd)
            except BadRow as reason:
                self._leave_out("membership", reason)

    def _notes(self) -> Iterator[Note]:
        """Notes in time order; without a file those of our own writing."""
        if self._order is None:
            for post in islice(cycle(POSTS), self.notes):
                yield Note("", post.person, post.title, post.text)
            return
        for number, line in enumerate(self._order.lines(self.outcome.odd)):
            try:
                yield note_of(parsed(line), number, self.outcome.odd)
            except BadRow as reason:
                self._leave_out("note", reason)

    def _threads(self) -> Iterator[tuple[Note, list[Comment]]]:
        """Each note with its even share of the comments; the last one takes what is left."""
        given = 0
        last: tuple[Note, list[Comment]] | None = None
        for number, note in enumerate(self._notes(), 1):
            if last is not None:
                yield last
            if number > self.notes:
                last = None
                break
            due = number * self.comments // self.notes
            last = (note, list(islice(self._comments, due - given)))
            given = due
        if last is not None:
            yield last
        while rest := list(islice(self._comments, UNDER_ONE)):
            yield Note("", POSTS[0].person, POSTS[0].title, POSTS[0].text), rest

    def _leave_out(self, what: str, reason: BadRow) -> None:
        self.outcome.odd.left_out[f"{what}: {reason}"] += 1
        if what in {"note", "membership"}:
            self._advance(f"{what}s", 1)

    # -- commands ------------------------------------------------------------------------------------------

    async def _open(self, node: Node) -> None:
        """A group with an open gate, unless it is there; with a seat for everyone, and one for its owner."""
        if node.key in self._groups:
            self._advance("groups", 1)
            return
        charter = dict.fromkeys(("rules", "rewards", "service", "exit"), THE_REST)
        charter |= {"purpose": node.purpose, "audience": node.audience}
        # Each has an owner of its own: of one owner's groups a person is shown two at most.
        keeper = f"{KEEPER}-{crc32(node.key.encode('utf-8', 'surrogatepass')):08x}"
        body = {"name": node.name, "charter": charter, "seats": max(SEATS, self._seats[node.key] + 1)}
        group = await self._tried("group", lambda: self._client.open_group(keeper, body))
        if group is not None:
            self._groups[node.key] = group
        self._advance("groups", 1)

    async def _join(self, membership: Membership) -> None:
        group = self._groups.get(membership.group)
        if group is not None:
            await self._tried("join", lambda: self._client.join(membership.person, group))
        self._advance("memberships", 1)

    async def _thread(self, thread: tuple[Note, list[Comment]]) -> None:
        note, remarks = thread
        id_ = await self._note(note)
        for remark in remarks:
            await self._comment(id_, remark)

    async def _note(self, note: Note) -> str | None:
        """Post it, hear what is suggested for it, then tell its group."""
        popular = self._popularity.first()
        body = {"title": note.title, "text": note.text}
        id_ = await self._tried("note", lambda: self._client.note(note.person, body))
        self._advance("notes", 1)
        if id_ is None:
            return None
        offered, group = await self._offered(id_), self._groups.get(note.node)
        if group is None:
            self.outcome.homeless += bool(note.node)
        elif offered is not None:
            self.outcome.placed.count(group, offered)
            self.outcome.popular.count(group, popular)
            relay = self._client.relay
            if await self._tried("relay", lambda: relay(RELAYER, id_, group, STAFF)) is not None:
                self._popularity.told[group] += 1
        return id_

    async def _comment(self, note: str | None, remark: Comment) -> None:
        """Under the note; under one of our own where that one is hidden or was refused."""
        for target in (note, None):
            under = target or await self._own_note()
            if under is None:
                continue
            body = {"text": remark.text}
            try:
                await self.gate.passed()
                comment = await self._client.comment(remark.person, under, body)
            except Refusal as refusal:
                if refusal.reason == "unknown-note" and target is not None:
                    continue
                self.outcome.refused[f"comment: {refusal.status} {refusal.reason}"] += 1
            except NoAnswerError as error:
                self.outcome.refused[f"comment: {error}"] += 1
            else:
                self.outcome.labels[comment] = remark.spam
            break
        self._advance("comments", 1)

    async def _own_note(self) -> str | None:
        """A note of our own writing, posted when it is first needed."""
        if self._bench is None:
            self._bench = asyncio.get_running_loop().create_future()
            post = POSTS[0]
            made = await self._tried("note", lambda: self._client.note(post.person, post.body()))
            self._bench.set_result(made or "")
        return await self._bench or None

    async def _tried(self, what: str, command: Callable[[], Awaitable[object]]) -> str | None:
        """The command's answer, None when it was refused or given up, which is counted."""
        await self.gate.passed()
        try:
            return str(await command())
        except Refusal as refusal:
            self.outcome.refused[f"{what}: {refusal.status} {refusal.reason}"] += 1
        except NoAnswerError as error:
            self.outcome.refused[f"{what}: {error}"] += 1
        return None

    # -- events --------------------------------------------------------------------------------------------

    def _hear(self, seen: Seen, _: float | None) -> None:
        # The first of a note alone: later ones have heard what people say to it.
        if isinstance(seen.event, GroupsSuggested) and seen.envelope.sequence == 1:
            offered = [suggestion.group_id for suggestion in seen.event.suggestions]
            self._future(seen.event.note_id).set_result(offered)

    def _future(self, note: str) -> asyncio.Future[list[str]]:
        """Suggestions may come before the answer to the post, or after it."""
        return self._suggested.setdefault(note, asyncio.get_running_loop().create_future())

    async def _offered(self, note: str) -> list[str] | None:
        try:
            async with asyncio.timeout(self._patience):
                offered = await self._future(note)
        except TimeoutError:
            self._patience = 1.0
            return None
        else:
            self._patience = SUGGESTED
            return offered
        finally:
            del self._suggested[note]

    async def _sample(self) -> None:
        clock = asyncio.get_running_loop().time
        start, book = clock(), self._witness.ledger.book
        pids = [os.getpid(), *(child.pid for child in self._session.children)]
        while True:
            await asyncio.sleep(0.5)
            self.outcome.lag.add(clock() - start, len(book.waiting), book.oldest(), *map(resident, pids))
