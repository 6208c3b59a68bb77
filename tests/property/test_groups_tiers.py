"""Whatever happens: talk promotes nobody, and help counts once for each group of its note."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Literal, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from services.groups.core import Charter, Member, member_id
from services.groups.handlers import JoinGroup, LeaveGroup, OpenGroup
from services.groups.handlers import router as groups_router
from services.groups.settings import Settings
from services.notes.handlers import router as notes_router
from services.notes.handlers.commands import PostComment, PostNote, RelayNote
from services.notes.settings import Settings as NotesSettings
from shared.contracts import Event
from shared.contracts.groups import ContributionKind, ContributionMade, MemberJoined, TierChanged
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import AdviceTaken, NeedAnswered, NoteRelayed
from shared.errors import Rejected
from tests.unit.support import World, wire

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
NOTES_SETTINGS = NotesSettings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
LOWEST = SETTINGS.tiers[0].name
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
TALK = ("有人一起去吗?", "同问", "太好了", "谢谢!", "Where do you meet?")

people, notes, groups = (st.sampled_from(names) for names in (("ann", "bob", "cat"), ("n", "m"), ("g", "h")))
FEW = settings(max_examples=60, deadline=None, derandomize=True)


class Help(NamedTuple):
    """Something useful, as notes tells it."""

    kind: ContributionKind
    note: str
    person: str
    source: str

    def event(self) -> Event:
        if self.kind == "advice_taken":
            return AdviceTaken(comment_id=self.source, note_id=self.note, author_id="x", adviser_id=self.person)
        return NeedAnswered(
            need_id=self.source, note_id=self.note, comment_id="q", asker_id="x", answer_id="a", helper_id=self.person
        )


class Relay(NamedTuple):
    """A note came to a group."""

    note: str
    group: str

    def event(self) -> Event:
        return NoteRelayed(note_id=self.note, group_id=self.group, by_id="x")


class Act(NamedTuple):
    """Something that helps nobody: talk, or coming and going."""

    verb: Literal["comment", "relay", "join", "leave", "hide", "show", "wait"]
    person: str
    note: str
    group: str


kinds: st.SearchStrategy[ContributionKind] = st.sampled_from(("answer_accepted", "advice_taken"))
helps = st.builds(Help, kinds, notes, people, st.sampled_from(("1", "2", "3", "4")))
relays = st.builds(Relay, notes, groups)
acts = st.builds(
    Act,
    st.sampled_from(("comment", "comment", "relay", "join", "leave", "hide", "show", "wait")),
    people,
    notes,
    groups,
)


def world() -> World:
    """Groups g and h."""
    made = World(groups_router(SETTINGS))
    for id_ in ("g", "h"):
        made.ask(OpenGroup(person_id="gus", group_id=id_, name="G", charter=CHARTER, seats=9))
    return made


def told(events: Sequence[Help | Relay]) -> World:
    """What groups makes of them, in this order; each settles before the next comes."""
    made = world()
    for event in events:
        made.hear(event.event())
        made.settle()
    return made


def talk(ours: World, theirs: World, act: Act, number: int) -> None:
    """Do it in notes (``ours``) or at the door of a group (``theirs``)."""
    person, last = act.person, f"c{max(0, number - 1)}"
    match act.verb:
        case "comment":
            text = TALK[number % len(TALK)]
            ours.ask(
                PostComment(person_id=person, comment_id=f"c{number}", note_id=act.note, text=text, parent_id=None)
            )
        case "relay":
            ours.ask(RelayNote(person_id=person, note_id=act.note, group_id=act.group, any_note=True))
        case "join":
            theirs.ask(JoinGroup(person_id=person, group_id=act.group, answer=None))
        case "leave":
            theirs.ask(LeaveGroup(person_id=person, group_id=act.group))
        case "wait":
            ours.wait(hours=3)
        case "hide" | "show":
            about = {"content_id": last, "kind": "comment", "note_id": act.note, "author_id": person}
            verdict = {"hidden": act.verb == "hide", "score": 1, "reasons": [], "rules": "1"}
            ours.hear(ContentJudged.model_validate({**about, **verdict}), number + 1)


@FEW
@given(st.lists(acts, max_size=40))
def test_talk_promotes_nobody(history: list[Act]) -> None:
    """Any amount of comments, questions, relays, joining and leaving makes no TierChanged and no higher tier."""
    ours, theirs = World(notes_router(NOTES_SETTINGS)), world()
    ours.take(map(wire, theirs.records))
    for note in ("n", "m"):
        ours.ask(PostNote(person_id="x", note_id=note, title="t", text="x", topic=None, place=None, intent=None))
    for number, act in enumerate(history):
        with suppress(Rejected):  # twice at the door, or a comment that is hidden
            talk(ours, theirs, act, number)
        ours.settle()
    theirs.take(map(wire, ours.records))
    theirs.settle()
    assert not any(outcome.startswith("dead") for outcome in (*ours.outcomes, *theirs.outcomes))
    assert theirs.told.of(TierChanged) == []
    assert theirs.told.of(ContributionMade) == []
    assert {event.tier for event in theirs.told.of(MemberJoined)} <= {LOWEST}
    assert {d.tier for d in theirs.documents.values() if isinstance(d, Member)} <= {LOWEST}


@FEW
@given(st.lists(helps | relays, max_size=30))
def test_help_counts_once_for_each_group_of_its_note(events: list[Help | Relay]) -> None:
    """Contributions are the pairs (group, help) of a note, whatever comes first and however often it is told."""
    made = told(events)
    given_ = {event for event in events if isinstance(event, Help)}
    brought = {event for event in events if isinstance(event, Relay)}
    wanted = {(relay.group, help_) for relay in brought for help_ in given_ if help_.note == relay.note}
    found = [(e.group_id, Help(e.kind, e.note_id, e.person_id, e.source_id)) for e in made.told.of(ContributionMade)]
    assert Counter(found) == Counter(wanted)
    counted = Counter((group, help_.person) for group, help_ in wanted)
    for (group, person), count in counted.items():
        member = made.get(Member, member_id(group, person))
        assert member.answer_accepted + member.advice_taken == count


@FEW
@given(st.lists(helps | relays, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_help_and_relay_does_not_matter(events: list[Help | Relay], rng: Random) -> None:
    """What each person has earned in each group is the same for every order of the same events."""
    shuffled = list(events)
    rng.shuffle(shuffled)
    one, other = told(events), told(shuffled)
    assert earned(one) == earned(other)


def earned(made: World) -> dict[str, tuple[int, int]]:
    found = (d for d in made.documents.values() if isinstance(d, Member))
    return {member.id: (member.answer_accepted, member.advice_taken) for member in found}


@FEW
@given(st.lists(helps, max_size=8, unique=True), st.integers(0, 8))
def test_a_tier_is_what_was_earned(events: list[Help], before: int) -> None:
    """Whenever ann joins, in the end her tier is the highest that the number of her contributions earns."""
    made = told([Relay("n", "g"), Relay("m", "g"), *events[:before]])
    made.ask(JoinGroup(person_id="ann", group_id="g", answer=None))
    for event in events[before:]:
        made.hear(event.event())
        made.settle()
    count = sum(event.person == "ann" for event in events)
    wanted = "mainstay" if count >= 3 else "contributor" if count else "newcomer"
    assert made.get(Member, member_id("g", "ann")).tier == wanted
    steps = [(e.old, e.new) for e in made.told.of(TierChanged)]
    assert [old for old, _ in steps[1:]] == [new for _, new in steps[:-1]]
    assert not steps or steps[-1][1] == wanted


@FEW
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), min_size=1, max_size=8))
def test_a_tier_does_not_depend_on_when_anybody_looks(history: list[tuple[int, int]]) -> None:
    """Days pass and help comes: timers that fire on time, late or never give the same tier in the end, and again."""

    def lived(timers: bool) -> World:
        made = world()
        for days, count in history:
            if timers:
                made.wait(days=days)
            else:
                made.now += timedelta(days=days)
            for n in range(count):
                made.hear(
                    ContributionMade(
                        group_id="g", person_id="ann", note_id="n", source_id=f"{n}", kind="answer_accepted"
                    )
                )
        return made

    on_time, late, again = lived(True), lived(False), lived(True)
    assert on_time.state() == again.state()
    for made in (on_time, late):
        made.ask(JoinGroup(person_id="ann", group_id="g"))
    tier = on_time.get(Member, member_id("g", "ann")).tier
    assert tier == late.get(Member, member_id("g", "ann")).tier
    late.wait(days=0)
    assert tier == late.get(Member, member_id("g", "ann")).tier
