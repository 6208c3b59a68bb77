"""What groups does at the door: the owner's word, the waiting list, removal, tiers that are lost, the audit."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.groups.core import (
    All,
    Answer,
    Any,
    Approval,
    Charter,
    Earned,
    Entry,
    Gate,
    Group,
    Helped,
    Member,
    Not,
    Question,
    Rule,
    member_id,
)
from services.groups.handlers import (
    ApproveApplication,
    ChangeGroup,
    JoinGroup,
    LeaveGroup,
    OpenGroup,
    RejectApplication,
    RemoveMember,
    router,
)
from services.groups.settings import Settings, TierRule
from shared.contracts.groups import (
    ApplicationChanged,
    ContributionMade,
    MemberJoined,
    MemberLeft,
    SeatAssigned,
    SeatOffered,
    TierChanged,
)
from shared.flow.router import Reply
from tests.unit.support import START, World, refused

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", waiting_most=2)
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
WHY = Question("why", "为什么?")


def founded(rule: Rule | None = None, seats: int = 1, settings: Settings = SETTINGS) -> World:
    """Group g of gus."""
    world = World(router(settings))
    gate = Gate((WHY,), rule) if rule else Gate()
    world.ask(OpenGroup(person_id="gus", group_id="g", name="G", charter=CHARTER, seats=seats, gate=gate))
    return world


def join(world: World, person: str, **answers: str) -> Reply:
    return world.ask(JoinGroup(person_id=person, group_id="g", answers=answers))


def leave(world: World, person: str) -> None:
    assert world.ask(LeaveGroup(person_id=person, group_id="g")).status == 204
    world.settle()


def remove(world: World, person: str, by: str = "gus", reason: str = "r") -> Reply:
    return world.ask(RemoveMember(person_id=by, group_id="g", member=person, reason=reason))


def approve(world: World, person: str, by: str = "gus") -> Reply:
    return world.ask(ApproveApplication(person_id=by, group_id="g", applicant=person))


def reject(world: World, person: str, by: str = "gus") -> Reply:
    return world.ask(RejectApplication(person_id=by, group_id="g", applicant=person, reason="太远"))


def help_(world: World, person: str, times: int = 1) -> None:
    for _ in range(times):
        event = ContributionMade(group_id="g", person_id=person, note_id="n", source_id="s", kind="answer_accepted")
        world.hear(event)


def member(world: World, person: str) -> Member:
    return world.get(Member, member_id("g", person))


def acts(world: World) -> list[tuple[str, str, str]]:
    """The audit: act, by whom, about whom."""
    entries = [d for d in world.documents.values() if isinstance(d, Entry)]
    return [(entry.act, entry.by_id, entry.person_id) for entry in entries]


# -- the waiting list ---------------------------------------------------------------------------------------


def test_who_finds_no_seat_waits_and_gets_the_next_one() -> None:
    """202 with the position; the seat that is freed goes to the first in the row, and each step is told."""
    world = founded()
    assert join(world, "ann").status == 201
    for person, position in (("bob", 1), ("cat", 2)):
        reply = join(world, person)
        assert (reply.status, reply.body["state"], reply.body["position"]) == (202, "waiting", position)
    leave(world, "ann")
    assert (member(world, "bob").state, member(world, "cat").state) == ("member", "waiting")
    assert world.told.of(SeatOffered) == [SeatOffered(group_id="g", place=1)]
    assert world.told.of(SeatAssigned) == [SeatAssigned(group_id="g", place=1, person_id="bob")]
    assert [event.person_id for event in world.told.of(MemberJoined)] == ["ann", "bob"]
    group = world.get(Group, "g")
    assert (group.members, group.waiting, group.held) == (1, 1, 0)


def test_a_full_waiting_list_takes_nobody() -> None:
    """Behind the last place the door is shut, and nothing is kept of who knocked."""
    world = founded()
    for person in ("ann", "bob", "cat"):
        join(world, person)
    with refused("group-full", 403):
        join(world, "dan")
    assert ("members", "g:dan") not in world.documents


def test_nobody_waits_twice() -> None:
    """Who waits has one place."""
    world = founded()
    join(world, "ann")
    join(world, "bob")
    with refused("already-waiting", 409):
        join(world, "bob")
    assert world.get(Group, "g").waiting == 1


def test_who_gives_up_is_passed_over() -> None:
    """A place that was given back gets no seat; the next one does, and coming back means the end of the row."""
    world = founded()
    for person in ("ann", "bob", "cat"):
        join(world, person)
    leave(world, "bob")
    assert world.told.of(ApplicationChanged)[-1].state == "withdrawn"
    assert join(world, "bob").body["position"] == 2
    leave(world, "ann")
    assert (member(world, "bob").state, member(world, "cat").state) == ("waiting", "member")
    leave(world, "cat")
    assert member(world, "bob").state == "member"


def test_nobody_is_called_into_a_closed_group() -> None:
    """While the door is closed a free seat stays free; when it opens the row moves on."""
    world = founded()
    for person in ("ann", "bob"):
        join(world, person)
    world.ask(ChangeGroup(person_id="gus", group_id="g", state="closed"))
    leave(world, "ann")
    assert (member(world, "bob").state, world.get(Group, "g").members) == ("waiting", 0)
    world.ask(ChangeGroup(person_id="gus", group_id="g", state="open"))
    world.settle()
    assert member(world, "bob").state == "member"


def test_an_offer_that_comes_twice_seats_once() -> None:
    """An offer or assignment told again, whatever its id, changes nothing any more."""
    world = founded()
    for person in ("ann", "bob", "cat"):
        join(world, person)
    leave(world, "ann")
    before = world.state()
    assert world.hear(SeatOffered(group_id="g", place=1)) == "over"
    assert world.hear(SeatAssigned(group_id="g", place=1, person_id="bob")) == "over"
    assert world.state() == before


def test_what_has_been_earned_while_waiting_counts() -> None:
    """Who helps while they wait comes in at the tier that this has earned."""
    world = founded()
    join(world, "ann")
    join(world, "bob")
    help_(world, "bob")
    leave(world, "ann")
    assert world.told.of(MemberJoined)[-1].tier == "contributor"


# -- the owner's word ---------------------------------------------------------------------------------------


def test_an_unanswered_application_is_escalated_once() -> None:
    """After the time for an answer it is told once that none was given; an answer in time takes the timer back."""
    world = founded(Approval(), seats=3)
    assert join(world, "ann", why="住在附近").status == 202
    join(world, "bob")
    approve(world, "bob")
    world.wait(seconds=3 * SETTINGS.answer_seconds)
    told = [(event.person_id, event.state) for event in world.told.of(ApplicationChanged)]
    assert told == [("ann", "pending"), ("bob", "pending"), ("ann", "escalated")]
    assert approve(world, "ann").body["state"] == "member"
    assert member(world, "ann").application is None


def test_an_escalation_of_an_older_application_is_none() -> None:
    """Who has withdrawn and applied anew is not escalated by the timer of the first application."""
    world = founded(Approval())
    join(world, "ann")
    leave(world, "ann")
    world.wait(seconds=SETTINGS.answer_seconds - 10)
    join(world, "ann")
    world.wait(seconds=60)
    assert [event.state for event in world.told.of(ApplicationChanged)] == ["pending", "withdrawn", "pending"]


def test_an_approved_one_queues_where_no_seat_is_free() -> None:
    """The owner's yes is a place at the end of the row, not a seat that is not there."""
    world = founded(Any((Helped(1), Approval())))
    help_(world, "ann")
    assert join(world, "ann").status == 201
    join(world, "bob")
    assert approve(world, "bob").body["state"] == "waiting"
    leave(world, "ann")
    assert member(world, "bob").state == "member"


