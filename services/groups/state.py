"""What ``ops republish`` tells of groups: seats and doors, and who is a member.

Charters are facts, contributions are counts: neither is told again. Applications have too short a life. The talk has
its states beside its handlers.
"""

from services.groups.core import Group, Member
from shared.contracts import Event
from shared.contracts.groups import GroupChanged, MemberJoined, MemberLeft
from shared.flow.states import State


def group(group: Group) -> Event:
    """How a group stands."""
    return GroupChanged(
        group_id=group.id, state=group.state, seats=group.seats, members=group.members, waiting=group.waiting
    )


def member(member: Member) -> Event | None:
    """Whether a person is in a group, for those who ever were."""
    if member.state == "member":
        return MemberJoined(group_id=member.group_id, person_id=member.person_id, tier=member.tier)
    if member.joined_at is None:
        return None
    removed = member.bar is not None and member.bar.reason == "removed"
    return MemberLeft(group_id=member.group_id, person_id=member.person_id, removed=removed)


STATES = (State(Group, group), State(Member, member))
