"""Whatever is said in a group, judged and taken back, in whatever order it is heard of: the end is the same."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Literal, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.groups.core import Charter, Member, Message, Need, need_id
from services.groups.handlers import (
    AcceptAnswer,
    DeleteMessage,
    JoinGroup,
    LeaveGroup,
    OpenGroup,
    PostMessage,
    router,
)
from services.groups.settings import Settings
from shared.contracts.groups import ContributionMade, MemberJoined, TierChanged
from shared.contracts.moderation import MessageJudged
from shared.contracts.talk import GroupNeedEscalated, GroupNeedOpened, GroupNeedWithdrawn
from shared.errors import Rejected
from shared.flow.documents import Document
from tests.unit.support import D, World, wire

STEPS = (3_600, 7_200)
SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", need_steps=STEPS)
LOWEST = SETTINGS.tiers[0].name
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
QUESTION, ANSWER = "请问需要预约吗?", "不用预约."
CHATTER = (QUESTION, ANSWER, "早安!", "同问", "谢谢!", "Where do you meet?")
PEOPLE = ("ann", "bob", "cat")
people = st.sampled_from(PEOPLE)
FEW = settings(max_examples=60, deadline=None, derandomize=True)


def world() -> World:
    """Group g of gus with all people in it."""
    made = World(router(SETTINGS))
    made.ask(OpenGroup(person_id="gus", group_id="g", name="G", charter=CHARTER, seats=9))
    for person in PEOPLE:
        made.ask(JoinGroup(person_id=person, group_id="g", answer=None))
    made.settle()
    return made


def say(made: World, id_: str, person: str, text: str, parent: str | None = None) -> None:
    made.ask(PostMessage(person_id=person, message_id=id_, group_id="g", text=text, parent_id=parent))


def judged(id_: str, *, hidden: bool) -> MessageJudged:
    return MessageJudged(content_id=id_, group_id="g", author_id="x", hidden=hidden, score=1, reasons=(), rules="1")


class Talk(RuleBasedStateMachine):
    """One group. Its own events wait and are heard in any order; verdicts come late, doubled and in any order."""

    @initialize()
    def begin(self) -> None:
        self.world = world()
        self.messages: list[str] = []
        self.verdicts: dict[str, dict[int, bool]] = {}

    @rule(person=people, asks=st.booleans(), data=st.data())
    def speak(self, person: str, asks: bool, data: st.DataObject) -> None:
        parent = data.draw(st.sampled_from([None, *self.messages]))
        id_ = f"m{len(self.messages)}"
        with suppress(Rejected):
            say(self.world, id_, person, QUESTION if asks else ANSWER, parent)
            self.messages.append(id_)

    @rule(data=st.data(), person=people)
    @precondition(lambda self: self.messages)
    def delete(self, data: st.DataObject, person: str) -> None:
        with suppress(Rejected):
            id_ = data.draw(st.sampled_from(self.messages))
            self.world.ask(DeleteMessage(person_id=person, message_id=id_, group_id="g"))

    @rule(data=st.data(), person=people)
    @precondition(lambda self: self.messages)
    def accept(self, data: st.DataObject, person: str) -> None:
        question, answer = (data.draw(st.sampled_from(self.messages)) for _ in range(2))
        with suppress(Rejected):
            command = AcceptAnswer(person_id=person, need_id=need_id(question), group_id="g", message_id=answer)
            self.world.ask(command)

    @rule(person=people, comes=st.booleans())
    def move(self, person: str, comes: bool) -> None:
        with suppress(Rejected):
            if comes:
                self.world.ask(JoinGroup(person_id=person, group_id="g", answer=None))
            else:
                self.world.ask(LeaveGroup(person_id=person, group_id="g"))

    @rule(data=st.data(), sequence=st.integers(1, 5), hidden=st.booleans())
    @precondition(lambda self: self.messages)
    def judge(self, data: st.DataObject, sequence: int, hidden: bool) -> None:
        id_ = data.draw(st.sampled_from(self.messages))
        hidden = self.verdicts.setdefault(id_, {}).setdefault(sequence, hidden)
        self.world.hear(judged(id_, hidden=hidden), sequence)

    @rule(data=st.data())
    @precondition(lambda self: self.world.pending)
    def hear(self, data: st.DataObject) -> None:
        self.world.deliver(data.draw(st.integers(0, len(self.world.pending) - 1)))

    @rule(seconds=st.integers(1, 8_000))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds=seconds)

    @invariant()
    def nothing_dies(self) -> None:
        assert not [outcome for outcome in self.world.outcomes if outcome.startswith("dead")]

    @invariant()
    def an_open_need_has_the_timer_of_its_next_step(self) -> None:
        wanted = {
            (f"{need.id}:{need.step + 1}", need.opened_at + timedelta(seconds=STEPS[need.step]))
            for need in self.of(Need)
            if need.state == "open" and need.step < len(STEPS)
        }
        assert {(timer.id, timer.due) for timer in self.world.timers if timer.type == "NeedDue"} == wanted

    @invariant()
    def a_verdict_holds_by_its_sequence(self) -> None:
        for message in self.of(Message):
            verdicts = self.verdicts.get(message.id, {})
            assert message.hidden == (verdicts[max(verdicts)] if verdicts else False)

    @invariant()
    def a_need_is_escalated_once_a_step(self) -> None:
        steps: dict[str, list[int]] = {}
        for event in self.world.told:
            if isinstance(event, GroupNeedOpened):
                steps[event.need_id] = []
            elif isinstance(event, GroupNeedEscalated):
                steps[event.need_id].append(event.step)
        assert all(done == list(range(1, len(done) + 1)) for done in steps.values())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.settle()
        needs = {need.message_id: need for need in self.of(Need)}
        helped = Counter(need.helper_id for need in needs.values() if need.state == "answered")
        assert {m.person_id: m.answer_accepted for m in self.of(Member) if m.answer_accepted} == helped
        told = self.world.told
        waits = sum(need.state != "withdrawn" for need in needs.values())
        assert waits == len(told.of(GroupNeedOpened)) - len(told.of(GroupNeedWithdrawn))
        for message in self.of(Message):
            state = needs[message.id].state if message.id in needs else None
            if message.hidden or message.gone:
                assert state in (None, "answered", "withdrawn")
            else:
                assert state in (("open", "answered") if message.text == QUESTION else (None,))

    def of(self, kind: type[D]) -> list[D]:
        return [document for document in self.world.documents.values() if isinstance(document, kind)]


def test_needs_timers_and_help_follow_every_history() -> None:
    """Verdicts hold by sequence, open needs have one timer, help counts once for each need: in every order."""
    run_state_machine_as_test(
        Talk, settings=settings(max_examples=50, stateful_step_count=30, deadline=None, derandomize=True)
    )


class Act(NamedTuple):
    """Something that helps nobody: talk, and coming and going."""

    verb: Literal["say", "reply", "delete", "hide", "show", "join", "leave", "wait"]
    person: str
    text: str


acts = st.builds(
    Act,
    st.sampled_from(("say", "say", "reply", "reply", "delete", "hide", "show", "join", "leave", "wait")),
    people,
    st.sampled_from(CHATTER),
)


def act(made: World, doing: Act, number: int) -> None:
    """Do it; what it is about is the last message."""
    last = f"m{max(0, number - 1)}"
    match doing.verb:
        case "say" | "reply":
            say(made, f"m{number}", doing.person, doing.text, last if doing.verb == "reply" else None)
        case "delete":
            made.ask(DeleteMessage(person_id=doing.person, message_id=last, group_id="g"))
        case "hide" | "show":
            made.hear(judged(last, hidden=doing.verb == "hide"), number + 1)
        case "join":
            made.ask(JoinGroup(person_id=doing.person, group_id="g", answer=None))
        case "leave":
            made.ask(LeaveGroup(person_id=doing.person, group_id="g"))
        case "wait":
            made.wait(hours=3)


@FEW
@given(st.lists(acts, max_size=60))
def test_chatter_promotes_nobody(history: list[Act]) -> None:
    """Any number of messages, questions and replies makes no contribution and no higher tier."""
    made = world()
    for number, doing in enumerate(history):
        with suppress(Rejected):  # to one who has left, twice at the door, under what is hidden
            act(made, doing, number)
        made.settle()
    assert not any(outcome.startswith("dead") for outcome in made.outcomes)
    assert (made.told.of(TierChanged), made.told.of(ContributionMade)) == ([], [])
    assert {event.tier for event in made.told.of(MemberJoined)} == {LOWEST}
    members = [document for document in made.documents.values() if isinstance(document, Member)]
    assert {(m.tier, m.answer_accepted, m.advice_taken) for m in members} == {(LOWEST, 0, 0)}


verdicts = st.dictionaries(st.integers(1, 4), st.booleans(), max_size=4)


@FEW
@given(verdicts, st.booleans(), st.randoms(use_true_random=False))
def test_message_deletion_and_verdicts_may_swap(by_sequence: dict[int, bool], gone: bool, rng: Random) -> None:
    """Any order of what is told of one question, with doubles, ends in the same message, need and timers."""
    ends = [heard(by_sequence, gone, shuffle) for shuffle in (None, rng)]
    assert ends[0] == ends[1]


def heard(by_sequence: dict[int, bool], gone: bool, rng: Random | None) -> dict[tuple[str, str], Document]:
    """What remains of a question; a need that was withdrawn is as good as none."""
    made = world()
    say(made, "q", "ann", QUESTION)
    if gone:
        made.ask(DeleteMessage(person_id="ann", message_id="q", group_id="g"))
    told = [wire(record) for record in made.pending]
    told += [made.record(judged("q", hidden=hidden), seq, f"v{seq}") for seq, hidden in sorted(by_sequence.items())]
    if rng is not None:
        told += rng.sample(told, rng.randint(0, len(told)))
        rng.shuffle(told)
    made.take(told)
    return {
        place: document
        for place, document in made.state().items()
        if not (isinstance(document, Need) and document.state == "withdrawn")
    }
