"""What groups does with the talk: messages, verdicts on them, and the needs asked in them. Each test folds inputs."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.groups.core import Charter, Member, Message, Need, member_id
from services.groups.handlers import (
    AcceptAnswer,
    ChangeGroup,
    DeleteMessage,
    JoinGroup,
    LeaveGroup,
    OpenGroup,
    PostMessage,
    message_news,
    need_news,
    router,
)
from services.groups.settings import Settings
from shared.contracts.groups import TierChanged
from shared.contracts.moderation import MessageJudged, VerdictReason
from shared.contracts.talk import (
    GroupNeedAnswered,
    GroupNeedEscalated,
    GroupNeedOpened,
    GroupNeedWithdrawn,
    MessageDeleted,
    MessagePosted,
    MessageVisibilityChanged,
)
from shared.flow.router import Reply
from tests.unit.support import START, World, refused

STEPS = (7_200, 43_200, 86_400)
SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", need_steps=STEPS)
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
QUESTION, ANSWER = "请问周末需要预约吗?", "不用预约."


@pytest.fixture
def world() -> World:
    """Groups g and h of gus; bob and cat are in both, dan has left g, eve was never there."""
    made = World(router(SETTINGS))
    for group in ("g", "h"):
        found(made, group)
        for person in ("bob", "cat", "dan"):
            made.ask(JoinGroup(person_id=person, group_id=group, answer=None))
    made.ask(LeaveGroup(person_id="dan", group_id="g"))
    made.settle()
    return made


def found(world: World, id_: str) -> None:
    world.ask(OpenGroup(person_id="gus", group_id=id_, name="G", charter=CHARTER, seats=9))


def say(world: World, id_: str, text: str = ANSWER, person: str = "bob", **more: str) -> Reply:
    """Bob says something in g, unless said otherwise."""
    where = {"group_id": "g", **more}
    command = PostMessage(
        person_id=person, message_id=id_, group_id=where["group_id"], text=text, parent_id=where.get("parent_id")
    )
    reply = world.ask(command)
    world.settle()
    return reply


def delete(world: World, id_: str, person: str = "bob", group: str = "g") -> Reply:
    reply = world.ask(DeleteMessage(person_id=person, message_id=id_, group_id=group))
    world.settle()
    return reply


def accept(world: World, answer: str, person: str = "bob", need: str = "q", group: str = "g") -> Reply:
    command = AcceptAnswer(person_id=person, need_id=f"need-{need}", group_id=group, message_id=answer)
    reply = world.ask(command)
    world.settle()
    return reply


def verdict(world: World, id_: str, *, hidden: bool, sequence: int) -> str:
    """Moderation's word on a message; the outcome."""
    reasons = (VerdictReason(rule="contact", weight=1, start=0, end=1),) if hidden else ()
    event = MessageJudged(
        content_id=id_, group_id="g", author_id="bob", hidden=hidden, score=1, reasons=reasons, rules="1"
    )
    outcome = world.hear(event, sequence)
    world.settle()
    return outcome


# -- messages -----------------------------------------------------------------------------------------------


def test_a_message_is_kept_and_told(world: World) -> None:
    """201 with its id and time; the event carries the text for those who judge it."""
    reply = say(world, "m", "hello")
    assert (reply.status, reply.body["message_id"], reply.body["group_id"]) == (201, "m", "g")
    assert world.told.of(MessagePosted) == [
        MessagePosted(message_id="m", group_id="g", parent_id=None, author_id="bob", text="hello")
    ]
    assert world.get(Message, "m").created_at == START


def test_the_owner_talks_without_a_seat(world: World) -> None:
    """Who has opened a group belongs to it."""
    assert say(world, "m", person="gus").status == 201


def test_a_reply_stands_under_a_message_of_its_group(world: World) -> None:
    """The parent is kept and told."""
    say(world, "m")
    say(world, "r", person="cat", parent_id="m")
    assert world.get(Message, "r").parent_id == world.told.of(MessagePosted)[-1].parent_id == "m"


