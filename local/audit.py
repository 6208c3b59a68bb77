"""What the services say of themselves in the end, against what the accepted commands make of it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from local.client import Client, Json, NoAnswerError, Refusal
from local.ledger import Ledger, Verdict
from local.pool import spread
from local.standing import EARNS

AT_ONCE = 8
TRIES = 20
PAUSE = 0.25
READER = "auditor-1"
PAGE = 100

Facts = Mapping[str, Any]


class Audit:
    """Reads groups, members, notes, comments and messages over HTTP, and compares counts, tiers and lists.

    A difference must last for five seconds to be one, since views follow the events. A number too high is
    doubled, anything else that differs is lost.
    """

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        advance: Callable[[str, int], None] | None = None,
        gone: Collection[str] = (),
    ) -> None:
        """`advance` is told each thing that was looked at: its kind, and 1. `gone` are people who were erased: they
        read nothing any more."""
        self._client, self._ledger, self._advance, self._gone = client, ledger, advance, gone
        self._lost: list[tuple[str, ...]] = []
        self._doubled: list[tuple[str, ...]] = []
        self.compared = 0
        """Values that were compared."""

    async def all(self) -> Verdict:
        """Everything that the ledger knows of."""
        for what, (things, look) in self._rounds().items():
            await spread(things, partial(self._look, what, look), AT_ONCE)
        return Verdict(tuple(self._lost), tuple(self._doubled))

    def totals(self) -> dict[str, int]:
        """How many things of each kind there are to look at."""
        return {what: len(things) for what, (things, _) in self._rounds().items()}

    def _rounds(self) -> dict[str, tuple[Collection[Any], Callable[[Any], Awaitable[None]]]]:
        ledger = self._ledger
        return {
            "groups": (ledger.groups, self._group),
            "people in groups": (ledger.standings, self._standing),
            "notes": (ledger.notes, self._note),
            "threads": ([note for note, written in ledger.comments.items() if written], self._comments),
            "talks": ([group for group, written in ledger.messages.items() if written], self._messages),
            "records": (self._records().items(), self._record),
        }

    async def _look(self, what: str, look: Callable[[Any], Awaitable[None]], thing: object) -> None:
        await look(thing)
        if self._advance:
            self._advance(what, 1)

    async def _group(self, id_: str) -> None:
        group = self._ledger.groups[id_]
        must = {"state": group.state, "seats": group.seats, "members": len(group.people), "waiting": len(group.waiting)}
        await self._compare(("group", id_), must, lambda: self._read("groups", f"groups/{id_}", READER))

    async def _standing(self, who: tuple[str, str]) -> None:
        group, person = who
        standing = self._ledger.standings[who]
        must: dict[str, Any] = {"member": False}
        if standing.member:
            must = {"tier": standing.due} | {kind: standing.earned.get(kind, 0) for kind in EARNS}

        async def told() -> Json:
            member = await self._read("groups", f"groups/{group}/members/{person}", READER)
            return member | member.get("contributions", {}) if member else {"member": False}

        await self._compare(("member", group, person), must, told)

    async def _note(self, id_: str) -> None:
        ledger = self._ledger
        thread = ledger.threads.get(id_)
        helps = Counter(kind for kind, _ in thread.helps) if thread else Counter[str]()
        must = {
            "comments": sum(map(self._stands, ledger.comments.get(id_, ()))),
            "likes": len(ledger.reactions[id_]["like"]),
            "saves": len(ledger.reactions[id_]["save"]),
            "hidden": ledger.hidden.get(id_, False),
            "needs_answered": helps["answer_accepted"],
            "advice": helps["advice_taken"],
            "groups": sorted(thread.groups) if thread else [],
            "needs": sum(map(self._asks, ledger.comments.get(id_, ()))),
        }

        async def told() -> Json:
            note = await self._read("notes", f"notes/{id_}", ledger.notes[id_])
            return note | {"groups": sorted(note.get("groups", []))}

        await self._compare(("note", id_), must, told)
        if not ledger.hidden.get(id_) and not (thread and thread.deleted):
            await self._compare(("suggestions of", id_), {"known": True}, partial(self._known, id_))

    async def _known(self, note: str) -> Json:
        return {"known": await self._client.read("recommend", f"suggestions/notes/{note}", READER) is not None}

    async def _record(self, written: tuple[str, Counter[str]]) -> None:
        person, counts = written
        must = {name: counts[name] for name in ("notes", "comments", "advice", "needs_answered")}

        async def told() -> Json:
            # Who has written only what a gate has held has none.
            return await self._read("notes", f"authors/{person}/record", READER) or dict.fromkeys(must, 0)

        await self._compare(("record", person), must, told)

    def _records(self) -> dict[str, Counter[str]]:
        """What must stand in the record of everybody who has written something."""
        ledger, records = self._ledger, defaultdict[str, Counter[str]](Counter)
        for note, author in ledger.notes.items():
            records[author]["notes"] += self._stands(note)
        for comment in (comment for comments in ledger.comments.values() for comment in comments):
            records[ledger.authors[comment][0]]["comments"] += self._stands(comment)
        for (kind, _), person in (help_ for thread in ledger.threads.values() for help_ in thread.helps.items()):
            records[person]["advice" if kind == "advice_taken" else "needs_answered"] += 1
        return records

    def _asks(self, comment: str) -> bool:
        """Whether a need came of it that was not withdrawn."""
        need = self._ledger.needs.get(self._ledger.need_of.get(comment, ""))
        return need is not None and not need.withdrawn

    def _stands(self, text: str) -> bool:
        return not self._ledger.hidden.get(text) and text not in self._ledger.deleted

    async def _comments(self, id_: str) -> None:
        """The list of comments as the note's author reads it: each once, hidden ones only if they are their own."""
        author = self._ledger.notes.get(id_, READER)
        shown = self._seen_by(author, self._ledger.comments[id_])
        await self._list(("comments of", id_), shown, ("notes", f"notes/{id_}/comments", author), "comment_id")

    async def _messages(self, id_: str) -> None:
        """The list of messages as one who has written there and still belongs to the group reads it."""
        group, messages = self._ledger.groups[id_], self._ledger.messages[id_]
        writers = (self._ledger.authors[message][0] for message in messages)
        if reader := next((who for who in writers if who in group.people and who not in self._gone), ""):
            shown = self._seen_by(reader, messages)
            await self._list(("messages of", id_), shown, ("groups", f"groups/{id_}/messages", reader), "message_id")

    def _seen_by(self, reader: str, texts: Sequence[str]) -> set[str]:
        hidden, authors = self._ledger.hidden, self._ledger.authors
        return {text for text in texts if not hidden.get(text) or authors[text][0] == reader}

    async def _list(self, what: tuple[str, ...], shown: set[str], place: tuple[str, str, str], field: str) -> None:
        """All pages of a list at `place` (service, path, reader)."""

        async def told() -> Json:
            found: list[str] = []
            params = {"limit": str(PAGE)}
            while True:
                page = await self._client.read(*place, params=params) or {}
                found += [item[field] for item in page.get("items", [])]
                if not page.get("next"):
                    return {"listed": len(found), "different": len(set(found)), "wrong": len(set(found) - shown)}
                params["cursor"] = page["next"]

        must = {"listed": len(shown), "different": len(shown), "wrong": 0}
        await self._compare(what, must, told)

    async def _read(self, service: str, path: str, person: str) -> Json:
        return await self._client.read(service, path, person) or {}

    async def _compare(self, what: tuple[str, ...], must: Facts, told: Callable[[], Awaitable[Json]]) -> None:
        found: Json = {}
        for _ in range(TRIES):
            try:
                found = await told()
            except (NoAnswerError, Refusal) as error:
                self._lost.append((*what, f"cannot be read: {error}"))
                return
            if all(found.get(name) == value for name, value in must.items()):
                break
            await asyncio.sleep(PAUSE)
        self.compared += len(must)
        for name, value in must.items():
            is_ = found.get(name)
            if is_ == value:
                continue
            more = isinstance(is_, int) and isinstance(value, int) and is_ > value
            (self._doubled if more else self._lost).append((*what, f"{name} is {is_}, must be {value}"))
