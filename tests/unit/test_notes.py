"""What notes does: comments, needs, answers, advice, verdicts, relays. Each test folds real inputs."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from services.notes.core import MAX_DEPTH, Comment, GroupCard, Need, Note, need_id, relay_id
from services.notes.handlers import router
from services.notes.handlers.commands import AcceptAnswer, PostComment, PostNote, RelayNote, TakeAdvice
from services.notes.settings import Settings
from shared.contracts.groups import Charter, GroupChanged, GroupOpened
from shared.contracts.moderation import ContentJudged, ContentKind, VerdictReason
from shared.contracts.notes import (
    AdviceTaken,
    CommentPosted,
    CommentVisibilityChanged,
    NeedAnswered,
    NeedEscalated,
    NeedOpened,
    NeedWithdrawn,
    NotePosted,
    NoteRelayed,
    NoteVisibilityChanged,
)
from shared.flow.router import Reply
from tests.unit.support import START, World, refused

STEPS = (3_600, 7_200, 14_400)
SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", need_steps=STEPS)
QUESTION = "请问周日下午需要预约吗?"
ANSWER = "不用, 直接去就行."
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")


@pytest.fixture
def world() -> World:
    """A note of ann's."""
    made = World(router(SETTINGS))
    note(made)
    return made


def note(world: World, id_: str = "n", person: str = "ann") -> Reply:
    command = PostNote(person_id=person, note_id=id_, title="t", text="x", topic=None, place=None, intent="asks")
    return world.ask(command)


def comment(world: World, id_: str, text: str = ANSWER, person: str = "bob", parent: str | None = None) -> Reply:
    """A comment under the note, and what notes makes of it."""
    reply = world.ask(PostComment(person_id=person, comment_id=id_, note_id="n", text=text, parent_id=parent))
    world.settle()
    return reply


def verdict(world: World, id_: str, *, hidden: bool, sequence: int, kind: ContentKind = "comment") -> str:
    """What moderation says, and what notes makes of it; the outcome."""
    judged = ContentJudged(
        content_id=id_,
        kind=kind,
        note_id="n",
        author_id="bob",
        hidden=hidden,
        score=1.5 if hidden else 0.0,
        reasons=(VerdictReason(rule="contact", weight=1.5, start=0, end=2),) if hidden else (),
        rules="1",
    )
    outcome = world.hear(judged, sequence)
    world.settle()
    return outcome


def accept(world: World, answer: str, person: str = "bob", need: str = "q") -> Reply:
    reply = world.ask(AcceptAnswer(person_id=person, need_id=need_id(need), comment_id=answer))
    world.settle()
    return reply


def group(world: World, id_: str = "g", owner: str = "gus") -> None:
    world.hear(GroupOpened(group_id=id_, owner_id=owner, name="G", charter=CHARTER, seats=3))


def relay(world: World, person: str = "ann", group_id: str = "g", *, staff: bool = False, note_id: str = "n") -> Reply:
    reply = world.ask(RelayNote(person_id=person, note_id=note_id, group_id=group_id, any_note=staff))
    world.settle()
    return reply


# -- notes and comments -------------------------------------------------------------------------------------


def test_a_note_is_kept_and_told(world: World) -> None:
    """A posted note stands as it was written and is told once, with all that a subscriber needs."""
    kept = world.get(Note, "n")
    assert (kept.author_id, kept.title, kept.text, kept.created_at) == ("ann", "t", "x", START)
    assert world.told.of(NotePosted) == [NotePosted(note_id="n", author_id="ann", title="t", text="x", intent="asks")]


def test_an_id_that_exists_makes_no_second_note(world: World) -> None:
    """A key that is older than its stored reply is refused and writes nothing."""
    with refused("idempotency-key-reused", 422):
        note(world, person="eve")
    assert world.get(Note, "n").author_id == "ann"
    assert len(world.records) == 1


def test_a_comment_is_counted_once_it_was_heard(world: World) -> None:
    """The note's lane counts a comment, and the comment is told with its note's author."""
    comment(world, "c")
    assert world.get(Note, "n").comments == 1
    assert world.told.of(CommentPosted) == [
        CommentPosted(comment_id="c", note_id="n", author_id="bob", note_author_id="ann", text=ANSWER)
    ]