@pytest.mark.parametrize(
    ("person", "group", "slug", "status"),
    [
        ("bob", "none", "unknown-group", 404),
        ("dan", "g", "not-a-member", 403),
        ("eve", "g", "not-a-member", 403),
        ("bob", "shut", "group-closed", 403),
        ("eve", "shut", "not-a-member", 403),
    ],
)
def test_who_does_not_talk(world: World, person: str, group: str, slug: str, status: int) -> None:
    """Nobody writes in a group that is not there, left, never joined, or closed: nothing is kept or told."""
    found(world, "shut")
    world.ask(JoinGroup(person_id="bob", group_id="shut", answer=None))
    world.ask(ChangeGroup(person_id="gus", group_id="shut", state="closed"))
    with refused(slug, status):
        say(world, "m", person=person, group_id=group)
    assert world.told.of(MessagePosted) == []
    assert ("messages", "m") not in world.documents


def test_who_comes_back_talks_again(world: World) -> None:
    """Leaving is no ban."""
    world.ask(JoinGroup(person_id="dan", group_id="g", answer=None))
    assert say(world, "m", person="dan").status == 201


@pytest.mark.parametrize("parent", ["none", "elsewhere", "hidden", "gone"])
def test_what_has_no_reply(world: World, parent: str) -> None:
    """A parent is a message of the same group that all can see."""
    say(world, "elsewhere", group_id="h")
    say(world, "hidden")
    verdict(world, "hidden", hidden=True, sequence=1)
    say(world, "gone")
    delete(world, "gone")
    with refused("unknown-message", 404):
        say(world, "m", parent_id=parent)


def test_an_id_that_exists_makes_no_second_message(world: World) -> None:
    """A key that is older than its stored reply is refused and changes nothing."""
    say(world, "m", "first")
    with refused("idempotency-key-reused", 422):
        say(world, "m", "second")
    assert world.get(Message, "m").text == "first"


# -- deleting -----------------------------------------------------------------------------------------------


def test_a_deleted_message_has_lost_its_text(world: World) -> None:
    """The text goes with the command; what is told has ids alone; a second time is no news."""
    say(world, "m")
    assert delete(world, "m") == delete(world, "m") == Reply(status=204, body={})
    kept = world.get(Message, "m")
    assert (kept.text, kept.gone) == ("", True)
    assert world.told.of(MessageDeleted) == [MessageDeleted(message_id="m", group_id="g", author_id="bob")]


def test_a_tombstone_has_a_higher_sequence(world: World) -> None:
    """A reader that hears of the deletion before the message keeps it deleted."""
    say(world, "m")
    delete(world, "m")
    posted, gone = world.records[-2:]
    assert (posted.envelope.subject, gone.envelope.subject) == ("m", "m")
    assert posted.envelope.sequence < gone.envelope.sequence


@pytest.mark.parametrize(
    ("message", "person", "group", "slug", "status"),
    [
        ("none", "bob", "g", "unknown-message", 404),
        ("m", "bob", "h", "unknown-message", 404),
        ("m", "cat", "g", "not-the-author", 403),
        ("m", "gus", "g", "not-the-author", 403),
    ],
)
def test_what_is_not_deleted(world: World, *, message: str, person: str, group: str, slug: str, status: int) -> None:
    """Only its author takes a message away, in the group where it stands."""
    say(world, "m")
    with refused(slug, status):
        delete(world, message, person, group)
    assert world.get(Message, "m").text


def test_who_has_left_still_owns_their_words(world: World) -> None:
    """A former member deletes what they have written."""
    say(world, "m")
    world.ask(LeaveGroup(person_id="bob", group_id="g"))
    assert delete(world, "m").status == 204


def test_a_deleted_question_needs_no_answer(world: World) -> None:
    """Its need is withdrawn with its timer, and a verdict does not bring it back."""
    say(world, "q", QUESTION)
    delete(world, "q")
    assert [e.need_id for e in world.told.of(GroupNeedWithdrawn)] == ["need-q"]
    assert world.timers == []
    verdict(world, "q", hidden=True, sequence=1)
    verdict(world, "q", hidden=False, sequence=2)
    assert world.get(Need, "need-q").state == "withdrawn"
    assert world.told.of(MessageVisibilityChanged) == []


