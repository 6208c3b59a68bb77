"""The scenario: people of `local.texts` write, ask, answer, join and leave, through the HTTP APIs alone."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from local.campaigns import Campaign, Campaigns
from local.client import MODERATION, Client, Json, NoAnswerError, Refusal
from local.ledger import LATE, Seen
from local.texts import CIRCLES, HALF_A_CHARTER, LAST, POSTS, TALK, Circle, Post, Remark
from local.witness import Witness
from shared.contracts.recommend import GroupsSuggested

NEED_STEPS = (6, 12)
"""Seconds until a need escalates, here; the service's own are hours."""
ARRIVE = 30.0
"""Seconds that an event may take before the scenario goes on without it."""
STRANGER = "reader-9"
FIRST_MEMBERS = {"coffee": "barista-2", "balcony": "gardener-3", "film": "lens-3", "night": "runner-2"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so, and how it is."""

    what: str
    holds: bool
    found: str = ""


@dataclass(slots=True)
class Story:
    """What the scenario did, for the report: ids by key, labels, and what it has checked on the way."""

    groups: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    ads: set[str] = field(default_factory=set)
    planted: set[str] = field(default_factory=set)
    spared: set[str] = field(default_factory=set)
    campaigns: list[Campaign] = field(default_factory=list)
    questions: set[str] = field(default_factory=set)
    comments: set[str] = field(default_factory=set)
    suggested: dict[str, GroupsSuggested] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def check(self, what: str, holds: bool, found: object = "") -> None:
        """Note whether something is as it must be."""
        self.checks.append(Check(what, holds, "" if holds else str(found)))


class Scenario:
    """Plays once. What does not come in time is left to the witness to count; nothing here raises for it."""

    def __init__(self, client: Client, witness: Witness) -> None:
        self._client, self._witness = client, witness
        self.story = Story()
        self._patience = ARRIVE
        witness.watchers.append(self._note_suggestions)

    async def play(self) -> Story:
        """Everything, in order; returns when the last command is answered, or one is not taken that must be."""
        try:
            await self._all()
        except (Refusal, NoAnswerError) as error:
            self.story.check("every command is taken", False, f"{error}; the rest was not played")
        return self.story

    async def _all(self) -> None:
        await self._open()
        await self._doors()
        await self._list_of("rider-2")
        for place, post in enumerate(POSTS):
            await self._thread(post, relay_first=place % 2 == 0)
        await self._second_thoughts()
        await self._talk()
        await self._come_back()
        await self._bad_input()
        await self._review("rider-2", await self._said("rider-2", "夹角调过以后, 刹车一点都不响了。"))
        await self._campaigns()
        await self._late_answers()
        await self._close_and_post()

    # -- groups --------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        for circle in CIRCLES:
            self.story.groups[circle.key] = await self._client.open_group(circle.owner, circle.body())
        half = {"name": "什么都聊", "charter": HALF_A_CHARTER, "seats": 10}
        refusal = await self._refused("half a charter opens no group", self._client.open_group("rider-9", half), 422)
        named = {str(fault.get("place", "")).rpartition("/")[2] for fault in (refusal or {}).get("errors", [])}
        self.story.check("the missing parts are named", {"rewards", "service", "exit"} <= named, sorted(named))

    async def _doors(self) -> None:
        """People join, by the right answer and not by a wrong one."""
        ride, answer = self._circle("ride"), self._circle("ride").answer
        await self._refused("a wrong answer", self._join(ride, "rider-9", "墨镜"), 403, "wrong-answer")
        await self._refused("no answer", self._join(ride, "rider-2"), 403, "wrong-answer")
        await self._refused("the right answer too soon", self._join(ride, "rider-9", answer), 403, "too-early")
        for person, given in (("rider-2", answer), ("rider-4", f" {answer} ")):
            await self._join(ride, person, given)
        for key, person in FIRST_MEMBERS.items():
            await self._join(self._circle(key), person)
        books = self._circle("books")
        await asyncio.gather(*(self._join(books, person) for person in ("reader-2", "reader-3")))

    async def _list_of(self, person: str) -> None:
        """A member's list has groups, not their own; one that is not for them is gone from the next."""
        own = self.story.groups["ride"]
        first = await self._listed(person, lambda found: bool(found) and own not in found)
        self.story.check("a person's list has groups, and not their own", bool(first) and own not in first, first)
        if first:
            await self._client.feedback(person, first[0], "not_for_me")
            next_ = await self._listed(person, lambda found: first[0] not in found)
            self.story.check("what is not for them is not on the next list", first[0] not in next_, next_)

    async def _listed(self, person: str, until: Callable[[list[str]], bool]) -> list[str]:
        """The groups on a person's list as soon as it is as it must be, at the latest in two seconds of asking."""
        found: list[str] = []
        for _ in range(20):
            told = await self._client.read("recommend", f"suggestions/people/{person}", person) or {}
            found = [suggestion["group_id"] for suggestion in told.get("suggestions", [])]
            if until(found):
                break
            await asyncio.sleep(0.1)
        return found

    async def _come_back(self) -> None:
        """Seats change hands by the waiting list, and a guest who has helped joins at the tier that this has earned."""
        books, group = self._circle("books"), self.story.groups["books"]
        await self._join(books, "reader-4")
        for person, leaver in (("reader-5", "reader-2"), ("reader-2", "reader-3")):
            told = await self._join(books, person)
            self.story.check("who finds no seat waits for one", told.get("position") == 1, told)
            await self._refused("nobody waits twice", self._join(books, person), 409, "already-waiting")
            await self._client.leave(leaver, group)
            self.story.check("who waits gets the seat that is freed", await self._gets_in(person, group), person)
        late = self._client.say("reader-3", group, {"text": "还有人在吗？"})
        await self._refused("a message to a group one has left", late, 403, "not-a-member")
        coffee, pour = self.story.groups["coffee"], self.story.notes["pour"]
        for kind in ("answer_accepted", "advice_taken"):
            await self._come("ContributionMade", coffee, "barista-3", pour, kind, "1")
        joined = await self._client.join("barista-3", coffee)
        self.story.check("a guest joins at the tier earned before", joined.get("tier") == "contributor", joined)

    # -- notes ---------------------------------------------------------------------------------------------

    async def _thread(self, post: Post, *, relay_first: bool) -> None:
        """One note with its comments; it is handed over before or after people have helped in it."""
        note = await self._post(post)
        group = self.story.groups[post.circle]
        if relay_first:
            await self._client.relay(post.person, note, group)
        comments: list[str] = []
        for remark in post.remarks:
            parent = comments[remark.under] if remark.under is not None else None
            comments.append(await self._comment(note, remark, parent))
        for remark, comment in zip(post.remarks, comments, strict=True):
            if remark.accepted and remark.under is not None:
                await self._accept(post.remarks[remark.under].person, comments[remark.under], comment)
            if remark.taken:
                await self._client.advice(post.person, comment)
        if not relay_first:
            await self._client.relay(self._circle(post.circle).owner, note, group)

    async def _post(self, post: Post) -> str:
        note = await self._client.note(post.person, post.body())
        self.story.notes[post.key], self.story.titles[note] = note, post.title
        await self._come("GroupsSuggested", note, "1")
        return note

    async def _comment(self, note: str, remark: Remark, parent: str | None) -> str:
        body = {"text": remark.text} | ({"parent_id": parent} if parent else {})
        comment = await self._client.comment(remark.person, note, body, asks=remark.asks)
        self.story.comments.add(comment)
        if remark.ad:
            self.story.ads.add(comment)
        if remark.asks:
            self.story.questions.add(comment)
        return comment

    async def _accept(self, asker: str, question: str, answer: str) -> None:
        if await self._come("NeedOpened", question):
            await self._client.accept(asker, self._witness.ledger.need_of[question], answer)

    # -- the talk in a group ---------------------------------------------------------------------------------

    async def _talk(self) -> None:
        """Members ask, answer and thank; an advertisement is hidden, one's own words may be taken back."""
        client, circle = self._client, CIRCLES[0]
        group = self.story.groups[circle.key]
        await self._join(circle, "promo-9", circle.answer)
        said: list[str] = []
        for remark in TALK:
            parent = {} if remark.under is None else {"parent_id": said[remark.under]}
            said.append(await client.say(remark.person, group, {"text": remark.text} | parent, asks=remark.asks))
        for remark, message in zip(TALK, said, strict=True):
            if remark.accepted and remark.under is not None:
                await self._thank(TALK[remark.under].person, group, said[remark.under], message)
            if remark.ad:
                self.story.planted.add(message)
                hidden = await self._come("MessageVisibilityChanged", message, "True")
                self.story.check("an advertisement in a group is hidden", hidden)
        await client.unsay(TALK[-1].person, group, said[-1])
        stranger = client.say(STRANGER, group, {"text": "大家好。"})
        await self._refused("a stranger writes in no group", stranger, 403, "not-a-member")

    async def _campaigns(self) -> None:
        """Advertisers do what no single text tells, and people beside them what only looks like it."""
        story, groups = self.story, [circle for circle in CIRCLES if circle.key != "books"]
        for circle in groups:
            await self._join(circle, "copy-1", circle.answer or None)
        played = Campaigns(self._client, self._come, story.check)
        await played.play(
            [story.notes[key] for key in ("route", "pour")], [story.groups[circle.key] for circle in groups]
        )
        story.planted |= played.planted
        story.spared |= played.spared
        story.campaigns += played.played

    async def _thank(self, asker: str, group: str, question: str, answer: str) -> None:
        if await self._come("GroupNeedOpened", question):
            await self._client.thank(asker, group, self._witness.ledger.need_of[question], answer)

    async def _second_thoughts(self) -> None:
        """A note is edited, liked and saved; a comment is written and taken away again."""
        client, note, author = self._client, self.story.notes["squeal"], self._author("squeal")
        edit = {"text": "换了刹车皮，还是响。说明白些：只在下雨天响，擦干净就好。"}
        answer = await client.edit(author, note, edit, 0)
        self.story.check("an edit waits for its verdict", answer.get("state") == "pending", answer)
        stale = client.edit(author, note, {"text": "没有读过的修改。"}, 0)
        await self._refused("an edit of what was not read", stale, 412, "edited-meanwhile")
        await self._come("NoteRevised", note, "1")
        await asyncio.gather(*(client.react("rider-4", note, kind) for kind in ("like", "save", "like")))
        comment = await client.comment("rider-4", note, {"text": "写错地方了。"}, asks=False)
        self.story.comments.add(comment)
        await client.remove("rider-4", comment)
        await client.remove("rider-4", comment)

    def _author(self, key: str) -> str:
        return next(post.person for post in POSTS if post.key == key)

    # -- what must not work, and what takes time -------------------------------------------------------------

    async def _bad_input(self) -> None:
        client, note = self._client, self.story.notes["squeal"]
        path, key = f"notes/{note}/comments", "the-same-key"
        body = {"text": "磨合以后真的不叫了，谢谢。"}
        first = await client.comment("rider-2", note, body, asks=False, key=key)
        self.story.comments.add(first)
        again = (await client.repeat("rider-2", path, body, key)).get("comment_id")
        self.story.check("the same key and body: the same comment", again == first, again)
        other = client.repeat("rider-2", path, {"text": "另一段话。"}, key)
        await self._refused("the same key, another body", other, 422)
        await self._refused("an unknown note", client.repeat("rider-2", "notes/none/comments", body, None), 404)
        stranger = client.set_state(STRANGER, self.story.groups["ride"], "closed")
        await self._refused("a stranger closes no group", stranger, 403)
        await self._refused("oversize text", client.repeat("rider-2", path, {"text": "长" * 4_001}, None), 422)

    async def _said(self, person: str, text: str) -> str:
        comment = await self._client.comment(person, self.story.notes["squeal"], {"text": text}, asks=False)
        self.story.comments.add(comment)
        await self._come("ContentJudged", comment)
        return comment

    async def _review(self, author: str, comment: str) -> None:
        """People report an honest comment; staff hide it, look again and restore it: it is there for everybody."""
        client, staff = self._client, "staff-1"
        for person in ("rider-3", "barista-2", "lens-3"):
            await client.report(person, "comment", comment, "advertising")
        for _ in range(int(self._patience * 10)):
            waiting = await client.read("moderation", "reports", staff, scopes=MODERATION) or {}
            found = [item["verdict"]["content_id"] for item in waiting["items"]]
            if comment in found:
                break
            await asyncio.sleep(0.1)
        self.story.check("three reports wait for staff", comment in found, found)
        for action, hidden in (("hide", "True"), ("restore", "False")):
            await client.judge(staff, comment, action, "看过了。")
            await self._come("CommentVisibilityChanged", comment, hidden)
        verdict = await client.read("moderation", f"verdicts/{comment}", author) or {}
        said = (verdict.get("hidden"), (verdict.get("decision") or {}).get("action"))
        self.story.check("its author reads what staff decided", said == (False, "restore"), said)

    async def _late_answers(self) -> None:
        """Questions that nobody answers escalate when their time has come."""
        ledger = self._witness.ledger
        waiting = [need for need in ledger.needs.values() if not need.over]
        end = max((need.due for need in waiting), default=0.0) + LATE
        await self._witness.until(lambda: ledger.clock() > end or all(need.step for need in waiting), 60.0)

    async def _close_and_post(self) -> None:
        """A closed group takes nobody in, and neither a closed nor a full one is suggested."""
        night = self._circle("night")
        await self._client.set_state(night.owner, self.story.groups["night"], "closed")
        await self._refused("the group is closed", self._join(night, "runner-3"), 403, "group-closed")
        ledger, group = self._witness.ledger, self.story.groups["night"]
        await self._witness.until(lambda: (ledger.groups[group].told or (0, "", 0, 0))[1] == "closed", ARRIVE)
        await asyncio.sleep(1.0)  # suggestions follow the groups by event: in moments, but no answer says when
        for post in LAST:
            note = await self._post(post)
            told = self.story.suggested.get(note)
            found = [suggestion.group_id for suggestion in told.suggestions] if told else []
            shut = self.story.groups[post.circle] not in found
            self.story.check(f"{self._circle(post.circle).name} is not suggested", shut, found)

    async def _gets_in(self, person: str, group: str) -> bool:
        inside = self._witness.ledger.groups[group].people
        return await self._witness.until(lambda: person in inside, self._patience)

    async def _come(self, *fact: str) -> bool:
        """Waits for a fact; when one did not come, the next ones are not waited for as long."""
        came = await self._witness.fact(*fact, within=self._patience)
        self._patience = ARRIVE if came else 1.0
        return came

    def _note_suggestions(self, seen: Seen, _: float | None) -> None:
        if isinstance(seen.event, GroupsSuggested):
            self.story.suggested[seen.event.note_id] = seen.event

    # -- small things --------------------------------------------------------------------------------------

    def _circle(self, key: str) -> Circle:
        return next(circle for circle in CIRCLES if circle.key == key)

    async def _join(self, circle: Circle, person: str, answer: str | None = None) -> Json:
        return await self._client.join(person, self.story.groups[circle.key], answer)

    async def _refused(self, what: str, command: Awaitable[object], status: int, reason: str = "") -> Json | None:
        """A command that must be refused so; the problem's body, None if it was not refused."""
        try:
            await command
        except Refusal as refusal:
            holds = refusal.status == status and reason in ("", refusal.reason)
            self.story.check(f"refused: {what}", holds, refusal)
            return refusal.body
        self.story.check(f"refused: {what}", False, "it was accepted")
        return None