def test_the_same_event_twice_counts_once(world: World) -> None:
    """A double on the wire changes nothing."""
    comment(world, "c", QUESTION)
    posted = world.told.of(CommentPosted)[0]
    id_ = next(r.envelope.id for r in world.records if r.envelope.type == CommentPosted.TYPE)
    before = world.state()
    assert world.hear(posted, id_=id_) == "double"
    assert world.state() == before


def test_an_id_that_exists_makes_no_second_comment(world: World) -> None:
    """A comment's id is given once."""
    comment(world, "c")
    with refused("idempotency-key-reused", 422):
        comment(world, "c", "another", "eve")
    assert world.get(Comment, "c").author_id == "bob"


def test_nobody_comments_on_an_unknown_note(world: World) -> None:
    """A comment needs its note."""
    with refused("unknown-note", 404):
        world.ask(PostComment(person_id="bob", comment_id="c", note_id="none", text="x", parent_id=None))


def test_nobody_comments_on_a_hidden_note(world: World) -> None:
    """A hidden note is, for a comment, not there."""
    verdict(world, "n", hidden=True, sequence=1, kind="note")
    with refused("unknown-note", 404):
        comment(world, "c")


@pytest.mark.parametrize("parent", ["none", "hidden", "elsewhere"])
def test_a_reply_needs_a_comment_of_the_same_note(world: World, parent: str) -> None:
    """The parent is a visible comment of the note that is commented on."""
    note(world, "m")
    comment(world, "hidden")
    verdict(world, "hidden", hidden=True, sequence=1)
    world.ask(PostComment(person_id="bob", comment_id="elsewhere", note_id="m", text="x", parent_id=None))
    with refused("unknown-comment", 404):
        comment(world, "c", parent=parent)


def test_a_tree_of_comments_has_a_depth(world: World) -> None:
    """Replies nest to a limit and no deeper."""
    comment(world, "c0")
    for depth in range(1, MAX_DEPTH):
        comment(world, f"c{depth}", parent=f"c{depth - 1}")
    with refused("too-deep-a-reply", 422):
        comment(world, "deep", parent=f"c{MAX_DEPTH - 1}")


# -- needs --------------------------------------------------------------------------------------------------


def test_a_question_opens_a_need(world: World) -> None:
    """A question makes a need with a due time, a timer for its first step, and the news of it."""
    comment(world, "q", QUESTION)
    due = START + timedelta(seconds=STEPS[0])
    assert world.told.of(NeedOpened) == [
        NeedOpened(need_id="need-q", note_id="n", comment_id="q", asker_id="bob", due_at=due)
    ]
    assert [(timer.due, timer.lane.partition(":")[0]) for timer in world.timers] == [(due, "note")]
    assert world.get(Note, "n").needs == 1


def test_what_asks_nothing_opens_no_need(world: World) -> None:
    """An ordinary comment leaves needs and timers alone."""
    comment(world, "c", ANSWER)
    assert world.told.of(NeedOpened) == []
    assert (world.timers, world.get(Note, "n").needs) == ([], 0)


def test_a_need_that_nobody_answers_is_escalated_step_by_step(world: World) -> None:
    """Each step fires once at its time after the opening, names the next deadline, and the last one ends it."""
    comment(world, "q", QUESTION)
    for step, seconds in enumerate(STEPS, 1):
        world.wait(seconds=(START + timedelta(seconds=seconds) - world.now).total_seconds() - 1)
        assert len(world.told.of(NeedEscalated)) == step - 1
        world.wait(seconds=1)
        assert len(world.told.of(NeedEscalated)) == step
    dues = [START + timedelta(seconds=s) for s in (*STEPS[1:], STEPS[-1])]
    assert [(e.step, e.due_at) for e in world.told.of(NeedEscalated)] == list(zip((1, 2, 3), dues, strict=True))
    world.wait(days=30)
    assert (world.timers, len(world.told.of(NeedEscalated))) == ([], 3)
    assert world.get(Need, "need-q").state == "open"


def test_an_answered_need_is_not_escalated(world: World) -> None:
    """Acceptance takes the timer back."""
    comment(world, "q", QUESTION)
    comment(world, "a", person="cat")
    accept(world, "a")
    assert world.timers == []
    world.wait(days=30)
    assert world.told.of(NeedEscalated) == []


