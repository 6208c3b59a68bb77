"""When X happens, do Y. The table is at the end."""

from services.groups.core import Group, Member, Message, Need, RelayedNote, member_id, need_id
from services.groups.settings import Settings
from shared.contracts.groups import ContributionMade
from shared.contracts.moderation import MessageJudged
from shared.contracts.notes import AdviceTaken, NeedAnswered, NoteRelayed
from shared.contracts.talk import GroupNeedAnswered, MessageDeleted, MessagePosted
from shared.flow.router import Router

from .group import ChangeGroup, OpenGroup, change_group, open_group
from .membership import JoinGroup, LeaveGroup, join_group, leave_group
from .needs import AcceptAnswer, NeedDue, accept_answer, group_need_answered, need_due
from .notes import advice_taken, need_answered, note_relayed
from .talk import (
    DeleteMessage,
    PostMessage,
    delete_message,
    message_deleted,
    message_judged,
    message_posted,
    post_message,
)
from .tiers import contribution_made

__all__ = [
    "AcceptAnswer",
    "ChangeGroup",
    "DeleteMessage",
    "JoinGroup",
    "LeaveGroup",
    "OpenGroup",
    "PostMessage",
    "router",
]


def add_talk(table: Router, settings: Settings) -> None:
    """The talk's part of the table."""
    steps, rules = settings.need_steps, settings.tiers
    table.on(
        PostMessage,
        post_message,
        lambda c: [
            (Group, c.group_id),
            (Member, member_id(c.group_id, c.person_id)),
            *((Message, i) for i in (c.message_id, c.parent_id) if i),
        ],
    )
    table.on(DeleteMessage, delete_message, lambda c: [(Message, c.message_id)])
    table.on(AcceptAnswer, accept_answer, lambda c: [(Need, c.need_id), (Message, c.message_id)])
    table.on(
        MessagePosted,
        lambda e, w: message_posted(e, w, steps),
        lambda e: [(Message, e.message_id), (Need, need_id(e.message_id))],
        name="message_posted",
    )
    table.on(MessageDeleted, message_deleted, lambda e: [(Need, need_id(e.message_id))])
    table.on(
        MessageJudged,
        lambda e, w: message_judged(e, w, steps),
        lambda e: [(Message, e.content_id), (Need, need_id(e.content_id))],
        name="message_judged",
    )
    table.on(
        GroupNeedAnswered,
        lambda e, w: group_need_answered(e, w, rules),
        lambda e: [(Group, e.group_id), (Member, member_id(e.group_id, e.helper_id))],
        name="group_need_answered",
    )
    table.on(NeedDue, lambda r, w: need_due(r, w, steps), lambda r: [(Need, r.need_id)], name="need_due")


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
    add_talk(table, settings)
    return table
