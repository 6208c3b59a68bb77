"""What must be true of the topics, from accepted HTTP answers; what is, from their records; the difference.

Bookkeeping of ids: no I/O, no texts. It shares nothing with the services but the published language, and the rules
written down here a second time: who earns what, when a need escalates, what a verdict hides.
"""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from local.book import Book, Fact
from local.facts import COUNTED, FREE, IDENTITY, identity, in_part
from local.journal import Accepted, Failed
from local.standing import Group, Standing, Thread
from shared.contracts import Envelope, Event
from shared.contracts import groups as g
from shared.contracts import moderation as m
from shared.contracts import notes as n
from shared.contracts import recommend as r
from shared.contracts import talk as t
from shared.contracts.dead import DeadLetter

LATE = 3.0
"""Seconds after its due time from which on an escalation is missing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One readable record: its event, its headers, when it arrived (epoch seconds), a digest of its body."""

    event: Event
    envelope: Envelope
    at: float
    digest: int = 0

    @property
    def kind(self) -> str:
        """The name of the event's class."""
        return type(self.event).__name__


@dataclass(slots=True)
class Need:
    """A need as the topics tell it. `due` is when its next escalation is (epoch seconds, inf: none any more).

    `where` begins the names of its events: nothing in notes, "Group" for one asked in a message.
    """

    due: float
    where: str = ""
    step: int = 0
    over: bool = False
    accepted: float = math.inf
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is missing and what is too much, as kind and ids. Both empty: all is well."""

    lost: tuple[Fact, ...] = ()
    doubled: tuple[Fact, ...] = ()

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing doubled."""
        return not self.lost and not self.doubled

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(self.lost + other.lost, self.doubled + other.doubled)


