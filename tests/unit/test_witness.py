"""The witness: a loss or a double of any kind is seen, and nothing else is taken for one."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.journal import Accepted, Failed, Journal
from local.ledger import LATE, Verdict
from local.witness import QUIET, Witness
from shared.contracts import Envelope, Event, partition_of
from shared.contracts import groups as g
from shared.contracts import moderation as m
from shared.contracts import notes as n
from shared.contracts import recommend as r
from shared.contracts import talk as t
from shared.contracts.dead import NotesDeadLetter
from shared.contracts.topics import GROUP

PARTITIONS = 4
NOON = 1_800_000_000.0
DUE = datetime.fromtimestamp(NOON + 100, UTC)
CHARTER = g.Charter(purpose="a", audience="b", rules="c", rewards="d", service="e", exit="f")


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Record:
    """A record as a consumer hands it over."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass
class World:
    """A witness, the journal it listens to, and records made as the services make them."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.journal = Journal(clock=self.clock)
        self.witness = Witness(self.journal, PARTITIONS, self.clock)
        self.ends: Counter[tuple[str, int]] = Counter()

    def record(self, event: Event, sequence: int = 1, id_: str = "", correlation: str = "") -> Record:
        """The next record of its partition; it follows from a request of this run unless told otherwise."""
        partition = partition_of(event.key, PARTITIONS)
        offset = self.ends[event.TOPIC.name, partition]
        self.ends[event.TOPIC.name, partition] += 1
        envelope = Envelope(
            id=id_ or str(uuid4()),
            type=event.TYPE,
            source=event.source,
            time=datetime.fromtimestamp(self.clock.now, UTC),
            subject=event.key,
            sequence=sequence,
            correlation=correlation or self.journal.correlation(),
            causation="cause",
        )
        value = event.model_dump_json().encode()
        return Record(event.TOPIC.name, partition, offset, event.key.encode(), value, tuple(envelope.headers()))

    def tell(self, *events: Event, **more: Any) -> None:
        """Records of these events arrive."""
        for event in events:
            self.witness.take(self.record(event, **more))

    def accept(self, action: Any, person: str = "p-1", **ids: Any) -> None:
        """A command is answered with 2xx."""
        self.journal.accept(Accepted(action, person, **ids))

    @property
    def verdict(self) -> Verdict:
        return self.witness.verdict()


@pytest.fixture
def world() -> World:
    return World()


def judged(content: str, *, hidden: bool = False, note: str = "n") -> m.ContentJudged:
    kind: m.ContentKind = "note" if content == note else "comment"
    return m.ContentJudged(
        content_id=content, kind=kind, note_id=note, author_id="p", hidden=hidden, score=1, reasons=(), rules="1"
    )


def posted(comment: str, author: str = "p-1") -> n.CommentPosted:
    return n.CommentPosted(comment_id=comment, note_id="n", author_id=author, note_author_id="p-0", text="t")


def opened(comment: str) -> n.NeedOpened:
    return n.NeedOpened(need_id=f"need-{comment}", note_id="n", comment_id=comment, asker_id="p-1", due_at=DUE)


def answered(question: str, answer: str, helper: str) -> n.NeedAnswered:
    need = f"need-{question}"
    ids = {"need_id": need, "comment_id": question, "answer_id": answer, "helper_id": helper}
    return n.NeedAnswered(note_id="n", asker_id="p-1", **ids)


def escalated(question: str, step: int = 1) -> n.NeedEscalated:
    ids = {"need_id": f"need-{question}", "comment_id": question, "note_id": "n", "asker_id": "p-1"}
    return n.NeedEscalated(step=step, due_at=DUE, **ids)


def contributed(person: str, kind: g.ContributionKind, source: str) -> g.ContributionMade:
    return g.ContributionMade(group_id="g", person_id=person, note_id="n", source_id=source, kind=kind)


def changed(members: int, state: g.GroupState = "open") -> g.GroupChanged:
    return g.GroupChanged(group_id="g", state=state, seats=5, members=members)


def promoted(old: str, new: str, person: str = "p-2") -> g.TierChanged:
    return g.TierChanged(group_id="g", person_id=person, old=old, new=new, reasons=("answer_accepted>=1",))


def heard(person: str, member: bool, sequence: int) -> r.MembershipHeard:
    return r.MembershipHeard(person_id=person, group_id="g", member=member, sequence=sequence)


def turned(members: int) -> r.CircleTurned:
    return r.CircleTurned(group_id="g", members=members, shares=())


def story(world: World) -> list[Record]:
    """Everything that the ledger knows of, once: all commands accepted, and the records that follow from them."""
    world.accept("group", "p-0", group="g", state="open", seats=5)
    world.accept("join", "p-2", group="g")
    world.accept("leave", "p-2", group="g")
    world.accept("join", "p-2", group="g")
    world.accept("join", "p-4", group="g")
    world.accept("note", "p-0", note="n", size=10)
    world.accept("comment", "p-1", note="n", comment="q", asks=True)
    world.accept("comment", "p-2", note="n", comment="a", asks=False)
    world.accept("comment", "p-3", note="n", comment="ad", asks=False)
    world.accept("accept", "p-1", need="need-q", comment="a")
    world.accept("advice", "p-0", comment="a")
    world.accept("relay", "p-0", note="n", group="g")
    world.accept("feedback", "p-3", group="g", state="seen")
    note = n.NotePosted(note_id="n", author_id="p-0", title="t", text="t")
    record = world.record
    return [
        record(g.GroupOpened(group_id="g", owner_id="p-0", name="g", charter=CHARTER, seats=5)),
        record(g.MemberJoined(group_id="g", person_id="p-2", tier="newcomer"), sequence=1),
        record(changed(1), sequence=2),
        record(g.MemberLeft(group_id="g", person_id="p-2"), sequence=2),
        record(g.MemberJoined(group_id="g", person_id="p-2", tier="newcomer"), sequence=3),
        record(g.MemberJoined(group_id="g", person_id="p-4", tier="newcomer"), sequence=1),
        record(changed(2), sequence=5),
        record(note),
        record(judged("n")),
        record(r.GroupsSuggested(note_id="n", suggestions=(), model="m")),
        *(record(posted(comment, author)) for comment, author in (("q", "p-1"), ("a", "p-2"), ("ad", "p-3"))),
        record(judged("q")),
        record(judged("a")),
        record(judged("ad", hidden=True)),
        record(n.CommentVisibilityChanged(comment_id="ad", note_id="n", author_id="p-3", hidden=True)),
        record(opened("q")),
        record(answered("q", "a", "p-2")),
        record(n.AdviceTaken(comment_id="a", note_id="n", author_id="p-0", adviser_id="p-2")),
        record(n.NoteRelayed(note_id="n", group_id="g", by_id="p-0")),
        record(r.ProfileTaught(group_id="g", note_id="n", terms=(("t", 1),))),
        record(contributed("p-2", "answer_accepted", "need-q")),
        record(contributed("p-2", "advice_taken", "a")),
        record(promoted("newcomer", "contributor"), sequence=6),
        record(heard("p-2", True, 1)),
        record(heard("p-2", False, 2)),
        record(heard("p-2", True, 3)),
        record(heard("p-4", True, 1)),
        *(record(turned(members)) for members in (1, 1)),
        record(r.FeedbackGiven(person_id="p-3", group_id="g", kind="seen")),
    ]


STORY = len(story(World()))
SUPERSEDED = 2
"""The place of a state that a later one replaces: nobody misses it."""


def test_a_story_without_a_fault_is_clean(world: World) -> None:
    """Nothing is lost and nothing doubled when every effect has come once."""
    for record in story(world):
        world.witness.take(record)
    assert world.verdict == Verdict()


@given(order=st.permutations(range(STORY)))
def test_the_order_of_arrival_does_not_matter(order: list[int]) -> None:
    """Partitions may overtake each other in any way."""
    world = World()
    records = story(world)
    for place in order:
        world.witness.take(records[place])
    # Within a partition the real consumer keeps the order; here what came out of order looks gone, and only that.
    assert {why for *_, why in world.verdict.lost} <= {"gone"}
    assert world.verdict.doubled == ()


@pytest.mark.parametrize("place", [place for place in range(STORY) if place != SUPERSEDED])
def test_every_record_that_is_missing_is_missed(place: int) -> None:
    """Whichever single effect does not arrive, the verdict says that something is lost."""
    world = World()
    records = story(world)
    world.witness.start_at({(record.topic, record.partition): 1_000 for record in records})
    for record in records[:place] + records[place + 1 :]:
        world.witness.take(record)
    assert world.verdict.lost


@pytest.mark.parametrize("place", range(STORY))
def test_every_fact_under_a_second_id_is_doubled(place: int) -> None:
    """Whichever effect is published again under another id, the verdict says so."""
    world = World()
    records = story(world)
    again = records[place]
    others = tuple((name, value) for name, value in again.headers if name != "ce_id")
    records.append(replace(again, headers=(*others, ("ce_id", b"another"))))
    world.witness.start_at({(record.topic, record.partition): 1_000 for record in records})
    for record in records:
        world.witness.take(record)
    assert world.verdict.doubled


@pytest.mark.parametrize("place", range(STORY))
def test_a_record_sent_twice_is_no_double(place: int) -> None:
    """The same ce_id twice on the wire is counted apart and changes nothing."""
    world = World()
    records = story(world)
    for record in [*records, replace(records[place], offset=0)]:
        world.witness.take(record)
    assert world.verdict == Verdict()
    assert world.witness.ledger.book.repeats == 1


def test_one_id_for_two_bodies_is_doubled(world: World) -> None:
    """An id that stands for two different facts is a fault, although the id is known."""
    for record in story(world):
        world.witness.take(record)
    taken = world.record(judged("q", hidden=True))
    first = world.record(judged("q"))
    world.witness.take(replace(first, headers=tuple(first.headers)))
    world.witness.take(replace(taken, headers=first.headers))
    assert ("ContentJudged", "two bodies under one id") in {fact[:2] for fact in world.verdict.doubled}


def test_an_effect_without_an_accepted_command_is_doubled(world: World) -> None:
    """A comment that no answer has promised is one too many: so it looks when a retry writes a second one."""
    world.tell(posted("phantom"))
    assert world.verdict.doubled == (("CommentPosted", "phantom"),)


def test_what_others_cause_is_left_out(world: World) -> None:
    """Events that follow from no request of this run are counted apart and judged by nobody."""
    world.tell(posted("theirs"), correlation="somebody-else")
    assert world.verdict == Verdict()
    assert world.witness.others == 1


def test_a_gap_in_a_partition_is_lost(world: World) -> None:
    """Records that were gone before they could be read are counted, each of them."""
    world.record(judged("n"))
    world.record(judged("n"))
    world.accept("comment", note="n", comment="c")
    world.tell(judged("c"))
    assert sum(fact[-1] == "gone" for fact in world.verdict.lost) == 2


def test_what_was_there_before_is_not_missed(world: World) -> None:
    """On a stack that has a past, reading begins where this run begins."""
    record = replace(world.record(posted("theirs"), correlation="x"), offset=700)
    world.witness.start_at({(record.topic, record.partition): 700})
    world.witness.take(record)
    assert world.verdict == Verdict()


@pytest.mark.parametrize(
    "broken",
    [
        {"headers": ()},
        {"value": b"{"},
        {"key": b"other"},
        {"partition": 9},
        {"topic": GROUP.name},
    ],
)
def test_a_record_that_is_not_as_published_is_lost(world: World, broken: dict[str, Any]) -> None:
    """No headers, no JSON, another key, partition or topic than the language says: nobody could rely on it."""
    record = replace(world.record(judged("n")), offset=0)
    world.witness.take(replace(record, **broken))
    assert len(world.verdict.lost) == 1


def test_a_dead_letter_is_lost_whoever_caused_it(world: World) -> None:
    """An input that died in a service has had no effect, and nobody may overlook it."""
    letter = NotesDeadLetter(
        letter_id="l", topic="t", partition=0, offset=0, handler="h", reason="bug", fingerprint="f", record_key="",
        value="", headers=(),
    )  # fmt: skip
    world.tell(letter, correlation="unknown")
    assert world.verdict.lost == (("NotesDeadLetter", "bug", "h", "f"),)


def test_a_command_that_was_given_up_is_lost(world: World) -> None:
    """Who asked was never told, so whatever became of it counts as lost."""
    world.journal.fail(Failed("comment", "p-1", "503, 9 tries"))
    assert world.verdict.lost == (("comment", "given up", "503, 9 tries"),)


@pytest.mark.parametrize("relay_first", [True, False])
def test_help_counts_once_in_every_group_of_the_note(world: World, relay_first: bool) -> None:
    """Each pair of help and relay makes one contribution, in whichever order they come."""
    world.accept("comment", "p-2", note="n", comment="a")
    world.tell(posted("a", "p-2"), judged("a"))
    relays = [n.NoteRelayed(note_id="n", group_id=group, by_id="p-0") for group in ("g", "h")]
    advice = n.AdviceTaken(comment_id="a", note_id="n", author_id="p-0", adviser_id="p-2")
    for group in ("g", "h"):
        world.accept("relay", note="n", group=group)
        world.tell(r.ProfileTaught(group_id=group, note_id="n", terms=()))
    world.accept("advice", comment="a")
    world.tell(*([*relays, advice] if relay_first else [advice, *relays]))
    assert {fact[:2] for fact in world.verdict.lost} == {("ContributionMade", "g"), ("ContributionMade", "h")}


def test_credit_for_somebody_else_is_a_fault(world: World) -> None:
    """Help is owed to whoever wrote the comment, by the answers over HTTP."""
    world.accept("comment", "p-2", note="n", comment="a")
    world.accept("advice", "p-0", comment="a")
    world.tell(posted("a", "p-2"), judged("a"))
    world.tell(n.AdviceTaken(comment_id="a", note_id="n", author_id="p-0", adviser_id="p-9"))
    assert len(world.verdict.doubled) == 1


@pytest.mark.parametrize(("told", "where"), [(1, "lost"), (2, ""), (3, "doubled")])
def test_seats_are_counted_from_the_answers(world: World, told: int, where: str) -> None:
    """Two people were let in: a group that tells of fewer has lost one, one that tells of more has doubled one."""
    world.accept("group", group="g", state="open", seats=5)
    world.tell(g.GroupOpened(group_id="g", owner_id="p-0", name="g", charter=CHARTER, seats=5))
    for person in ("p-1", "p-2"):
        world.accept("join", person, group="g")
        world.tell(g.MemberJoined(group_id="g", person_id=person, tier="newcomer"), heard(person, True, 1), turned(1))
    world.tell(changed(told), sequence=9)
    world.tell(changed(4), sequence=3)
    assert bool(world.verdict.lost) == (where == "lost")
    assert bool(world.verdict.doubled) == (where == "doubled")


@pytest.mark.parametrize(("turns", "where"), [([1], "lost"), ([1, 1], ""), ([1, 1, -1, 1], ""), ([1, 1, 1], "doubled")])
def test_circles_are_counted_from_the_answers(world: World, turns: list[int], where: str) -> None:
    """The turns of a circle come to the people who were let in, neither fewer nor more."""
    world.accept("group", group="g", state="open", seats=5)
    world.tell(g.GroupOpened(group_id="g", owner_id="p-0", name="g", charter=CHARTER, seats=5))
    for person in ("p-1", "p-2"):
        world.accept("join", person, group="g")
        world.tell(g.MemberJoined(group_id="g", person_id=person, tier="newcomer"), heard(person, True, 1))
    world.tell(changed(2), sequence=9)
    world.tell(*map(turned, turns))
    assert bool(world.verdict.lost) == (where == "lost")
    assert bool(world.verdict.doubled) == (where == "doubled")


def test_more_members_than_seats_is_a_fault_at_any_time(world: World) -> None:
    """A group that was over its seats for a moment is not saved by being right in the end."""
    world.accept("group", group="g", state="open", seats=1)
    world.tell(g.GroupOpened(group_id="g", owner_id="p-0", name="g", charter=CHARTER, seats=1))
    world.tell(changed(2), sequence=2)
    world.tell(changed(0), sequence=3)
    assert world.verdict.doubled == (("GroupChanged", "g", "2 on 1 seats"),)


def test_an_unanswered_need_must_escalate(world: World) -> None:
    """When its time has passed without an answer and nothing came, that is lost; before, it is not."""
    world.accept("comment", note="n", comment="q", asks=True)
    world.tell(posted("q"), judged("q"), opened("q"))
    assert world.verdict == Verdict()
    world.clock.now = DUE.timestamp() + LATE + 1
    assert world.verdict.lost == (("NeedEscalated", "need-q", "1"),)
    world.tell(escalated("q"))
    assert world.verdict == Verdict()


def test_an_answer_in_time_forbids_the_escalation(world: World) -> None:
    """Neither lag nor an unsent answer escalates what was answered in time."""
    for comment, author in (("q", "p-1"), ("a", "p-2")):
        world.accept("comment", author, note="n", comment=comment)
        world.tell(posted(comment, author), judged(comment))
    world.tell(opened("q"))
    world.accept("accept", need="need-q", comment="a")
    world.clock.now = DUE.timestamp() + LATE + 1
    world.tell(answered("q", "a", "p-2"))
    assert world.verdict == Verdict()
    world.tell(escalated("q"))
    assert len(world.verdict.doubled) == 1


@pytest.mark.parametrize("verdict_first", [True, False])
def test_the_need_of_a_hidden_question_is_withdrawn(world: World, verdict_first: bool) -> None:
    """A need that was opened for what turned out to be an advertisement must go, whatever comes first."""
    world.accept("comment", note="n", comment="q")
    events = [opened("q"), judged("q", hidden=True)]
    world.tell(posted("q"), *(reversed(events) if verdict_first else events))
    world.tell(n.CommentVisibilityChanged(comment_id="q", note_id="n", author_id="p-1", hidden=True))
    assert world.verdict.lost == (("NeedWithdrawn", "need-q"),)


@pytest.mark.parametrize(
    ("steps", "where"),
    [
        ([("newcomer", "contributor")], ""),
        ([], "lost"),
        ([("newcomer", "contributor"), ("newcomer", "contributor")], "doubled"),
        ([("newcomer", "contributor"), ("contributor", "mainstay")], "doubled"),
    ],
)
def test_tiers_are_recomputed(world: World, steps: list[tuple[str, str]], where: str) -> None:
    """One accepted answer makes a contributor: no change is lost, a repeated or unearned one is doubled."""
    world.accept("group", group="g", state="open", seats=5)
    world.accept("join", "p-2", group="g")
    world.tell(g.GroupOpened(group_id="g", owner_id="p-0", name="g", charter=CHARTER, seats=5), changed(1))
    world.tell(g.MemberJoined(group_id="g", person_id="p-2", tier="newcomer"), heard("p-2", True, 1), turned(1))
    world.witness.ledger.standings["g", "p-2"].earn("answer_accepted")
    for order, (old, new) in enumerate(steps, 2):
        world.tell(promoted(old, new), sequence=order)
    assert bool(world.verdict.lost) == (where == "lost")
    assert bool(world.verdict.doubled) == (where == "doubled")


def test_times_run_from_the_request_to_the_arrival(world: World) -> None:
    """Seconds are those between the sending of the request that caused it and the arrival, by one clock."""
    world.accept("comment", note="n", comment="c")
    record = world.record(posted("c"))
    world.clock.now += 1.5
    world.witness.take(record)
    assert list(world.witness.seconds["CommentPosted"]) == pytest.approx([1.5])


def test_times_of_an_escalation_run_from_its_due_time(world: World) -> None:
    """Hours of waiting for an answer are no lag."""
    world.tell(opened("q"))
    record = world.record(escalated("q"))
    world.clock.now = DUE.timestamp() + 0.25
    world.witness.take(record)
    assert list(world.witness.seconds["NeedEscalated"]) == pytest.approx([0.25])


async def test_settling_ends_when_all_is_quiet(world: World) -> None:
    """Nothing missing and nothing new for a while: the verdict is final."""
    world.clock.now += QUIET + 1
    assert await asyncio.wait_for(world.witness.settle(within=3_600), 30) == Verdict()


async def test_settling_ends_with_what_is_missing(world: World) -> None:
    """What has not come when nothing came for long enough is lost, and named."""
    world.accept("comment", note="n", comment="c")
    world.clock.now += 31
    found = await asyncio.wait_for(world.witness.settle(within=30), 30)
    assert set(found.lost) == {("CommentPosted", "c"), ("ContentJudged", "c")}


async def test_what_breaks_the_reader_reaches_who_waits(world: World) -> None:
    """Nobody waits for facts that nobody reads any more."""
    world.witness.broken = RuntimeError("the broker is gone")
    with pytest.raises(RuntimeError, match="the broker is gone"):
        await world.witness.fact("NotePosted", "n")
    with pytest.raises(RuntimeError, match="the broker is gone"):
        await world.witness.settle(within=1)


# -- the talk in a group ------------------------------------------------------------------------------------


def said(message: str, author: str) -> t.MessagePosted:
    return t.MessagePosted(message_id=message, group_id="g", author_id=author, text="t")


def told_of_message(message: str, *, hidden: bool = False) -> m.MessageJudged:
    return m.MessageJudged(
        content_id=message, group_id="g", author_id="p", hidden=hidden, score=1, reasons=(), rules="1"
    )


def asked(message: str) -> t.GroupNeedOpened:
    return t.GroupNeedOpened(need_id=f"need-{message}", group_id="g", message_id=message, asker_id="p-1", due_at=DUE)


def talk(world: World) -> list[Record]:
    """A question in a group with its answer, and an advertisement dressed as a question: all accepted, all told."""
    for message, author, asks in (("q", "p-1", True), ("a", "p-2", False), ("ad", "p-3", None)):
        world.accept("message", author, group="g", message=message, asks=asks)
    world.accept("thank", "p-1", group="g", need="need-q", message="a")
    world.accept("delete", "p-3", group="g", message="ad")
    ids = {"group_id": "g", "message_id": "q", "asker_id": "p-1", "answer_id": "a", "helper_id": "p-2"}
    return [
        *(world.record(said(message, author)) for message, author in (("q", "p-1"), ("a", "p-2"), ("ad", "p-3"))),
        *(world.record(told_of_message(message, hidden=message == "ad")) for message in ("q", "a", "ad")),
        world.record(asked("q")),
        world.record(asked("ad")),
        world.record(t.GroupNeedAnswered(need_id="need-q", **ids)),
        world.record(t.MessageVisibilityChanged(message_id="ad", group_id="g", author_id="p-3", hidden=True)),
        world.record(t.GroupNeedWithdrawn(need_id="need-ad", group_id="g", message_id="ad", asker_id="p-3")),
        world.record(t.MessageDeleted(message_id="ad", group_id="g", author_id="p-3")),
    ]


SAID = len(talk(World()))
NOT_PROMISED = 7
"""The place of a need that nobody has to expect: whether an unlabelled text asks is the service's to say."""


