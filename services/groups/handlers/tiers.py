"""In the lane of the group: what help makes of a member."""

from msgspec.structs import replace

from services.groups import core
from services.groups.core import Group, Member, member_id
from shared.contracts.groups import ContributionMade, TierChanged
from shared.flow.work import Work

from .membership import Rules, guest


def contribution_made(event: ContributionMade, work: Work, rules: Rules) -> str | None:
    """Count a contribution; a member's tier follows at once, a guest's when they join."""
    if work.get(Group, event.group_id) is None:
        return "unknown"
    id_ = member_id(event.group_id, event.person_id)
    member = work.get(Member, id_) or guest(event.group_id, event.person_id, rules)
    member = core.contribute(member, event.kind)
    tier, reasons = core.tier(member, rules)
    if member.state != "member" or tier == member.tier:
        work.put(member)
        return None
    old = member.tier
    member = work.put(replace(member, tier=tier))
    work.emit(
        TierChanged(group_id=event.group_id, person_id=event.person_id, old=old, new=tier, reasons=reasons), member
    )
    return "tier-changed"