# -- needs --------------------------------------------------------------------------------------------------


def test_a_question_opens_a_need_with_a_timer(world: World) -> None:
    """Somebody who asks is remembered: the need is told with its deadline, the first step."""
    say(world, "q", QUESTION)
    due = START + timedelta(seconds=STEPS[0])
    assert world.told.of(GroupNeedOpened) == [
        GroupNeedOpened(need_id="need-q", group_id="g", message_id="q", asker_id="bob", due_at=due)
    ]
    assert [(timer.id, timer.due) for timer in world.timers] == [("need-q:1", due)]


def test_what_asks_nothing_opens_no_need(world: World) -> None:
    """Chatter sets no timer."""
    say(world, "m")
    say(world, "n", "早安!")
    assert (world.told.of(GroupNeedOpened), world.timers) == ([], [])


def test_a_need_that_nobody_answers_is_escalated_step_by_step(world: World) -> None:
    """Each step fires once at its time after the opening, names the next deadline, and the last one ends it."""
    say(world, "q", QUESTION)
    for step, seconds in enumerate(STEPS, 1):
        world.wait(seconds=(START + timedelta(seconds=seconds) - world.now).total_seconds() - 1)
        assert len(world.told.of(GroupNeedEscalated)) == step - 1
        world.wait(seconds=1)
        assert len(world.told.of(GroupNeedEscalated)) == step
    dues = [START + timedelta(seconds=s) for s in (*STEPS[1:], STEPS[-1])]
    found = [(e.step, e.due_at) for e in world.told.of(GroupNeedEscalated)]
    assert found == list(zip((1, 2, 3), dues, strict=True))
    world.wait(days=30)
    assert len(world.told.of(GroupNeedEscalated)) == 3
    assert world.get(Need, "need-q").state == "open"


def test_a_timer_of_a_step_that_has_passed_does_nothing(world: World) -> None:
    """A reminder that is folded again later, as from a dead letter, escalates nothing a second time."""
    say(world, "q", QUESTION)
    (first,) = world.timers
    world.wait(seconds=STEPS[0])
    world.documents["timers", first.id] = first
    world.wait(seconds=1)
    assert world.outcomes[-1] == "answered"
    assert [e.step for e in world.told.of(GroupNeedEscalated)] == [1]


def test_a_question_without_words_is_not_escalated(world: World) -> None:
    """When its author was erased nobody is called: the need is withdrawn at its time."""
    say(world, "q", QUESTION)
    world.documents["messages", "q"] = replace(world.get(Message, "q"), text="")
    world.wait(seconds=STEPS[0])
    assert world.told.of(GroupNeedEscalated) == []
    assert len(world.told.of(GroupNeedWithdrawn)) == 1
    assert (world.get(Need, "need-q").state, world.timers) == ("withdrawn", [])


def test_a_state_told_again_is_the_state_told_last(world: World) -> None:
    """What a republication makes of messages and needs is what their last state event said, reasons apart."""
    for id_ in ("waits", "late", "answered", "hidden", "gone"):
        say(world, id_, QUESTION)
    say(world, "a", person="cat")
    accept(world, "a", need="answered")
    verdict(world, "hidden", hidden=True, sequence=1)
    delete(world, "gone")
    delete(world, "waits")
    say(world, "waits-2", QUESTION)
    last = {record.envelope.subject: event for record, event in zip(world.records, world.told, strict=True)}
    kept = [document for document in world.documents.values() if isinstance(document, Message | Need)]
    for document in kept:
        told = last[document.id]
        if told.ORDER == "state":
            news = need_news(document, STEPS) if isinstance(document, Need) else message_news(document)
            assert news == told.model_copy(update={"reasons": ()} if "reasons" in type(told).model_fields else {})
    assert {type(last[document.id]) for document in kept} >= {GroupNeedOpened, GroupNeedAnswered, GroupNeedWithdrawn}
    assert {type(last[document.id]) for document in kept} >= {MessageDeleted, MessageVisibilityChanged}


