"""What groups does: charters, the door, seats, help and tiers. Each test folds real inputs."""

from datetime import timedelta
from typing import Literal

import pytest
from pydantic import ValidationError

from services.groups import core
from services.groups.api.group import NewCharter, NewGroup
from services.groups.core import Answer, Charter, Gate, Group, Member, Question, RelayedNote, member_id
from services.groups.handlers import ChangeGroup, JoinGroup, LeaveGroup, OpenGroup, router
from services.groups.settings import Settings, TierRule
from shared.contracts.groups import ContributionMade, GroupChanged, GroupOpened, MemberJoined, MemberLeft, TierChanged
from shared.contracts.notes import AdviceTaken, CommentPosted, NeedAnswered, NoteRelayed
from shared.flow.router import Reply
from tests.unit.support import START, World, refused

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
QUESTION = Question("place", "你最常去哪一带?")
ASKS = Gate((QUESTION,), Answer("place", ("老城区", "Old Town")))
OPEN = Gate()


@pytest.fixture
def world() -> World:
    """Group g of gus, with three seats and no question."""
    made = World(router(SETTINGS))
    found(made)
    return made


def found(world: World, id_: str = "g", seats: int = 3, gate: Gate = OPEN) -> Reply:
    command = OpenGroup(person_id="gus", group_id=id_, name="G", charter=CHARTER, seats=seats, gate=gate)
    return world.ask(command)


def join(world: World, person: str, answer: str | None = None, group: str = "g") -> Reply:
    reply = world.ask(JoinGroup(person_id=person, group_id=group, answer=answer))
    world.settle()
    return reply


def leave(world: World, person: str, group: str = "g") -> Reply:
    return world.ask(LeaveGroup(person_id=person, group_id=group))


def change(world: World, state: Literal["open", "closed"], person: str = "gus", group: str = "g") -> Reply:
    return world.ask(ChangeGroup(person_id=person, group_id=group, state=state))


def answered(world: World, person: str, need: str, note: str = "n") -> None:
    """A need of the note was closed with this person's answer."""
    event = NeedAnswered(need_id=need, note_id=note, comment_id="q", asker_id="bob", answer_id="a", helper_id=person)
    world.hear(event)
    world.settle()


def advised(world: World, person: str, comment: str, note: str = "n") -> None:
    """The note's author took this person's advice."""
    world.hear(AdviceTaken(comment_id=comment, note_id=note, author_id="ann", adviser_id=person))
    world.settle()


def relayed(world: World, group: str = "g", note: str = "n") -> None:
    world.hear(NoteRelayed(note_id=note, group_id=group, by_id="ann"))
    world.settle()


def member(world: World, person: str, group: str = "g") -> Member:
    return world.get(Member, member_id(group, person))


# -- founding -----------------------------------------------------------------------------------------------


def test_a_group_is_kept_and_told(world: World) -> None:
    """A founded group stands open with all its seats free, and is told with its charter, not with its answers."""
    group = world.get(Group, "g")
    assert (group.owner_id, group.charter, group.state, group.members) == ("gus", CHARTER, "open", 0)
    (event,) = world.told
    assert isinstance(event, GroupOpened)
    assert (event.owner_id, event.seats, event.charter.purpose, event.charter.exit) == ("gus", 3, "p", "e")


@pytest.mark.parametrize("part", core.CHARTER_PARTS)
@pytest.mark.parametrize("given", [None, "", "   "])
def test_a_charter_without_a_part_is_refused(part: str, given: str | None) -> None:
    """Each of the six parts must be there and say something; the refusal names the one that is missing."""
    charter = {name: "x" for name in core.CHARTER_PARTS if name != part} | ({} if given is None else {part: given})
    with pytest.raises(ValidationError) as error:
        NewGroup.model_validate({"name": "G", "seats": 3, "charter": charter})
    assert [fault["loc"] for fault in error.value.errors()] == [("charter", part)]