def test_only_who_may_answers() -> None:
    """A stranger and a plain member may not; a member whose tier grants it may; nobody answers twice."""
    world = founded(Any((Helped(1), Approval())), seats=5)
    for person, times in (("eva", 1), ("max", 3)):
        help_(world, person, times)
        join(world, person)
    join(world, "ann")
    for person in ("ann", "eva", "zoe"):
        with refused("not-the-owner", 403):
            approve(world, "ann", person)
    assert approve(world, "ann", "max").status == 200
    with refused("already-answered", 409):
        reject(world, "ann")
    with refused("no-application", 404):
        reject(world, "zoe")


def test_a_rejected_one_may_come_back_later() -> None:
    """After the owner's no the door is shut to the person until a date."""
    world = founded(Approval())
    join(world, "ann", why="x")
    reject(world, "ann")
    assert (member(world, "ann").state, member(world, "ann").application) == ("guest", None)
    with refused("too-early", 403) as error:
        join(world, "ann")
    assert error.value.extra["retry_at"] == (START + timedelta(seconds=SETTINGS.retry_seconds)).isoformat()
    world.wait(seconds=SETTINGS.retry_seconds)
    assert join(world, "ann").status == 202


def test_what_no_owner_can_mend_is_refused_at_once() -> None:
    """An application that fails whatever the owner says does not wait for them."""
    world = founded(All((Approval(), Answer("why", ("yes",)))))
    assert join(world, "ann", why="no").status == 403
    assert world.told.of(ApplicationChanged) == []