def test_a_timer_of_a_step_that_has_passed_does_nothing(world: World) -> None:
    """A reminder that is folded again later, as from a dead letter, escalates nothing a second time."""
    comment(world, "q", QUESTION)
    (first,) = world.timers
    world.wait(seconds=STEPS[0])
    before = world.state()
    world.documents["timers", first.id] = first
    world.wait(seconds=1)
    assert world.outcomes[-1] == "answered"
    assert world.state() == before
    assert [e.step for e in world.told.of(NeedEscalated)] == [1]


def test_an_answer_after_an_escalation_still_counts(world: World) -> None:
    """Escalation keeps the need open; acceptance then takes the next step's timer back."""
    comment(world, "q", QUESTION)
    comment(world, "a", person="cat")
    world.wait(seconds=STEPS[0])
    accept(world, "a")
    world.wait(days=30)
    assert [e.step for e in world.told.of(NeedEscalated)] == [1]
    assert world.get(Need, "need-q").state == "answered"


# -- answers ------------------------------------------------------------------------------------------------


def test_the_asker_closes_a_need_with_an_answer(world: World) -> None:
    """The answer and its writer stand on the need, the note counts it, and it is told who has helped."""
    comment(world, "q", QUESTION)
    comment(world, "a", person="cat")
    reply = accept(world, "a")
    assert (reply.status, reply.body["state"], reply.body["answer_id"]) == (200, "answered", "a")
    assert world.told.of(NeedAnswered) == [
        NeedAnswered(need_id="need-q", note_id="n", comment_id="q", asker_id="bob", answer_id="a", helper_id="cat")
    ]
    assert world.get(Note, "n").needs_answered == 1


def test_an_acceptance_guards_the_answer(world: World) -> None:
    """The answer's version goes up with the acceptance: a verdict on it that commits meanwhile is a conflict."""
    comment(world, "q", QUESTION)
    comment(world, "a", person="cat")
    before = world.get(Comment, "a")
    accept(world, "a")
    assert world.get(Comment, "a") == replace(before, v=before.v + 1)


def test_the_same_answer_twice_is_one_answer(world: World) -> None:
    """Accepting again what was accepted gives the same reply and no second event."""
    comment(world, "q", QUESTION)
    comment(world, "a", person="cat")
    assert accept(world, "a") == accept(world, "a")
    assert len(world.told.of(NeedAnswered)) == 1
    assert world.get(Note, "n").needs_answered == 1


def test_another_answer_comes_too_late(world: World) -> None:
    """A closed need takes no second answer."""
    comment(world, "q", QUESTION)
    comment(world, "a", person="cat")
    comment(world, "b", person="dan")
    accept(world, "a")
    with refused("need-closed", 409):
        accept(world, "b")
    assert world.get(Need, "need-q").answer_id == "a"


@pytest.mark.parametrize(
    ("answer", "person", "need", "slug", "status"),
    [
        ("a", "bob", "none", "unknown-need", 404),
        ("a", "cat", "q", "not-the-asker", 403),
        ("a", "ann", "q", "not-the-asker", 403),
        ("none", "bob", "q", "unknown-comment", 404),
        ("elsewhere", "bob", "q", "unknown-comment", 404),
        ("hidden", "bob", "q", "unknown-comment", 404),
        ("own", "bob", "q", "own-answer", 422),
        ("q", "bob", "q", "own-answer", 422),
    ],
)
def test_what_closes_no_need(world: World, *, answer: str, person: str, need: str, slug: str, status: int) -> None:
    """Only the asker closes a need, with somebody else's visible comment of the same note."""
    comment(world, "q", QUESTION)
    comment(world, "a", person="cat")
    comment(world, "own")
    comment(world, "hidden", person="cat")
    verdict(world, "hidden", hidden=True, sequence=1)
    note(world, "m")
    world.ask(PostComment(person_id="cat", comment_id="elsewhere", note_id="m", text="x", parent_id=None))
    with refused(slug, status):
        accept(world, answer, person, need)
    assert world.told.of(NeedAnswered) == []


# -- advice -------------------------------------------------------------------------------------------------


