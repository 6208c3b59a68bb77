"""In the lane of the group: what help makes of a member."""

from msgspec.structs import replace

from services.groups import core
from services.groups.core import Group, Member, member_id
from shared.contracts.groups import ContributionKind, ContributionMade, TierChanged
from shared.flow.work import Work

from .membership import Rules, guest


def contribution_made(event: ContributionMade, work: Work, rules: Rules) -> str | None:
    """Help in a note that the group has."""
    return count(event.group_id, event.person_id, event.kind, work, rules)


def count(group_id: str, person_id: str, kind: ContributionKind, work: Work, rules: Rules) -> str | None:
    """Count a contribution; a member's tier follows at once, a guest's when they join."""
    if work.get(Group, group_id) is None:
        return "unknown"
    member = work.get(Member, member_id(group_id, person_id)) or guest(group_id, person_id, rules)
    member = core.contribute(member, kind)
    tier, reasons = core.tier(member, rules)
    if member.state != "member" or tier == member.tier:
        work.put(member)
        return None
    old = member.tier
    member = work.put(replace(member, tier=tier))
    work.emit(TierChanged(group_id=group_id, person_id=person_id, old=old, new=tier, reasons=reasons), member)
    return "tier-changed"