def test_a_talk_without_a_fault_is_clean(world: World) -> None:
    """Nothing is lost and nothing doubled when every effect has come once; the helper has earned it."""
    for record in talk(world):
        world.witness.take(record)
    assert world.verdict == Verdict()
    assert world.witness.ledger.standings["g", "p-2"].earned == {"answer_accepted": 1}


@pytest.mark.parametrize("place", [place for place in range(SAID) if place != NOT_PROMISED])
def test_every_record_of_a_talk_that_is_missing_is_missed(place: int) -> None:
    """Whichever single effect does not arrive, the verdict says that something is lost."""
    world = World()
    records = talk(world)
    world.witness.start_at({(record.topic, record.partition): 1_000 for record in records})
    for record in records[:place] + records[place + 1 :]:
        world.witness.take(record)
    assert world.verdict.lost


@pytest.mark.parametrize("place", range(SAID))
def test_every_fact_of_a_talk_under_a_second_id_is_doubled(place: int) -> None:
    """Whichever effect is published again under another id, the verdict says so."""
    world = World()
    records = talk(world)
    others = tuple((name, value) for name, value in records[place].headers if name != "ce_id")
    again = replace(records[place], headers=(*others, ("ce_id", b"another")))
    world.witness.start_at({(record.topic, record.partition): 1_000 for record in records})
    for record in [*records, again]:
        world.witness.take(record)
    assert world.verdict.doubled