def test_help_and_tiers_open_a_gate() -> None:
    """Who has helped in notes of the group passes; the refusal of others names what is lacking, and bars nobody."""
    world = founded(All((Helped(2), Earned("contributor"))))
    help_(world, "ann")
    with refused("not-admitted", 403) as error:
        join(world, "ann")
    assert error.value.extra == {"reasons": [{"kind": "helped", "at_least": 2}]}
    help_(world, "ann")
    assert join(world, "ann").status == 201


def test_an_answer_that_is_not_given_meets_no_contrary() -> None:
    """Not to answer is no way around a question under a not."""
    world = founded(Not(Answer("why", ("ads",))))
    with refused("wrong-answer", 403):
        join(world, "ann")
    assert join(world, "ann", why="coffee").status == 201


# -- removal ------------------------------------------------------------------------------------------------


def test_the_owner_removes_for_a_reason_and_a_while() -> None:
    """The seat goes on to who waits; the removed one keeps what they earned, and may knock after a while."""
    world = founded()
    help_(world, "ann")
    join(world, "ann")
    join(world, "bob")
    with refused("reason-missing", 422):
        remove(world, "ann", reason="")
    with refused("not-the-owner", 403):
        remove(world, "ann", by="bob")
    assert remove(world, "ann").status == 204
    world.settle()
    assert world.told.of(MemberLeft) == [MemberLeft(group_id="g", person_id="ann", removed=True)]
    assert member(world, "bob").state == "member"
    with refused("too-early", 403) as error:
        join(world, "ann")
    assert error.value.extra["reasons"] == [{"kind": "removed"}]
    world.wait(seconds=SETTINGS.removed_seconds)
    assert join(world, "ann").status == 202
    assert member(world, "ann").answer_accepted == 1


def test_who_is_removed_from_the_row_gets_no_seat() -> None:
    """The owner may also take somebody off the waiting list."""
    world = founded()
    for person in ("ann", "bob", "cat"):
        join(world, person)
    remove(world, "bob")
    leave(world, "ann")
    assert world.told.of(ApplicationChanged)[-1].state == "rejected"
    assert (member(world, "bob").state, member(world, "cat").state) == ("guest", "member")


# -- tiers that are lost ------------------------------------------------------------------------------------


