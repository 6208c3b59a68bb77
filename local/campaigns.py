"""Campaigns in the scenario: what advertisers do beyond one text. Each must be caught and explained, and nobody else
hidden: beside them stand honest people who look alike."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from local.client import Client, Json

FLOOD = tuple(f"第{number}批刚到，要的看我主页" for number in range(1, 15))
"""Half an offer each, in one minute under one note; the eleventh is one too many."""
COPY = "巷口新开了一家小铺子，什么都有，路过来坐坐"
"""Harmless anywhere, and said in group after group; the fourth is one too many."""
DISH = ("河边那家面馆", "牛肉面的汤很清，面是手擀的，周末人不多。", "汤很清，报我名字给你打5折，微信: noodle_8866")
"""A note's title, its text as people saw it, and what it becomes."""
SWAP = "加V❤: ex88668，周末一起爬山吧"
"""The contact of somebody new, written so that no filter reads it."""
HASTY = ("到桥头了", "路上有雾", "先热身", "轮胎补好了", "补给点见", "慢慢骑", "风停了", "看见你们了", "头灯亮着",
         "再过十分钟", "水还够", "出发了")  # fmt: skip
"""One who talks fast with friends and offers nothing: told of as a flood, and hidden by nobody."""
FRIEND = "路线图太大发不上来，加我微信 shan_1990，我发给你。"
"""One who meets somebody: a contact and a call to add it stay below the threshold."""

Come = Callable[..., Awaitable[bool]]
"""Waits for a fact of the topics; whether it came."""


@dataclass(frozen=True, slots=True)
class Said:
    """One text of a campaign."""

    person: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """How many texts were planted, how many had to be hidden and are, and why, as their author reads it."""

    what: str
    planted: int
    due: int
    hidden: int
    why: str


class Campaigns:
    """Plays them; `planted` has the ids of all that may be hidden, `spared` those of the people who look alike."""

    def __init__(self, client: Client, come: Come, check: Callable[[str, bool, object], None]) -> None:
        self._client, self._come, self._check = client, come, check
        self.planted: set[str] = set()
        self.spared: set[str] = set()
        self.played: list[Campaign] = []

    async def play(self, notes: Sequence[str], groups: Sequence[str]) -> None:
        """Under two notes, and in groups that "copy-1" is in; "rider-4" is in the first of them."""
        await self._flood(notes[0])
        await self._copies(groups)
        await self._edited_in()
        await self._swap(notes[1])
        await self._bystanders(notes[1], groups[0])

    async def _flood(self, note: str) -> None:
        said = [Said("flood-1", await self._client.comment("flood-1", note, {"text": t}, asks=False), t) for t in FLOOD]
        await self._caught("flood", "flood", said, said[10:])

    async def _copies(self, groups: Sequence[str]) -> None:
        said: list[Said] = []
        for group in groups:
            said.append(Said("copy-1", await self._client.say("copy-1", group, {"text": COPY}, asks=False), COPY))
            await self._come("MessageJudged", said[-1].id)
        await self._caught("copy-paste over groups", "repeated", said, said[3:])

    async def _edited_in(self) -> None:
        title, before, after = DISH
        note = await self._client.note("edit-1", {"title": title, "text": before})
        await self._come("ContentJudged", note)
        await self._client.edit("edit-1", note, {"text": after}, 0, ad=True)
        said = [Said("edit-1", note, f"{title}\n{after}")]
        await self._caught("edited-in advertisement", "edited_in", said, said)
        seen = await self._client.read("notes", f"notes/{note}", "reader-1") or {}
        self._check("others still see the note as it was", seen.get("text") == before, seen.get("text"))

    async def _swap(self, note: str) -> None:
        said = [Said("swap-1", await self._client.comment("swap-1", note, {"text": SWAP}, asks=False), SWAP)]
        await self._caught("contact swap in disguise", "newcomer_disguise", said, said)

    async def _bystanders(self, note: str, group: str) -> None:
        for text in HASTY:
            self.spared.add(await self._client.say("rider-4", group, {"text": text}, asks=False))
        self.spared.add(await self._client.comment("rider-5", note, {"text": FRIEND}, asks=False))

    async def _caught(self, what: str, rule: str, said: Sequence[Said], due: Sequence[Said]) -> None:
        """What is due is hidden, and its author reads by which rules, what they mean, and what they saw or counted."""
        verdicts = [await self._verdict(one) for one in due]
        hidden = sum(bool(verdict.get("hidden")) for verdict in verdicts)
        reasons = {reason["rule"]: reason for reason in verdicts[-1].get("reasons", [])}
        text = due[-1].text
        places = [f"{name} “{text[r['start'] : r['end']]}”" for name, r in reasons.items() if r["end"]]
        counts = [f"{fact} = {count:g}" for fact, count in verdicts[-1].get("counts", {}).items() if count]
        self._check(f"{what}: it is hidden", hidden == len(due), f"{hidden} of {len(due)}")
        explained = bool(reasons.get(rule, {}).get("why")) and bool(places or counts)
        self._check(f"{what}: its author reads why", explained, verdicts[-1])
        self.planted.update(one.id for one in said)
        why = "; ".join((", ".join(reasons), *places, *counts))
        self.played.append(Campaign(what, len(said), len(due), hidden, why))

    async def _verdict(self, said: Said) -> Json:
        """What an author reads, as soon as the text is hidden, at the latest after fifteen seconds of asking."""
        told: Json = {}
        for _ in range(150):
            told = await self._client.read("moderation", f"verdicts/{said.id}", said.person) or {}
            if told.get("hidden"):
                break
            await asyncio.sleep(0.1)
        return told
