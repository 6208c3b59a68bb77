"""In the lane of the group: what help makes of a member, and what is left when it is long ago."""

from msgspec.structs import replace

from services.groups import core
from services.groups.core import Group, Member, member_id
from services.groups.settings import Settings
from shared.contracts.groups import ContributionKind, ContributionMade, TierChanged
from shared.flow.router import Reminder
from shared.flow.work import Work

from .audit import note
from .membership import guest


class TierLapses(Reminder, frozen=True, kw_only=True):
    """So much help has fallen out of the window that a tier is not kept."""

    group_id: str
    person_id: str


def contribution_made(event: ContributionMade, work: Work, settings: Settings) -> str | None:
    """Help in a note that the group has."""
    return count(event.group_id, event.person_id, event.kind, work, settings)


def tier_lapses(reminder: TierLapses, work: Work, settings: Settings) -> str | None:
    """Look again at somebody who has not helped for long."""
    before = work.get(Member, member_id(reminder.group_id, reminder.person_id))
    if before is None:
        return "unknown"
    return settle(before, core.aged(before, work.now, settings), work, settings)


def count(group_id: str, person_id: str, kind: ContributionKind, work: Work, settings: Settings) -> str | None:
    """Count a contribution; a member's tier follows at once, a guest's is told when they join."""
    if work.get(Group, group_id) is None:
        return "unknown"
    before = work.get(Member, member_id(group_id, person_id)) or guest(group_id, person_id, settings)
    return settle(before, core.contribute(before, kind, work.now, settings), work, settings)


def settle(before: Member, after: Member, work: Work, settings: Settings) -> str | None:
    """Store the member, ask to be reminded of the next loss, and tell of a tier that has changed."""
    after = work.put(after)
    if (due := core.next_loss(after, settings)) is not None:
        reminder = TierLapses(group_id=after.group_id, person_id=after.person_id)
        work.remind(f"tier:{after.id}", due, reminder, ("group", after.group_id))
    if after.state != "member" or after.tier == before.tier:
        return None
    _, reasons = core.tier(replace(after, tier=before.tier), settings.tiers)
    work.emit(
        TierChanged(
            group_id=after.group_id, person_id=after.person_id, old=before.tier, new=after.tier, reasons=reasons
        ),
        after,
    )
    note(work, after.group_id, "tier", person=after.person_id, why=f"{before.tier} to {after.tier}: {reasons[0]}")
    return "tier-changed"