def tiers(world: World) -> list[tuple[str, str]]:
    return [(event.old, event.new) for event in world.told.of(TierChanged)]


def test_a_tier_is_lost_when_its_help_is_long_ago() -> None:
    """At the midnight at which help falls out of the window the tier follows, by a timer, with the reason."""
    world = founded()
    join(world, "ann")
    help_(world, "ann", 3)
    world.wait(days=SETTINGS.tier_days - 1)
    assert member(world, "ann").tier == "mainstay"
    world.wait(days=1)
    assert tiers(world) == [("newcomer", "contributor"), ("contributor", "mainstay"), ("mainstay", "newcomer")]
    assert world.told.of(TierChanged)[-1].reasons == ("answer_accepted+advice_taken<2",)
    assert (member(world, "ann").days, member(world, "ann").answer_accepted) == ((), 3)


def test_a_tier_is_kept_by_less_than_earns_it() -> None:
    """Three earn the highest tier, two keep it; one does not, and then it takes three again."""
    world = founded()
    join(world, "ann")
    help_(world, "ann")
    world.wait(days=10)
    help_(world, "ann", 2)
    world.wait(days=SETTINGS.tier_days - 10)
    assert member(world, "ann").tier == "mainstay"
    world.wait(days=10)
    help_(world, "ann", 2)
    assert member(world, "ann").tier == "contributor"
    help_(world, "ann")
    assert member(world, "ann").tier == "mainstay"


def test_a_tier_is_lost_while_away_too() -> None:
    """Who comes back after long has the tier that is left, and nobody is told of it in between."""
    world = founded()
    join(world, "ann")
    help_(world, "ann")
    leave(world, "ann")
    world.wait(days=SETTINGS.tier_days + 1)
    assert tiers(world) == [("newcomer", "contributor")]
    assert join(world, "ann").body["tier"] == "newcomer"


def test_help_of_the_day_of_counting_is_one_entry() -> None:
    """A member's document holds at most one entry for each day of the window."""
    world = founded()
    for _ in range(SETTINGS.tier_days + 20):
        help_(world, "ann", 2)
        world.wait(days=1)
    assert len(member(world, "ann").days) <= SETTINGS.tier_days


@pytest.mark.parametrize(
    "rules",
    [
        [TierRule(name="a", at_least=1)],
        [TierRule(name="a"), TierRule(name="a", kinds=("advice_taken",), at_least=1)],
    ],
)
def test_a_policy_of_tiers_holds_for_everybody(rules: list[TierRule]) -> None:
    """The lowest tier asks for nothing, no name stands twice, and no tier is harder to keep than to earn."""
    with pytest.raises(ValidationError):
        Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", tiers=tuple(rules))
    with pytest.raises(ValidationError):
        TierRule(name="b", kinds=("advice_taken",), at_least=1, keep=2)


# -- the audit ----------------------------------------------------------------------------------------------


def test_every_change_leaves_an_entry() -> None:
    """Who did what to whom, in the order in which it was done; a rule that acts has no name; refusals leave none."""
    world = founded(Any((Helped(1), Approval())))
    join(world, "ann", why="x")
    approve(world, "ann")
    join(world, "bob", why="x")
    world.wait(seconds=SETTINGS.answer_seconds)
    approve(world, "bob")
    with refused("already-waiting", 409):
        join(world, "bob")
    leave(world, "ann")
    help_(world, "bob")
    remove(world, "bob")
    assert acts(world) == [
        ("opened", "gus", ""),
        ("applied", "ann", "ann"),
        ("approved", "gus", "ann"),
        ("joined", "gus", "ann"),
        ("applied", "bob", "bob"),
        ("escalated", "", "bob"),
        ("approved", "gus", "bob"),
        ("queued", "gus", "bob"),
        ("left", "ann", "ann"),
        ("joined", "", "bob"),
        ("tier", "", "bob"),
        ("removed", "gus", "bob"),
    ]