class Ledger:
    """Takes accepted commands and records in any order; `verdict` compares, at any time, without changing much.

    lost: expected and not there, a dead letter, a command given up. doubled: there without being expected, one
    fact under two `ce_id`s, one `ce_id` with two bodies, a count that is too high. The same record twice on the
    wire is neither: `book.repeats`.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.book = Book(clock)
        self.kinds: Counter[str] = Counter()
        self.hidden: dict[str, bool] = {}
        self.gates, self.held = dict[str, str](), set[str]()
        """What the gate said of each posted text; those that are held and of which no verdict was seen yet."""
        self.deleted: set[str] = set()
        """Comments that their authors have taken away."""
        self.reactions: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        """By note and kind, who likes or saves it."""
        self.needs: dict[str, Need] = {}
        self.need_of: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        """Authors of the notes."""
        self.authors: dict[str, tuple[str, str]] = {}
        """Author of each comment and message, and its note or group."""
        self.comments: defaultdict[str, list[str]] = defaultdict(list)
        """Accepted comments by note."""
        self.messages: defaultdict[str, list[str]] = defaultdict(list)
        """Accepted messages by group, without those that were deleted."""
        self.threads: defaultdict[str, Thread] = defaultdict(Thread)
        self.groups: dict[str, Group] = {}
        self.standings: defaultdict[tuple[str, str], Standing] = defaultdict(Standing)
        self.dead: list[Fact] = []
        self.failures: list[Fact] = []
        self._strange: list[Fact] = []

    # -- HTTP ----------------------------------------------------------------------------------------------

    def accepted(self, done: Accepted) -> None:
        """A command was answered with 2xx: from here on its effects are expected."""
        expect = self.book.expect
        match done.action:
            case "note":
                self.notes[done.note] = done.person
                expect("NotePosted", done.note)
                expect("ContentJudged", done.note, size=done.size)
                expect("GroupsSuggested", done.note, "1", size=done.size)
            case "comment":
                self.authors[done.comment] = (done.person, done.note)
                self.comments[done.note].append(done.comment)
                expect("CommentPosted", done.comment)
                expect("ContentJudged", done.comment, size=done.size)
                if done.asks:
                    expect("NeedOpened", done.comment)
            case "accept":
                if need := self.needs.get(done.need):
                    need.accepted = min(need.accepted, self.clock())
                expect("NeedAnswered", done.need)
                self._helped(done.comment, "answer_accepted", done.need)
            case "advice":
                expect("AdviceTaken", done.comment)
                self._helped(done.comment, "advice_taken", done.comment)
            case "feedback":
                self.book.expect_another("FeedbackGiven", done.person, done.group, done.state)
            case "relay":
                expect("NoteRelayed", done.note, done.group)
                self._relayed(done.note, done.group)
            case "message" | "delete" | "thank":
                self._accepted_in_talk(done)
            case "edit" | "react" | "remove":
                self._accepted_of_text(done)
            case _:
                self._accepted_of_group(done)

    def _accepted_of_text(self, done: Accepted) -> None:
        match done.action:
            case "edit":
                self.book.expect("NoteEdited", done.note, done.state)
                if not done.ad:
                    self.book.expect("NoteRevised", done.note, done.state)
            case "react":
                if done.person not in self.reactions[done.note][done.state]:
                    self.reactions[done.note][done.state].add(done.person)
                    self.book.expect_another("NoteReacted", done.note, done.person, done.state, "1")
            case _:
                self.deleted.add(done.comment)
                self.book.expect("CommentDeleted", done.comment)

    def _accepted_of_group(self, done: Accepted) -> None:
        group = self.groups.setdefault(done.group, Group(done.seats))
        match done.action:
            case "group":
                self.book.expect("GroupOpened", done.group)
            case "state":
                group.state = done.state
            case "join":
                self._in(done.group, done.person)
            case "wait":
                group.waiting.add(done.person)
                self._called(done.group, done.person)
            case _ if done.person in group.waiting:
                group.waiting.discard(done.person)
            case _:
                group.people.discard(done.person)
                self.standings[done.group, done.person].member = False
                self.book.expect_another("MemberLeft", done.group, done.person)

    def _accepted_in_talk(self, done: Accepted) -> None:
        expect = self.book.expect
        match done.action:
            case "message":
                self.authors[done.message] = (done.person, done.group)
                self.messages[done.group].append(done.message)
                expect("MessagePosted", done.message)
                expect("MessageJudged", done.message, size=done.size)
                if done.asks:
                    expect("GroupNeedOpened", done.message)
            case "delete":
                self.messages[done.group].remove(done.message)
                expect("MessageDeleted", done.message)
            case _:
                if need := self.needs.get(done.need):
                    need.accepted = min(need.accepted, self.clock())
                if not self.book.expected("GroupNeedAnswered", done.need):
                    expect("GroupNeedAnswered", done.need)
                    self.standings[done.group, self.authors[done.message][0]].earn("answer_accepted")

    def _in(self, group: str, person: str) -> None:
        self.groups[group].people.add(person)
        standing = self.standings[group, person]
        standing.member = True
        standing.joinings += 1
        self.book.expect_another("MemberJoined", group, person)

    def _called(self, group: str, person: str) -> None:
        """Who waits gets in when the topics say so: which of several it is, only the group knows."""
        standing, waiting = self.standings[group, person], self.groups[group].waiting
        if person in waiting and sum(not before for _, before, _ in standing.told) > standing.joinings:
            waiting.discard(person)
            self._in(group, person)

    def _helped(self, comment: str, kind: str, source: str) -> None:
        """Help counts once in every group of its note, whether the relay comes before it or after."""
        person, note = self.authors[comment]
        thread = self.threads[note]
        if (kind, source) not in thread.helps:
            thread.helps[kind, source] = person
            for group in thread.groups:
                self._earned(group, note, person, kind)

    def _relayed(self, note: str, group: str) -> None:
        thread = self.threads[note]
        if group not in thread.groups:
            thread.groups.append(group)
            for (kind, _), person in thread.helps.items():
                self._earned(group, note, person, kind)

    def _earned(self, group: str, note: str, person: str, kind: str) -> None:
        self.book.expect_another("ContributionMade", group, person, note, kind)
        self.standings[group, person].earn(kind)

    def failed(self, failed: Failed) -> None:
        """A command was given up: whatever it may have done, its caller was not told."""
        self.failures.append((failed.action, "given up", failed.why))

    # -- topics --------------------------------------------------------------------------------------------

    def see(self, seen: Seen) -> bool:
        """Take up a record; False for one that came before."""
        if self.book.is_repeat(seen.envelope.id, seen.digest, seen.kind):
            return False
        self.kinds[seen.kind] += 1
        name, fields = identity(seen.event, seen.envelope.sequence)
        if fields is None:
            new = self.book.see(name, seen.envelope.subject, str(seen.envelope.sequence))
        else:
            see = self.book.see_another if type(seen.event) in COUNTED else self.book.see
            new = see(name, *(str(getattr(seen.event, name)) for name in fields))
        if new:
            self._follow(seen)
        return True

    def _follow(self, seen: Seen) -> None:
        """What a fact makes us expect next."""
        match seen.event:
            case m.ContentJudged() | m.MessageJudged() as event if event.content_id in self.held and in_part(event):
                pass  # it is not let go by that
            case m.ContentJudged() as event:
                self._judged(event)
            case m.MessageJudged() as event:
                self._message_judged(event)
            case n.NotePosted() | n.CommentPosted() | t.MessagePosted() as event:
                self._posted(seen.kind.removesuffix("Posted"), event, event.gate)
            case n.NeedOpened() as event:
                self._opened(event.comment_id, event.need_id, Need(event.due_at.timestamp()))
            case t.GroupNeedOpened() as event:
                self._opened(event.message_id, event.need_id, Need(event.due_at.timestamp(), "Group"))
            case n.NeedAnswered() | t.GroupNeedAnswered() as event:
                self._over(event.need_id)
                self._credited(seen.kind, event.answer_id, event.helper_id)
            case n.NeedWithdrawn() | t.GroupNeedWithdrawn() as event:
                self._over(event.need_id, withdrawn=True)
            case n.NeedEscalated() | t.GroupNeedEscalated() as event:
                self._escalated(event)
            case n.AdviceTaken() as event:
                self._credited("AdviceTaken", event.comment_id, event.adviser_id)
            case r.ProfileTaught() as event:
                self.threads[event.note_id].taught[event.group_id] += 1
            case r.ProfileUntaught() as event:
                self.threads[event.note_id].taught[event.group_id] -= 1
            case n.NoteDeleted() as event:
                self.threads[event.note_id].deleted = True
            case DeadLetter() as event:
                self.dead.append((seen.kind, event.reason, event.handler, event.fingerprint))
            case _:
                self._follow_group(seen)

    def _follow_group(self, seen: Seen) -> None:
        order = seen.envelope.sequence
        match seen.event:
            case g.GroupChanged() as event:
                group = self.groups.setdefault(event.group_id, Group(event.seats))
                if group.told is None or group.told[0] < order:
                    group.told = (order, event.state, event.members, event.waiting)
                if event.members > group.seats:
                    self._strange.append(("GroupChanged", event.group_id, f"{event.members} on {group.seats} seats"))
            case g.MemberJoined() as event:
                self.standings[event.group_id, event.person_id].told.append((order, "", event.tier))
                self.groups.setdefault(event.group_id, Group(0))
                self._called(event.group_id, event.person_id)
                self.book.expect("MembershipHeard", event.person_id, event.group_id, str(order))
            case g.MemberLeft() as event:
                self.book.expect("MembershipHeard", event.person_id, event.group_id, str(order))
            case r.CircleTurned() as event:
                self.groups.setdefault(event.group_id, Group(0)).circle += event.members
            case g.TierChanged() as event:
                self.standings[event.group_id, event.person_id].told.append((order, event.old, event.new))

    def _judged(self, event: m.ContentJudged) -> None:
        before, kind = self.hidden.get(event.content_id, False), "Note" if event.kind == "note" else "Comment"
        self.hidden.setdefault(event.content_id, False)
        self.held.discard(event.content_id)
        if event.hidden == before or (event.revision and event.hidden):
            return  # of an edit that is refused others still see the text before
        self.hidden[event.content_id] = event.hidden
        self.book.expect(f"{kind}VisibilityChanged", event.content_id, str(event.hidden))
        if event.hidden and (need := self.need_of.get(event.content_id)):
            self.book.expect("NeedWithdrawn", need)

    def _message_judged(self, event: m.MessageJudged) -> None:
        self.held.discard(event.content_id)
        if event.hidden or self.hidden.get(event.content_id):
            self.book.expect("MessageVisibilityChanged", event.content_id, str(event.hidden))
        self.hidden[event.content_id] = event.hidden
        if event.hidden and (need := self.need_of.get(event.content_id)):
            self.book.expect("GroupNeedWithdrawn", need)

    def _posted(self, kind: str, event: Event, gate: str) -> None:
        """One that is held is hidden from the beginning until its verdict, which may have been seen before this."""
        text = str(getattr(event, f"{kind.lower()}_id"))
        self.gates[text] = gate
        if gate != "held":
            return
        self.book.expect(f"{kind}VisibilityChanged", text, "True")
        if self.hidden.get(text) is False:
            self.book.expect(f"{kind}VisibilityChanged", text, "False")
        elif text not in self.hidden:
            self.hidden[text] = True
            self.held.add(text)

    def _opened(self, asked_in: str, need_id: str, need: Need) -> None:
        self.needs[need_id], self.need_of[asked_in] = need, need_id
        if self.hidden.get(asked_in) and asked_in not in self.held:
            self.book.expect(f"{need.where}NeedWithdrawn", need_id)

    def _over(self, need_id: str, withdrawn: bool = False) -> None:
        if need := self.needs.get(need_id):
            need.over, need.withdrawn = True, withdrawn

    def _escalated(self, event: n.NeedEscalated | t.GroupNeedEscalated) -> None:
        need = self.needs.get(event.need_id)
        if need is None:
            return
        if need.accepted < need.due:
            self._strange.append((f"{need.where}NeedEscalated", event.need_id, "though it was answered in time"))
        need.step, due = event.step, event.due_at.timestamp()
        need.due = due if due > need.due else math.inf

    def _credited(self, kind: str, text: str, person: str) -> None:
        if self.authors.get(text, (person, ""))[0] != person:
            self._strange.append((kind, text, "credited to somebody who did not write it"))

    # -- the difference ------------------------------------------------------------------------------------

    def remember_overdue(self) -> None:
        """Expect the escalations whose time has passed without an answer."""
        for need_id, need in self.needs.items():
            if not need.over and need.accepted == math.inf and self.clock() > need.due + LATE:
                self.book.expect(f"{need.where}NeedEscalated", need_id, str(need.step + 1))

    def verdict(self) -> Verdict:
        """The difference as it stands now."""
        self.remember_overdue()
        exact = {kind.__name__ for kind in IDENTITY} - FREE
        lost = [*self.book.waiting, *self.dead, *self.failures]
        doubled = [*self.book.doubled, *self.book.unexpected(exact), *self._strange]
        for who, standing in self.standings.items():
            missing, much = standing.faults()
            lost += [("TierChanged", *who, what) for what in missing]
            doubled += [("TierChanged", *who, what) for what in much]
        for note, thread in self.threads.items():
            few, many = thread.faults()
            lost += [("ProfileTaught", note, group) for group in few]
            doubled += [("ProfileTaught", note, group) for group in many]
        for id_, group in self.groups.items():
            _, state, members, waiting = group.told or (0, "open", 0, 0)
            told, must = (state, members, waiting), (group.state, len(group.people), len(group.waiting))
            words = f"state, members and waiting are {told}, must be {must}"
            if members > len(group.people):
                doubled.append(("GroupChanged", id_, words))
            elif told != must or group.idle:
                lost.append(("GroupChanged", id_, words))
            if group.circle != len(group.people):
                more = doubled if group.circle > len(group.people) else lost
                more.append(("CircleTurned", id_, f"{len(group.people)} members, turns come to {group.circle}"))
        return Verdict(tuple(lost), tuple(doubled))