# -- answers ------------------------------------------------------------------------------------------------


def test_the_asker_accepts_an_answer_and_its_writer_rises(world: World) -> None:
    """The need is closed with who helped; the group counts it once and the helper's tier follows."""
    say(world, "q", QUESTION)
    say(world, "a", person="cat", parent_id="q")
    reply = accept(world, "a")
    assert (reply.status, reply.body) == (200, {"need_id": "need-q", "state": "answered", "answer_id": "a"})
    assert world.told.of(GroupNeedAnswered) == [
        GroupNeedAnswered(
            need_id="need-q", group_id="g", message_id="q", asker_id="bob", answer_id="a", helper_id="cat"
        )
    ]
    assert [(e.group_id, e.person_id, e.new) for e in world.told.of(TierChanged)] == [("g", "cat", "contributor")]
    assert world.get(Member, member_id("g", "cat")).answer_accepted == 1
    assert world.get(Member, member_id("h", "cat")).answer_accepted == 0
    world.wait(days=30)
    assert world.told.of(GroupNeedEscalated) == []


def test_the_same_answer_twice_is_one_answer(world: World) -> None:
    """Accepting again what was accepted, even after it was deleted, gives the same reply and counts nothing more."""
    say(world, "q", QUESTION)
    say(world, "a", person="cat")
    first = accept(world, "a")
    assert accept(world, "a") == first
    delete(world, "a", "cat")
    assert accept(world, "a") == first
    assert len(world.told.of(GroupNeedAnswered)) == 1
    assert world.get(Member, member_id("g", "cat")).answer_accepted == 1


def test_an_answer_told_again_counts_once(world: World) -> None:
    """A republication sends the same state under another id: the helper has helped once."""
    say(world, "q", QUESTION)
    say(world, "a", person="cat")
    accept(world, "a")
    (event,) = world.told.of(GroupNeedAnswered)
    assert world.hear(event, 2, "republished") == "known"
    assert world.get(Member, member_id("g", "cat")).answer_accepted == 1


def test_an_acceptance_guards_the_answer(world: World) -> None:
    """Who accepts raises the answer's version: a verdict or a deletion that commits first is seen by a new fold."""
    say(world, "q", QUESTION)
    say(world, "a", person="cat")
    before = world.get(Message, "a").v
    accept(world, "a")
    assert world.get(Message, "a").v == before + 1


def test_the_first_of_two_answers_wins(world: World) -> None:
    """A closed need takes no second answer."""
    say(world, "q", QUESTION)
    say(world, "a", person="cat")
    say(world, "b", person="gus")
    accept(world, "a")
    with refused("need-closed", 409):
        accept(world, "b")
    assert world.get(Need, "need-q").helper_id == "cat"


@pytest.mark.parametrize(
    ("answer", "person", "need", "group", "slug", "status"),
    [
        ("a", "bob", "none", "g", "unknown-need", 404),
        ("a", "bob", "a", "g", "unknown-need", 404),
        ("a", "bob", "q", "h", "unknown-need", 404),
        ("a", "cat", "q", "g", "not-the-asker", 403),
        ("a", "gus", "q", "g", "not-the-asker", 403),
        ("none", "bob", "q", "g", "unknown-message", 404),
        ("elsewhere", "bob", "q", "g", "unknown-message", 404),
        ("hidden", "bob", "q", "g", "unknown-message", 404),
        ("gone", "bob", "q", "g", "unknown-message", 404),
        ("own", "bob", "q", "g", "own-answer", 422),
        ("q", "bob", "q", "g", "own-answer", 422),
    ],
)
def test_what_closes_no_need(
    world: World, *, answer: str, person: str, need: str, group: str, slug: str, status: int
) -> None:
    """Only the asker accepts, only somebody else's visible message of the same group: else nothing is counted."""
    say(world, "q", QUESTION)
    for id_ in ("a", "hidden", "gone"):
        say(world, id_, person="cat")
    say(world, "own")
    say(world, "elsewhere", person="cat", group_id="h")
    verdict(world, "hidden", hidden=True, sequence=1)
    delete(world, "gone", "cat")
    with refused(slug, status):
        accept(world, answer, person, need, group)
    assert world.told.of(GroupNeedAnswered) == []
    assert world.get(Member, member_id("g", "cat")).answer_accepted == 0