def test_all_missing_parts_are_named_at_once() -> None:
    """A founder who has written nothing learns of all six parts in one refusal."""
    with pytest.raises(ValidationError) as error:
        NewCharter.model_validate({})
    assert {fault["loc"][0] for fault in error.value.errors()} == set(core.CHARTER_PARTS)


def test_the_charter_has_six_parts() -> None:
    """Purpose, audience, rules, rewards, service, exit: in the state, at the edge and in the event alike."""
    parts = ("purpose", "audience", "rules", "rewards", "service", "exit")
    assert core.CHARTER_PARTS == parts == Charter.__struct_fields__ == tuple(NewCharter.model_fields)


@pytest.mark.parametrize("accepted", [[], [""], ["  "], ["x" * 201], ["x"] * 21])
def test_a_question_has_answers_that_can_be_given(accepted: list[str]) -> None:
    """At least one accepted answer, none empty, none longer than an answer may be."""
    group = {"name": "G", "seats": 3, "charter": dict.fromkeys(core.CHARTER_PARTS, "x")}
    with pytest.raises(ValidationError):
        NewGroup.model_validate({**group, "question": {"text": "?", "accepted": accepted}})


def test_an_id_that_exists_founds_no_second_group(world: World) -> None:
    """A key that is older than its stored reply is refused and writes nothing."""
    with refused("idempotency-key-reused", 422):
        found(world, seats=99)
    assert world.get(Group, "g").seats == 3


# -- the door -----------------------------------------------------------------------------------------------


def test_a_person_takes_a_seat(world: World) -> None:
    """Joining answers 201 with the lowest tier; the member and the seats left are told."""
    reply = join(world, "bob")
    assert (reply.status, reply.body) == (201, {"group_id": "g", "person_id": "bob", "tier": "newcomer"})
    assert world.told.of(MemberJoined) == [MemberJoined(group_id="g", person_id="bob", tier="newcomer")]
    assert world.told.of(GroupChanged) == [GroupChanged(group_id="g", state="open", seats=3, members=1)]
    assert member(world, "bob").joined_at == START


@pytest.mark.parametrize("answer", ["老城区", "old town", " OLD  TOWN ", "Ｏｌｄ Ｔｏｗｎ"])
def test_an_accepted_answer_opens_the_door(world: World, answer: str) -> None:
    """Width, case and outer space of an answer do not matter."""
    found(world, "h", gate=ASKS)
    assert join(world, "bob", answer, "h").status == 201


def test_no_answer_does_not(world: World) -> None:
    """A missing answer is a 403 that repeats the question, not the answers; nothing is kept of it."""
    found(world, "h", gate=ASKS)
    with refused("wrong-answer", 403) as error:
        join(world, "bob", group="h")
    told = {"kind": "answer", "question": "place", "text": QUESTION.text}
    assert error.value.extra == {"question": QUESTION.text, "reasons": [told]}
    assert error.value.title == "Wrong answer"
    assert join(world, "bob", "老城区", "h").status == 201


@pytest.mark.parametrize("answer", ["新区", "old", "老城区 old town"])
def test_a_wrong_answer_has_to_wait(world: World, answer: str) -> None:
    """A wrong answer is a 403 with the date of the next try; until then the right one is refused, then it is taken."""
    found(world, "h", gate=ASKS)
    reply = join(world, "bob", answer, "h")
    until = START + timedelta(seconds=SETTINGS.retry_seconds)
    assert (reply.status, reply.body["type"], reply.body["retry_at"]) == (403, "wrong-answer", until.isoformat())
    assert not any(text in str(reply.body) for text in ("老城区", "Old Town"))
    with refused("too-early", 403) as error:
        join(world, "bob", "老城区", "h")
    assert error.value.extra == {"reasons": [{"kind": "wrong-answer"}], "retry_at": until.isoformat()}
    assert world.get(Group, "h").members == 0
    world.wait(seconds=SETTINGS.retry_seconds)
    assert join(world, "bob", "老城区", "h").status == 201


