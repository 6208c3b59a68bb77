"""Seats are exact, whoever comes and goes in whatever order."""

from contextlib import suppress
from typing import Literal

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

from services.groups.core import Charter, Group, Member, Question
from services.groups.handlers import ChangeGroup, JoinGroup, LeaveGroup, OpenGroup, router
from services.groups.settings import Settings
from shared.contracts.groups import GroupChanged, MemberJoined, MemberLeft
from shared.errors import Rejected
from tests.unit.support import World

SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
CHARTER = Charter(purpose="p", audience="a", rules="r", rewards="w", service="s", exit="e")
PEOPLE = tuple(f"p{i}" for i in range(5))
people = st.sampled_from(PEOPLE)


class Door(RuleBasedStateMachine):
    """One group; the model is the set of those who are in."""

    @initialize(seats=st.integers(1, 4), asks=st.booleans())
    def found(self, seats: int, asks: bool) -> None:
        self.world = World(router(SETTINGS))
        self.inside: set[str] = set()
        self.seats, self.asks, self.state = seats, asks, "open"
        question = Question("?", ("yes",)) if asks else None
        self.world.ask(
            OpenGroup(person_id="gus", group_id="g", name="G", charter=CHARTER, seats=seats, question=question)
        )

    @rule(person=people, right=st.booleans())
    def join(self, person: str, right: bool) -> None:
        answer = ("yes" if right else "no") if self.asks else None
        fits = self.state == "open" and (right or not self.asks) and len(self.inside) < self.seats
        welcome = fits and person not in self.inside
        with suppress(Rejected):
            assert self.world.ask(JoinGroup(person_id=person, group_id="g", answer=answer)).status == 201
            assert welcome
            self.inside.add(person)
            return
        assert not welcome

    @rule(person=people)
    def leave(self, person: str) -> None:
        with suppress(Rejected):
            assert self.world.ask(LeaveGroup(person_id=person, group_id="g")).status == 204
            self.inside.remove(person)
            return
        assert person not in self.inside

    @rule(state=st.sampled_from(("open", "closed")))
    def change(self, state: Literal["open", "closed"]) -> None:
        self.world.ask(ChangeGroup(person_id="gus", group_id="g", state=state))
        self.state = state

    @invariant()
    def the_count_is_of_those_inside(self) -> None:
        group = self.world.get(Group, "g")
        found = {d.person_id for d in self.world.documents.values() if isinstance(d, Member) and d.state == "member"}
        assert found == self.inside
        assert group.members == len(found) <= group.seats == self.seats

    @invariant()
    @precondition(lambda self: bool(self.world.told.of(GroupChanged)))
    def the_last_news_is_how_it_stands(self) -> None:
        last = self.world.told.of(GroupChanged)[-1]
        assert (last.members, last.state) == (len(self.inside), self.state)

    @invariant()
    def the_news_of_people_adds_up(self) -> None:
        told = self.world.told
        assert len(told.of(MemberJoined)) - len(told.of(MemberLeft)) == len(self.inside)


def test_seats_are_exact() -> None:
    """Members never exceed seats, the count is of those who are in, and the events tell the same story."""
    run_state_machine_as_test(
        Door, settings=settings(max_examples=40, stateful_step_count=25, deadline=None, derandomize=True)
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 4), st.lists(people, min_size=1, max_size=8))
def test_seats_are_exact_inside_one_batch(seats: int, asking: list[str]) -> None:
    """Commands that are folded as one batch see each other: no more get in than there are seats."""
    world = World(router(SETTINGS))
    world.ask(OpenGroup(person_id="gus", group_id="g", name="G", charter=CHARTER, seats=seats, question=None))
    replies = world.ask_at_once([JoinGroup(person_id=p, group_id="g", answer=None) for p in asking])
    assert sum(not isinstance(reply, Exception) for reply in replies) == min(seats, len(set(asking)))
    assert world.get(Group, "g").members == min(seats, len(set(asking)))