def test_who_has_left_may_still_say_thanks(world: World) -> None:
    """The asker accepts after leaving, and a helper who has left keeps what was earned, without a tier told."""
    say(world, "q", QUESTION)
    say(world, "a", person="cat")
    for person in ("bob", "cat"):
        world.ask(LeaveGroup(person_id=person, group_id="g"))
    accept(world, "a")
    assert world.get(Member, member_id("g", "cat")).answer_accepted == 1
    assert world.told.of(TierChanged) == []


# -- verdicts -----------------------------------------------------------------------------------------------


def test_a_verdict_hides_and_restores_a_message(world: World) -> None:
    """Visibility follows the verdicts and is told with the rules that spoke."""
    say(world, "m")
    verdict(world, "m", hidden=True, sequence=1)
    verdict(world, "m", hidden=False, sequence=2)
    found = [(e.message_id, e.hidden, e.reasons) for e in world.told.of(MessageVisibilityChanged)]
    assert found == [("m", True, ("contact",)), ("m", False, ())]


def test_an_older_verdict_is_ignored(world: World) -> None:
    """Of two verdicts the one with the higher sequence holds, whichever comes last; also one that changed nothing."""
    say(world, "m")
    verdict(world, "m", hidden=False, sequence=3)
    assert verdict(world, "m", hidden=True, sequence=2) == "older"
    verdict(world, "m", hidden=True, sequence=5)
    assert verdict(world, "m", hidden=False, sequence=4) == "older"
    assert world.get(Message, "m").hidden
    assert len(world.told.of(MessageVisibilityChanged)) == 1


def test_a_verdict_on_nothing_is_an_outcome(world: World) -> None:
    """A message that is not here, or stands in another group, is nobody's bug and changes nothing."""
    assert verdict(world, "none", hidden=True, sequence=1) == "unknown"
    say(world, "elsewhere", group_id="h")
    assert verdict(world, "elsewhere", hidden=True, sequence=1) == "unknown"
    assert not world.get(Message, "elsewhere").hidden


def test_a_hidden_question_withdraws_its_need_and_a_restored_one_opens_it_again(world: World) -> None:
    """Nobody is reminded of what nobody sees; restored, it waits from now on, from the first step."""
    say(world, "q", QUESTION)
    world.wait(seconds=STEPS[0])
    verdict(world, "q", hidden=True, sequence=1)
    assert [e.need_id for e in world.told.of(GroupNeedWithdrawn)] == ["need-q"]
    assert world.timers == []
    say(world, "a", person="cat")
    with refused("need-closed", 409):
        accept(world, "a")
    verdict(world, "q", hidden=False, sequence=2)
    need, due = world.get(Need, "need-q"), world.now + timedelta(seconds=STEPS[0])
    assert (need.state, need.step, need.opened_at) == ("open", 0, world.now)
    assert [(timer.id, timer.due) for timer in world.timers] == [("need-q:1", due)]
    assert accept(world, "a").status == 200


def test_an_answered_need_stays_answered(world: World) -> None:
    """What was earned is not taken back when the question or the answer is hidden later."""
    say(world, "q", QUESTION)
    say(world, "a", person="cat")
    accept(world, "a")
    for id_ in ("q", "a"):
        verdict(world, id_, hidden=True, sequence=1)
        verdict(world, id_, hidden=False, sequence=2)
    assert world.get(Need, "need-q").state == "answered"
    assert world.told.of(GroupNeedWithdrawn) == []
    assert world.get(Member, member_id("g", "cat")).answer_accepted == 1