def test_an_answer_to_no_question_is_an_error(world: World) -> None:
    """Where nothing was asked an answer is the caller's mistake, and no seat is taken."""
    with refused("no-question", 422):
        join(world, "bob", "老城区")
    assert world.get(Group, "g").members == 0


def test_a_closed_group_takes_nobody(world: World) -> None:
    """A closed door is a 403 until the owner opens it again."""
    change(world, "closed")
    with refused("group-closed", 403):
        join(world, "bob")
    change(world, "open")
    assert join(world, "bob").status == 201


def test_nobody_joins_twice(world: World) -> None:
    """A member holds one seat."""
    join(world, "bob")
    with refused("already-a-member", 409):
        join(world, "bob")
    assert world.get(Group, "g").members == 1


def test_leaving_frees_the_seat(world: World) -> None:
    """A full group has room again when somebody leaves, and both are told."""
    found(world, "h", seats=1)
    join(world, "bob", group="h")
    assert leave(world, "bob", "h").status == 204
    assert world.told.of(MemberLeft) == [MemberLeft(group_id="h", person_id="bob")]
    assert [e.members for e in world.told.of(GroupChanged)] == [1, 0]
    assert join(world, "cat", group="h").status == 201


@pytest.mark.parametrize("person", ["eve", "left", "guest"])
def test_who_is_not_in_cannot_leave(world: World, person: str) -> None:
    """A stranger, a former member and a guest hold no seat to give back."""
    join(world, "left")
    leave(world, "left")
    relayed(world)
    answered(world, "guest", "d")
    with refused("not-a-member", 404):
        leave(world, person)
    assert world.get(Group, "g").members == 0


def test_an_unknown_group_is_a_404(world: World) -> None:
    """Nobody joins, leaves or closes what is not there."""
    with refused("unknown-group", 404):
        join(world, "bob", group="x")
    with refused("unknown-group", 404):
        leave(world, "bob", "x")
    with refused("unknown-group", 404):
        change(world, "open", group="x")


def test_only_the_owner_opens_and_closes(world: World) -> None:
    """A member has no say over the door."""
    join(world, "bob")
    with refused("not-the-owner", 403):
        change(world, "closed", "bob")
    assert world.get(Group, "g").state == "open"


def test_closing_what_is_closed_is_no_news(world: World) -> None:
    """The same state again answers 200 and tells nothing."""
    assert [change(world, "closed").status for _ in range(2)] == [200, 200]
    assert [e.state for e in world.told.of(GroupChanged)] == ["closed"]


# -- help and tiers -----------------------------------------------------------------------------------------


def test_help_in_a_relayed_note_counts(world: World) -> None:
    """An accepted answer in a note of the group makes one contribution, and the member rises with the reason."""
    join(world, "cat")
    relayed(world)
    answered(world, "cat", "d")
    assert world.told.of(ContributionMade) == [
        ContributionMade(group_id="g", person_id="cat", note_id="n", source_id="d", kind="answer_accepted")
    ]
    assert world.told.of(TierChanged) == [
        TierChanged(
            group_id="g",
            person_id="cat",
            old="newcomer",
            new="contributor",
            reasons=("answer_accepted+advice_taken>=1",),
        )
    ]


def test_help_before_the_relay_counts_as_well(world: World) -> None:
    """What was given before the note came to the group counts when it comes, and once."""
    join(world, "cat")
    answered(world, "cat", "d")
    assert world.told.of(ContributionMade) == []
    relayed(world)
    assert len(world.told.of(ContributionMade)) == len(world.told.of(TierChanged)) == 1


def test_the_same_help_or_relay_twice_counts_once(world: World) -> None:
    """Two events of one help, or of one relay, make one contribution."""
    join(world, "cat")
    for _ in range(2):
        answered(world, "cat", "d")
        relayed(world)
        advised(world, "cat", "c")
    assert len(world.told.of(ContributionMade)) == 2
    assert (member(world, "cat").answer_accepted, member(world, "cat").advice_taken) == (1, 1)