def test_advice_is_taken_once(world: World) -> None:
    """The author's second click changes nothing: one event, one count."""
    comment(world, "c")
    replies = [world.ask(TakeAdvice(person_id="ann", comment_id="c")) for _ in range(2)]
    world.settle()
    assert [(r.status, r.body["advice"]) for r in replies] == [(200, True)] * 2
    assert world.told.of(AdviceTaken) == [AdviceTaken(comment_id="c", note_id="n", author_id="ann", adviser_id="bob")]
    assert (world.get(Comment, "c").advice, world.get(Note, "n").advice) == (True, 1)


@pytest.mark.parametrize(
    ("comment_id", "person", "slug", "status"),
    [
        ("none", "ann", "unknown-comment", 404),
        ("hidden", "ann", "unknown-comment", 404),
        ("c", "bob", "not-the-author", 403),
        ("own", "ann", "own-advice", 422),
    ],
)
def test_what_is_no_advice(world: World, comment_id: str, person: str, slug: str, status: int) -> None:
    """Only the note's author takes advice, and only what somebody else said where it is seen."""
    comment(world, "c")
    comment(world, "own", person="ann")
    comment(world, "hidden")
    verdict(world, "hidden", hidden=True, sequence=1)
    with refused(slug, status):
        world.ask(TakeAdvice(person_id=person, comment_id=comment_id))
    assert world.told.of(AdviceTaken) == []


# -- verdicts -----------------------------------------------------------------------------------------------


def test_a_verdict_hides_a_comment(world: World) -> None:
    """A hidden comment is told with the rules that spoke, and leaves the count of those seen."""
    comment(world, "c")
    verdict(world, "c", hidden=True, sequence=1)
    assert world.told.of(CommentVisibilityChanged) == [
        CommentVisibilityChanged(comment_id="c", note_id="n", author_id="bob", hidden=True, reasons=("contact",))
    ]
    kept = world.get(Note, "n")
    assert (kept.comments, kept.hidden_comments) == (1, 1)


def test_a_verdict_restores_a_comment(world: World) -> None:
    """A later verdict takes the first one back, count and all."""
    comment(world, "c")
    verdict(world, "c", hidden=True, sequence=1)
    verdict(world, "c", hidden=False, sequence=2)
    assert [e.hidden for e in world.told.of(CommentVisibilityChanged)] == [True, False]
    assert world.get(Note, "n").hidden_comments == 0


@pytest.mark.parametrize("kind", ["note", "comment"])
def test_an_older_verdict_is_ignored(world: World, kind: ContentKind) -> None:
    """Of two verdicts the one with the higher sequence holds, whichever comes last."""
    comment(world, "c")
    id_ = {"note": "n", "comment": "c"}[kind]
    verdict(world, id_, hidden=True, sequence=5, kind=kind)
    assert verdict(world, id_, hidden=False, sequence=4, kind=kind) == "older"
    assert verdict(world, id_, hidden=False, sequence=5, kind=kind) == "older"
    assert (world.get(Note, "n") if kind == "note" else world.get(Comment, "c")).hidden


def test_a_verdict_that_changes_nothing_is_not_told(world: World) -> None:
    """Only what others will see differently is an event; the sequence is kept all the same."""
    comment(world, "c")
    verdict(world, "c", hidden=False, sequence=3)
    verdict(world, "n", hidden=False, sequence=3, kind="note")
    assert world.told.of(CommentVisibilityChanged) == []
    assert world.told.of(NoteVisibilityChanged) == []
    assert verdict(world, "c", hidden=True, sequence=2) == "older"


def test_a_verdict_hides_and_restores_a_note(world: World) -> None:
    """A note's visibility follows its verdicts and is told with reasons."""
    verdict(world, "n", hidden=True, sequence=1, kind="note")
    verdict(world, "n", hidden=False, sequence=2, kind="note")
    assert [(e.hidden, e.reasons) for e in world.told.of(NoteVisibilityChanged)] == [(True, ("contact",)), (False, ())]


