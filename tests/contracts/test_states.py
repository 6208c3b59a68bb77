"""What ``ops republish`` tells: of every service state events alone, and of each document what was told of it last."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.groups.core import Group, Member
from services.groups.core.membership import Bar
from services.groups.state import STATES as GROUPS
from services.groups.state import member
from services.moderation.state import STATES as MODERATION
from services.notes.core import Need
from services.notes.state import states
from services.recommend.state import STATES as RECOMMEND
from shared.app import documents_of
from shared.contracts import event_type
from shared.contracts.groups import MemberJoined, MemberLeft
from shared.contracts.notes import NeedEscalated, NeedOpened, NeedWithdrawn
from shared.flow.states import State
from tests.contracts.test_handlers import EACH_SERVICE, after
from tests.contracts.test_rebuilds import others

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
STATES: dict[str, tuple[State, ...]] = {
    "notes": states((60, 120)),
    "groups": GROUPS,
    "recommend": RECOMMEND,
    "moderation": MODERATION,
}


@EACH_SERVICE
def test_what_is_told_again_is_what_was_told_last(service: str) -> None:
    """Of every document that the story has made: the same event, the last of its subject, under its version."""
    world = after(service, others(service))
    world.settle()
    last = {(r.envelope.type, r.envelope.subject): r for r in world.records}
    for state in STATES[service]:
        assert state.kind in documents_of(service)
        for document in [d for d in world.documents.values() if isinstance(d, state.kind)]:
            event = state.tell(document)
            if event is not None:
                assert (event.ORDER, event.TOPIC.owner) == ("state", service)
                record = last[event.TYPE, document.id]
                assert event_type(event.TYPE).model_validate_json(record.value) == event
                assert record.envelope.sequence <= document.v


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, NeedOpened),
        ({"step": 1}, NeedEscalated),
        ({"state": "withdrawn"}, NeedWithdrawn),
        ({"state": "answered", "answer_id": "c2", "helper_id": "bob"}, type(None)),
    ],
)
def test_needs_that_are_not_answered(change: dict[str, Any], told: type) -> None:
    """An open need as it stands; an answered one not again, since whoever hears of an answer counts it."""
    need = Need(id="need-c", note_id="n", comment_id="c", asker_id="ann", opened_at=AT, **change)
    assert isinstance(STATES["notes"][0].tell(need), told)


@pytest.mark.parametrize("step", [1, 2])
def test_the_last_escalation_is_told_as_the_last(step: int) -> None:
    """Of two steps only the second one."""
    need = Need(id="need-c", note_id="n", comment_id="c", asker_id="ann", opened_at=AT, step=step)
    event = STATES["notes"][0].tell(need)
    assert isinstance(event, NeedEscalated)
    assert (event.step, event.last) == (step, step == 2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"state": "member", "joined_at": AT}, MemberJoined(group_id="g", person_id="p", tier="guest")),
        ({"state": "left", "joined_at": AT}, MemberLeft(group_id="g", person_id="p")),
        (
            {"state": "left", "joined_at": AT, "bar": Bar("removed", AT)},
            MemberLeft(group_id="g", person_id="p", removed=True),
        ),
        ({"state": "left"}, None),
    ],
)
def test_people_who_are_or_were_members(change: dict[str, Any], told: Any) -> None:
    """Guests, and those who never got in, are nobody's news."""
    assert member(Member(id="g:p", group_id="g", person_id="p", tier="guest", **change)) == told
    assert {state.kind for state in GROUPS} == {Group, Member}
