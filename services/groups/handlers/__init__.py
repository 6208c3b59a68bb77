"""When X happens, do Y. The table is at the end."""

from services.groups.core import Group, Member, RelayedNote, member_id
from services.groups.settings import Settings
from shared.contracts.groups import ContributionMade
from shared.contracts.notes import AdviceTaken, NeedAnswered, NoteRelayed
from shared.flow.router import Router

from .group import ChangeGroup, OpenGroup, change_group, open_group
from .membership import JoinGroup, LeaveGroup, join_group, leave_group
from .notes import advice_taken, need_answered, note_relayed
from .tiers import contribution_made

__all__ = ["ChangeGroup", "JoinGroup", "LeaveGroup", "OpenGroup", "router"]


def router(settings: Settings) -> Router:
    """Payload -> what it reads -> who decides."""
    table, rules = Router("groups"), settings.tiers
    table.on(OpenGroup, open_group, lambda c: [(Group, c.group_id)])
    table.on(
        JoinGroup,
        lambda c, w: join_group(c, w, rules),
        lambda c: [(Group, c.group_id), (Member, member_id(c.group_id, c.person_id))],
        name="join_group",
    )
    table.on(
        LeaveGroup,
        leave_group,
        lambda c: [(Group, c.group_id), (Member, member_id(c.group_id, c.person_id))],
    )
    table.on(ChangeGroup, change_group, lambda c: [(Group, c.group_id)])
    table.on(NeedAnswered, need_answered, lambda e: [(RelayedNote, e.note_id)])
    table.on(AdviceTaken, advice_taken, lambda e: [(RelayedNote, e.note_id)])
    table.on(NoteRelayed, note_relayed, lambda e: [(RelayedNote, e.note_id)])
    table.on(
        ContributionMade,
        lambda e, w: contribution_made(e, w, rules),
        lambda e: [(Group, e.group_id), (Member, member_id(e.group_id, e.person_id))],
        name="contribution_made",
    )
    return table