def test_a_hidden_question_withdraws_its_need(world: World) -> None:
    """Nobody is reminded of a question that nobody sees."""
    comment(world, "q", QUESTION)
    verdict(world, "q", hidden=True, sequence=1)
    assert world.told.of(NeedWithdrawn) == [
        NeedWithdrawn(need_id="need-q", note_id="n", comment_id="q", asker_id="bob")
    ]
    assert (world.timers, world.get(Note, "n").needs) == ([], 0)
    comment(world, "a", person="cat")
    with refused("need-closed", 409):
        accept(world, "a")


def test_a_restored_question_opens_its_need_again(world: World) -> None:
    """The need begins anew: due from now, first step, counted once."""
    comment(world, "q", QUESTION)
    world.wait(seconds=STEPS[0])
    verdict(world, "q", hidden=True, sequence=1)
    world.wait(days=2)
    verdict(world, "q", hidden=False, sequence=2)
    need = world.get(Need, "need-q")
    assert (need.state, need.step, need.opened_at) == ("open", 0, world.now)
    assert world.get(Note, "n").needs == 1
    assert world.told.of(NeedOpened)[-1].due_at == world.now + timedelta(seconds=STEPS[0])
    world.wait(seconds=STEPS[0])
    assert [e.step for e in world.told.of(NeedEscalated)] == [1, 1]


def test_an_answered_need_outlives_its_question(world: World) -> None:
    """What was answered is neither withdrawn nor opened again by later verdicts."""
    comment(world, "q", QUESTION)
    comment(world, "a", person="cat")
    accept(world, "a")
    verdict(world, "q", hidden=True, sequence=1)
    verdict(world, "q", hidden=False, sequence=2)
    assert world.get(Need, "need-q").state == "answered"
    assert (world.told.of(NeedWithdrawn), len(world.told.of(NeedOpened))) == ([], 1)
    assert (world.get(Note, "n").needs, world.timers) == (1, [])


def test_a_verdict_may_come_before_the_comment_is_counted(world: World) -> None:
    """A question hidden before its own event was folded opens no need, and the counts agree in the end."""
    world.ask(PostComment(person_id="bob", comment_id="q", note_id="n", text=QUESTION, parent_id=None))
    world.hear(
        ContentJudged(
            content_id="q", kind="comment", note_id="n", author_id="bob", hidden=True, score=1, reasons=(), rules="1"
        )
    )
    world.settle()
    kept = world.get(Note, "n")
    assert (kept.comments, kept.hidden_comments, kept.needs) == (1, 1, 0)
    assert (world.told.of(NeedOpened), world.timers) == ([], [])


def test_hidden_and_restored_before_it_was_counted(world: World) -> None:
    """Two verdicts before the comment's own event open one need, counted once."""
    world.ask(PostComment(person_id="bob", comment_id="q", note_id="n", text=QUESTION, parent_id=None))
    for sequence, hidden in enumerate((True, False), 1):
        world.hear(
            ContentJudged(
                content_id="q",
                kind="comment",
                note_id="n",
                author_id="b",
                hidden=hidden,
                score=1,
                reasons=(),
                rules="1",
            ),
            sequence,
        )
    world.settle()
    kept = world.get(Note, "n")
    assert (kept.comments, kept.hidden_comments, kept.needs) == (1, 0, 1)
    assert len(world.told.of(NeedOpened)) == len(world.timers) == 1


def test_a_verdict_on_what_is_not_known_is_an_outcome(world: World) -> None:
    """A verdict on an unknown note or comment is counted, and is no dead letter."""
    assert verdict(world, "none", hidden=True, sequence=1) == "unknown"
    world.documents.clear()
    assert verdict(world, "n", hidden=True, sequence=1, kind="note") == "unknown"


# -- relays -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("person", "staff"), [("ann", False), ("gus", False), ("eve", True)])
def test_who_may_relay_a_note(world: World, person: str, staff: bool) -> None:
    """The note's author, the group's owner and staff hand a note over: 201, told with who did it."""
    group(world)
    assert relay(world, person, staff=staff).status == 201
    assert world.told.of(NoteRelayed) == [NoteRelayed(note_id="n", group_id="g", by_id=person)]
    assert world.get(Note, "n").groups == ("g",)


def test_nobody_else_relays_a_note(world: World) -> None:
    """A reader has no right to hand over what others wrote."""
    group(world)
    with refused("not-yours-to-relay", 403):
        relay(world, "bob")
    assert world.told.of(NoteRelayed) == []


