"""Taking a seat and giving it back. These decide on the group itself: their answer is an invariant of it."""

from msgspec.structs import replace

from services.groups import core
from services.groups.core import Group, Member, member_id
from services.groups.settings import TierRule
from shared.contracts.groups import MemberJoined, MemberLeft
from shared.flow.router import Command, Reply
from shared.flow.work import Work

from .group import tell

Rules = tuple[TierRule, ...]


class JoinGroup(Command, frozen=True, kw_only=True):
    """Take a seat."""

    group_id: str
    answer: str | None


class LeaveGroup(Command, frozen=True, kw_only=True):
    """Give one's seat back."""

    group_id: str


def join_group(command: JoinGroup, work: Work, rules: Rules) -> Reply:
    """Admit or refuse; the tier is what earlier help has earned."""
    id_ = member_id(command.group_id, command.person_id)
    known = work.get(Member, id_)
    group = core.admit(work.get(Group, command.group_id), known, command.answer)
    known = known or guest(command.group_id, command.person_id, rules)
    tier, _ = core.tier(known, rules)
    member = work.put(replace(known, state="member", tier=tier, joined_at=work.now))
    work.emit(MemberJoined(group_id=group.id, person_id=member.person_id, tier=tier), member)
    tell(work.put(group), work)
    return Reply(status=201, body={"group_id": group.id, "person_id": member.person_id, "tier": tier})


def leave_group(command: LeaveGroup, work: Work) -> Reply:
    """Leave in one call; what was earned is kept for a return."""
    id_ = member_id(command.group_id, command.person_id)
    group, member = core.leave(work.get(Group, command.group_id), work.get(Member, id_))
    work.emit(MemberLeft(group_id=group.id, person_id=member.person_id), work.put(member))
    tell(work.put(group), work)
    return Reply(status=204, body={})


def guest(group_id: str, person_id: str, rules: Rules) -> Member:
    """Somebody who is not in the group, with nothing earned."""
    return Member(id=member_id(group_id, person_id), group_id=group_id, person_id=person_id, tier=rules[0].name)