def test_help_counts_in_every_group_of_the_note(world: World) -> None:
    """A note in two groups makes a contribution in each."""
    found(world, "h")
    relayed(world)
    relayed(world, "h")
    advised(world, "cat", "c")
    assert [(e.group_id, e.kind) for e in world.told.of(ContributionMade)] == [
        ("g", "advice_taken"),
        ("h", "advice_taken"),
    ]


def test_help_elsewhere_counts_nowhere(world: World) -> None:
    """Help in a note that no group has taken over is remembered and counts for nobody."""
    join(world, "cat")
    answered(world, "cat", "d", note="elsewhere")
    relayed(world)
    assert world.told.of(ContributionMade) == []
    assert len(world.get(RelayedNote, "elsewhere").helps) == 1


def test_tiers_follow_the_sum_of_contributions(world: World) -> None:
    """One useful thing makes a contributor, three a mainstay, whichever kinds they are."""
    join(world, "cat")
    relayed(world)
    for act, id_ in ((answered, "d1"), (advised, "c1"), (answered, "d2"), (answered, "d3")):
        act(world, "cat", id_)
    assert [(e.old, e.new, e.reasons) for e in world.told.of(TierChanged)] == [
        ("newcomer", "contributor", ("answer_accepted+advice_taken>=1",)),
        ("contributor", "mainstay", ("answer_accepted+advice_taken>=3",)),
    ]


def test_a_guests_help_counts_on_the_day_of_joining(world: World) -> None:
    """A guest has no tier that changes; joining gives the one that was earned."""
    relayed(world)
    answered(world, "cat", "d")
    assert world.told.of(TierChanged) == []
    assert join(world, "cat").body["tier"] == "contributor"
    assert world.told.of(MemberJoined)[-1].tier == "contributor"


def test_what_was_earned_is_kept_for_a_return(world: World) -> None:
    """Who leaves and comes back has the tier of before, and what was done meanwhile counts too."""
    join(world, "cat")
    relayed(world)
    answered(world, "cat", "d1")
    leave(world, "cat")
    assert join(world, "cat").body["tier"] == "contributor"
    leave(world, "cat")
    answered(world, "cat", "d2")
    answered(world, "cat", "d3")
    assert [e.new for e in world.told.of(TierChanged)] == ["contributor"]
    assert join(world, "cat").body["tier"] == "mainstay"
    assert world.get(Group, "g").members == 1


def test_the_policy_of_tiers_is_data() -> None:
    """Other rules in the settings make other tiers, one kind of help among them."""
    rules = (
        TierRule(name="low"),
        TierRule(name="adviser", kinds=("advice_taken",), at_least=2),
    )
    world = World(router(SETTINGS.model_copy(update={"tiers": rules})))
    found(world)
    assert join(world, "cat").body["tier"] == "low"
    relayed(world)
    for id_ in ("1", "2"):
        answered(world, "cat", f"d{id_}")
        advised(world, "cat", f"c{id_}")
    assert [(e.new, e.reasons) for e in world.told.of(TierChanged)] == [("adviser", ("advice_taken>=2",))]


def test_comments_alone_are_not_even_read(world: World) -> None:
    """No handler of groups takes a comment: whoever only talks stays where they are."""
    join(world, "cat")
    event = CommentPosted(comment_id="c", note_id="n", author_id="cat", note_author_id="ann", text="!")
    assert world.take([world.record(event)]) == []
    assert member(world, "cat").tier == "newcomer"


def test_a_contribution_to_an_unknown_group_is_an_outcome(world: World) -> None:
    """It is counted as unknown, is no dead letter, and makes no member of nothing."""
    event = ContributionMade(group_id="x", person_id="cat", note_id="n", source_id="d", kind="advice_taken")
    before = world.state()
    assert world.hear(event) == "unknown"
    assert world.state() == before