def test_a_pair_of_note_and_group_is_relayed_once(world: World) -> None:
    """The second relay of a pair answers 200 and tells nothing, whoever asks."""
    group(world)
    assert [relay(world, p).status for p in ("ann", "ann", "gus")] == [201, 200, 200]
    assert len(world.told.of(NoteRelayed)) == 1


def test_a_note_is_relayed_to_several_groups(world: World) -> None:
    """Each group is a pair of its own."""
    group(world)
    group(world, "h")
    assert [relay(world, group_id=id_).status for id_ in ("g", "h")] == [201, 201]
    assert world.get(Note, "n").groups == ("g", "h")
    assert {("relays", relay_id("n", g)) for g in ("g", "h")} <= world.documents.keys()


def test_a_closed_group_takes_no_note(world: World) -> None:
    """A relay to a group that is closed is refused until it opens again."""
    group(world)
    world.hear(GroupChanged(group_id="g", state="closed", seats=3, members=1), 2)
    with refused("group-closed", 409):
        relay(world)
    world.hear(GroupChanged(group_id="g", state="open", seats=3, members=1), 3)
    assert relay(world).status == 201


def test_a_closed_group_keeps_the_notes_it_has(world: World) -> None:
    """A pair that was relayed before is answered with 200, also when the group has closed since."""
    group(world)
    assert relay(world).status == 201
    world.hear(GroupChanged(group_id="g", state="closed", seats=3, members=1), 2)
    assert relay(world).status == 200


@pytest.mark.parametrize(
    ("note_id", "group_id", "slug"), [("none", "g", "unknown-note"), ("n", "none", "unknown-group")]
)
def test_a_relay_needs_both_ends(world: World, note_id: str, group_id: str, slug: str) -> None:
    """An unknown note or group is a 404, also for staff."""
    group(world)
    with refused(slug, 404):
        relay(world, staff=True, note_id=note_id, group_id=group_id)


def test_a_hidden_note_is_not_relayed(world: World) -> None:
    """What was hidden travels no further."""
    group(world)
    verdict(world, "n", hidden=True, sequence=1, kind="note")
    with refused("unknown-note", 404):
        relay(world)


def test_a_group_that_only_changed_is_not_known_yet(world: World) -> None:
    """Before its opening was heard of, a group has no owner and takes no notes."""
    world.hear(GroupChanged(group_id="g", state="open", seats=3, members=1), 2)
    with refused("unknown-group", 404):
        relay(world)
    group(world)
    assert relay(world).status == 201


# -- what is known of groups --------------------------------------------------------------------------------


def test_the_higher_sequence_holds_for_a_group(world: World) -> None:
    """Changes of a group may come in any order, also before its opening; the newest one stands."""
    world.hear(GroupChanged(group_id="g", state="closed", seats=9, members=4), 7)
    group(world)
    assert world.hear(GroupChanged(group_id="g", state="open", seats=3, members=1), 2) == "older"
    card = world.get(GroupCard, "g")
    assert (card.owner_id, card.state, card.seats, card.members, card.sequence) == ("gus", "closed", 9, 4, 7)


def test_an_event_of_a_note_that_is_not_there_is_an_outcome(world: World) -> None:
    """Counting events for an unknown note are outcomes, not dead letters, and leave nothing behind."""
    events = [
        CommentPosted(comment_id="c", note_id="z", author_id="b", note_author_id="a", text="x"),
        NeedAnswered(need_id="d", note_id="z", comment_id="c", asker_id="a", answer_id="b", helper_id="h"),
        AdviceTaken(comment_id="c", note_id="z", author_id="a", adviser_id="b"),
        NoteRelayed(note_id="z", group_id="g", by_id="a"),
    ]
    before = world.state()
    assert [world.hear(event) for event in events] == ["unknown"] * 4
    assert world.state() == before


@pytest.mark.parametrize("steps", [(), (0,), (60, 60), (60, 30), (1,) * 11])
def test_steps_of_escalation_ascend(steps: tuple[int, ...]) -> None:
    """Settings whose steps would fire at once, twice or backwards end the start, not the night."""
    with pytest.raises(ValidationError):
        Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", need_steps=steps)