def test_an_unanswered_need_in_a_group_must_escalate(world: World) -> None:
    """When its time has passed without an answer and nothing came, that is lost."""
    world.accept("message", group="g", message="q", asks=True)
    world.tell(said("q", "p-1"), told_of_message("q"), asked("q"))
    world.clock.now = DUE.timestamp() + LATE + 1
    assert world.verdict.lost == (("GroupNeedEscalated", "need-q", "1"),)
    ids = {"need_id": "need-q", "message_id": "q", "group_id": "g", "asker_id": "p-1"}
    world.tell(t.GroupNeedEscalated(**ids, step=1, due_at=DUE))
    assert world.verdict == Verdict()


@pytest.mark.parametrize("spared", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_what_the_gate_holds_is_hidden_at_once(world: World, spared: bool, late: bool) -> None:
    """The news of that is expected; of a verdict that spares it also that it is shown, in whichever order they come."""
    world.accept("comment", note="n", comment="c", asks=None)
    held = posted("c").model_copy(update={"gate": "held"})
    for event in (judged("c", hidden=not spared), held) if late else (held, judged("c", hidden=not spared)):
        world.tell(event)
    news = [hidden for _, _, hidden in (fact for fact in world.verdict.lost if "Visibility" in fact[0])]
    assert news == ["True", "False"][: 1 + spared]
    for hidden in news:
        ids = {"comment_id": "c", "note_id": "n", "author_id": "p-1"}
        world.tell(n.CommentVisibilityChanged(**ids, hidden=hidden == "True"))
    assert world.verdict.clean
    assert world.witness.ledger.hidden["c"] is not spared
