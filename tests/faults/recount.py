"""What the APIs must tell in the end, counted from accepted commands and records of the topics alone."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator

from local.client import Client
from local.journal import Accepted, Failed
from local.ledger import Seen
from local.standing import EARNS
from local.witness import Witness
from shared.contracts import moderation as m
from shared.contracts import notes as n

READER = "reader-of-all"
AT_ONCE = 12
"""Notes, groups and members that are read at a time."""
Fault = tuple[str, str, str]
"""What, whose id, and how it differs."""


class Recount:
    """Counts on notes, members of groups, contributions and comments that can be read. Shares no code with services.

    Sums only: whether each fact came once is the ledger's to say.
    """

    def __init__(self, witness: Witness) -> None:
        self._ledger = witness.ledger
        self._groups_of: defaultdict[str, set[str]] = defaultdict(set)
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._comments: defaultdict[str, set[str]] = defaultdict(set)
        self._hidden: set[str] = set()
        self._notes: set[str] = set()
        witness.watchers.append(self._hear)

    # -- HTTP (a listener of the journal) ----------------------------------------------------------------------

    def accepted(self, done: Accepted) -> None:
        """One note more to read, or one comment in it."""
        if done.action == "comment":
            self._comments[done.note].add(done.comment)
        elif done.action == "note":
            self._notes.add(done.note)

    def failed(self, failed: Failed) -> None:
        """The ledger counts it as lost."""

    # -- topics ------------------------------------------------------------------------------------------------

    def _hear(self, seen: Seen, _: float | None) -> None:
        match seen.event:
            case n.NeedOpened() as event:
                self._counts[event.note_id]["needs"] += 1
            case n.NeedWithdrawn() as event:
                self._counts[event.note_id]["needs"] -= 1
            case n.NeedAnswered() as event:
                self._counts[event.note_id]["needs_answered"] += 1
            case n.AdviceTaken() as event:
                self._counts[event.note_id]["advice"] += 1
            case n.NoteRelayed() as event:
                self._groups_of[event.note_id].add(event.group_id)
            case m.ContentJudged() as event if event.hidden:
                self._hidden.add(event.content_id)

    # -- the difference ----------------------------------------------------------------------------------------

    async def faults(self, client: Client) -> list[Fault]:
        """Reads everything by HTTP, as somebody who wrote nothing."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def checked(what: str, id_: str, told: AsyncIterator[str]) -> list[Fault]:
            async with limit:
                return [(what, id_, fault) async for fault in told]

        checks = [
            *(checked("note", note, self._note(client, note)) for note in self._notes),
            *(checked("group", group, self._group(client, group)) for group in self._ledger.groups),
            *(checked("member", " ".join(who), self._member(client, *who)) for who in self._ledger.standings),
        ]
        return [fault for found in await asyncio.gather(*checks) for fault in found]

    async def _note(self, client: Client, note: str) -> AsyncIterator[str]:
        told = await client.read("notes", f"notes/{note}", READER) or {}
        readable = self._comments[note] - self._hidden
        wanted: dict[str, object] = {"comments": len(readable), "groups": self._groups_of[note]}
        wanted |= {name: self._counts[note][name] for name in ("needs", "needs_answered", "advice")}
        got = told | {"groups": set(told.get("groups", ()))}
        for name, value in wanted.items():
            if got.get(name) != value:
                yield f"{name}: {got.get(name)}, must be {value}"
        if len(told.get("groups", ())) != len(got["groups"]):
            yield "a group stands there twice"
        read = [comment async for comment in _pages(client, note)]
        if len(read) != len(set(read)):
            yield "a comment is read twice"
        if set(read) != readable:
            yield f"comments read: {len(read)}, must be {len(readable)}"
        if await client.read("recommend", f"suggestions/notes/{note}", READER) is None:
            yield "recommend does not know it"

    async def _group(self, client: Client, group: str) -> AsyncIterator[str]:
        told = await client.read("groups", f"groups/{group}", READER) or {}
        people = self._ledger.groups[group].people
        if told.get("members") != len(people):
            yield f"members: {told.get('members')}, must be {len(people)}"

    async def _member(self, client: Client, group: str, person: str) -> AsyncIterator[str]:
        standing = self._ledger.standings[group, person]
        told = await client.read("groups", f"groups/{group}/members/{person}", READER)
        if standing.member != (told is not None):
            yield f"is {'no' if told is None else 'a'} member, must be otherwise"
        elif told is not None:
            wanted = {kind: standing.earned.get(kind, 0) for kind in EARNS}
            if told["contributions"] != wanted or told["tier"] != standing.due:
                yield f"{told['tier']} by {told['contributions']}, must be {standing.due} by {wanted}"


async def _pages(client: Client, note: str) -> AsyncIterator[str]:
    cursor: str | None = None
    while True:
        params = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        told = await client.read("notes", f"notes/{note}/comments", READER, params=params) or {}
        for item in told.get("items", ()):
            yield item["comment_id"]
        cursor = told.get("next")
        if not cursor:
            return
