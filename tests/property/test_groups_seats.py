"""Seats are exact and the waiting list is fair, whoever comes and goes in whatever order."""

from contextlib import suppress
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.groups.core import Answer, Charter, Gate, Group, Member, Question
from services.groups.handlers import ChangeGroup, JoinGroup, LeaveGroup, OpenGroup, RemoveMember, router
from services.groups.settings import Settings
from shared.contracts.groups import GroupChanged, MemberJoined, MemberLeft
from shared.errors import Rejected
from tests.unit.support import World

SETTINGS = Settings(
    kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i", waiting_most=3, retry_seconds=0, removed_seconds=0
)
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
PEOPLE = tuple(f"p{i}" for i in range(8))
people = st.sampled_from(PEOPLE)


class Door:
    """One group; the model is who is in, and who waits, in the order in which they were told to wait.

    Between two steps as much of the group's own events is delivered as chance will have it.
    """

    def __init__(self, seats: int, asks: bool) -> None:
        self.world = World(router(SETTINGS))
        self.row: list[str] = []
        self.seats, self.asks, self.state = seats, asks, "open"
        gate = Gate((Question("q", "?"),), Answer("q", ("yes",))) if asks else Gate()
        self.world.ask(OpenGroup(person_id="gus", group_id="g", name="G", charter=CHARTER, seats=seats, gate=gate))

    def join(self, person: str, right: bool) -> None:
        answer = ("yes" if right else "no") if self.asks else None
        before = self.inside()
        known = person in before or person in self.row
        with suppress(Rejected):
            status = self.world.ask(JoinGroup(person_id=person, group_id="g", answer=answer)).status
            assert not known
            assert self.state == "open"
            assert right or not self.asks
            if status == 201:
                assert len(self.row) <= self.held(), "somebody has waited longer, and has no seat on its way"
                assert len(before) < self.seats
            else:
                assert status == 202
                self.row.append(person)
            return
        full = len(self.row) >= SETTINGS.waiting_most
        assert known or self.state == "closed" or (self.asks and not right) or full

    def leave(self, person: str, removed: bool) -> None:
        there = person in self.inside() or person in self.row
        leave = LeaveGroup(person_id=person, group_id="g")
        remove = RemoveMember(person_id="gus", group_id="g", member=person, reason="r")
        with suppress(Rejected):
            assert self.world.ask(remove if removed else leave).status == 204
            assert there
            if person in self.row:
                self.row.remove(person)
            return
        assert not there

    def change(self, state: Literal["open", "closed"]) -> None:
        self.world.ask(ChangeGroup(person_id="gus", group_id="g", state=state))
        self.state = state

    def deliver(self, which: int) -> None:
        """Any of the group's records comes next: those of several lanes have no order between them.

        Whom it lets in comes from the head of the row, or has only people before them whose seat is on its way.
        """
        if not self.world.pending:
            return
        held = self.held()
        self.world.deliver(which % len(self.world.pending))
        for person in [person for person in self.row if person in self.inside()]:
            assert self.row.index(person) < held, "called before somebody who has waited longer"
            self.row.remove(person)

    def inside(self) -> set[str]:
        documents = self.world.documents.values()
        return {d.person_id for d in documents if isinstance(d, Member) and d.state == "member"}

    def held(self) -> int:
        return self.world.get(Group, "g").held

    def the_counts_are_of_people(self) -> None:
        group = self.world.get(Group, "g")
        assert group.members == len(self.inside())
        assert group.members + group.held <= group.seats == self.seats
        assert group.waiting == len(self.row)

    def the_last_news_is_how_it_stands(self) -> None:
        if told := self.world.told.of(GroupChanged):
            last = told[-1]
            assert (last.members, last.state, last.waiting) == (len(self.inside()), self.state, len(self.row))

    def the_news_of_people_adds_up(self) -> None:
        told = self.world.told
        assert len(told.of(MemberJoined)) - len(told.of(MemberLeft)) == len(self.inside())

    def holds(self) -> None:
        """What must be so after every step."""
        self.the_counts_are_of_people()
        self.the_last_news_is_how_it_stands()
        self.the_news_of_people_adds_up()

    def end(self) -> None:
        """When all is delivered nobody waits while a seat is free, and no seat is on its way."""
        while self.world.pending:
            self.deliver(0)
        group = self.world.get(Group, "g")
        assert group.held == 0
        assert not any(outcome.startswith("dead") for outcome in self.world.outcomes)
        assert group.state == "closed" or not group.waiting or group.members == group.seats


verbs = st.sampled_from(("join",) * 6 + ("leave",) * 4 + ("deliver",) * 4 + ("open", "open", "closed"))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(1, 4), st.booleans(), st.lists(st.tuples(verbs, people, st.integers(0, 9)), min_size=10, max_size=60)
)
def test_seats_are_exact_and_the_row_is_fair(seats: int, asks: bool, acts: list[tuple[str, str, int]]) -> None:
    """Members and held seats never exceed the seats, nobody is overtaken, and the events tell the same story."""
    door = Door(seats, asks)
    for verb, person, chance in acts:
        match verb:
            case "join":
                door.join(person, right=chance > 0)
            case "leave":
                door.leave(person, removed=chance > 7)
            case "deliver":
                door.deliver(chance)
            case _:
                door.change("closed" if verb == "closed" else "open")
        door.holds()
    door.end()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 4), st.lists(people, min_size=1, max_size=8))
def test_seats_are_exact_inside_one_batch(seats: int, asking: list[str]) -> None:
    """Commands that are folded as one batch see each other: no more get in than there are seats, the others wait."""
    world = World(router(SETTINGS))
    world.ask(OpenGroup(person_id="gus", group_id="g", name="G", charter=CHARTER, seats=seats))
    replies = world.ask_at_once([JoinGroup(person_id=p, group_id="g") for p in asking])
    statuses = [reply.status for reply in replies if not isinstance(reply, Exception)]
    everybody = len(set(asking))
    assert statuses.count(201) == world.get(Group, "g").members == min(seats, everybody)
    assert statuses.count(202) == world.get(Group, "g").waiting == min(SETTINGS.waiting_most, max(0, everybody - seats))
