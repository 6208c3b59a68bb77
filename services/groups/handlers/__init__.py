"""When X happens, do Y. The table is at the end."""

from services.groups.core import Group, Member, Message, Need, Place, RelayedNote, member_id, need_id, place_id
from services.groups.settings import Settings
from shared.contracts.groups import ContributionMade, SeatAssigned, SeatOffered
from shared.contracts.moderation import MessageJudged
from shared.contracts.notes import AdviceTaken, NeedAnswered, NoteRelayed
from shared.contracts.talk import GroupNeedAnswered, MessageDeleted, MessagePosted
from shared.flow.documents import Ref
from shared.flow.router import Router
from shared.gate import Gated, NoGate

from .group import ChangeGroup, OpenGroup, change_group, open_group
from .membership import (
    ApplicationUnanswered,
    ApproveApplication,
    JoinGroup,
    LeaveGroup,
    RejectApplication,
    RemoveMember,
    application_unanswered,
    approve_application,
    join_group,
    leave_group,
    reject_application,
    remove_member,
    seat_assigned,
    seat_offered,
)
from .needs import AcceptAnswer, NeedDue, Steps, accept_answer, group_need_answered, need_due, need_news
from .notes import advice_taken, need_answered, note_relayed
from .talk import (
    DeleteMessage,
    HoldLapses,
    PostMessage,
    delete_message,
    hold_lapses,
    message_deleted,
    message_judged,
    message_news,
    message_posted,
    post_message,
)
from .tiers import TierLapses, contribution_made, tier_lapses

__all__ = [
    "AcceptAnswer",
    "ApplicationUnanswered",
    "ApproveApplication",
    "ChangeGroup",
    "DeleteMessage",
    "JoinGroup",
    "LeaveGroup",
    "OpenGroup",
    "PostMessage",
    "RejectApplication",
    "RemoveMember",
    "TierLapses",
    "message_news",
    "need_news",
    "router",
]


def _people(group_id: str, *people: str) -> list[Ref]:
    return [(Group, group_id), *((Member, member_id(group_id, person)) for person in people)]


def _group(asked: OpenGroup | ChangeGroup) -> list[Ref]:
    return _people(asked.group_id)


def _person(
    about: JoinGroup | LeaveGroup | ApplicationUnanswered | TierLapses | SeatAssigned | ContributionMade,
) -> list[Ref]:
    return _people(about.group_id, about.person_id)


def _other(asked: RemoveMember) -> list[Ref]:
    return _people(asked.group_id, asked.member)


def _both(asked: ApproveApplication | RejectApplication) -> list[Ref]:
    return _people(asked.group_id, asked.applicant, asked.person_id)


def _place(event: SeatOffered | SeatAssigned) -> list[Ref]:
    return [(Place, place_id(event.group_id, event.place))]


def add_messages(table: Router, steps: Steps, gate: Gated) -> None:
    """The part of the table that is about messages."""
    table.on(
        PostMessage,
        lambda c, w: post_message(c, w, gate),
        lambda c: [
            *_people(c.group_id, c.person_id),
            *((Message, i) for i in (c.message_id, c.parent_id) if i),
        ],
        name="post_message",
    )
    table.on(
        HoldLapses,
        lambda r, w: hold_lapses(r, w, steps),
        lambda r: [(Message, r.message_id), (Need, need_id(r.message_id))],
        name="hold_lapses",
    )
    table.on(DeleteMessage, delete_message, lambda c: [(Message, c.message_id)])
    table.on(
        MessagePosted,
        lambda e, w: message_posted(e, w, steps),
        lambda e: [(Message, e.message_id), (Need, need_id(e.message_id))],
        name="message_posted",
    )
    table.on(
        MessageDeleted,
        lambda e, w: message_deleted(e, w, steps),
        lambda e: [(Need, need_id(e.message_id))],
        name="message_deleted",
    )
    table.on(
        MessageJudged,
        lambda e, w: message_judged(e, w, steps),
        lambda e: [(Message, e.content_id), (Need, need_id(e.content_id))],
        name="message_judged",
    )


def add_needs(table: Router, settings: Settings) -> None:
    """The part of the table that is about needs."""
    steps = settings.need_steps
    table.on(
        AcceptAnswer,
        lambda c, w: accept_answer(c, w, steps),
        lambda c: [(Need, c.need_id), (Message, c.message_id)],
        name="accept_answer",
    )
    table.on(
        GroupNeedAnswered,
        lambda e, w: group_need_answered(e, w, settings),
        lambda e: [(Need, e.need_id), *_people(e.group_id, e.helper_id)],
        name="group_need_answered",
    )
    table.on(
        NeedDue,
        lambda r, w: need_due(r, w, steps),
        lambda r: [(Need, r.need_id), (Message, r.message_id)],
        name="need_due",
    )


def router(settings: Settings, gate: Gated | None = None) -> Router:
    """Payload -> what it reads -> who decides. Without a gate all goes through unseen."""
    table = Router("groups")
    table.on(OpenGroup, lambda c, w: open_group(c, w, settings), _group, name="open_group")
    table.on(ChangeGroup, change_group, _group)
    table.on(JoinGroup, lambda c, w: join_group(c, w, settings), _person, name="join_group")
    table.on(LeaveGroup, leave_group, _person)
    table.on(RemoveMember, lambda c, w: remove_member(c, w, settings), _other, name="remove_member")
    table.on(ApproveApplication, lambda c, w: approve_application(c, w, settings), _both, name="approve_application")
    table.on(RejectApplication, lambda c, w: reject_application(c, w, settings), _both, name="reject_application")
    table.on(ApplicationUnanswered, application_unanswered, _person)
    table.on(SeatOffered, seat_offered, _place)
    table.on(
        SeatAssigned,
        lambda e, w: seat_assigned(e, w, settings),
        lambda e: [*_place(e), *_person(e)],
        name="seat_assigned",
    )
    table.on(NeedAnswered, need_answered, lambda e: [(RelayedNote, e.note_id)])
    table.on(AdviceTaken, advice_taken, lambda e: [(RelayedNote, e.note_id)])
    table.on(NoteRelayed, note_relayed, lambda e: [(RelayedNote, e.note_id)])
    table.on(ContributionMade, lambda e, w: contribution_made(e, w, settings), _person, name="contribution_made")
    table.on(TierLapses, lambda r, w: tier_lapses(r, w, settings), _person, name="tier_lapses")
    add_messages(table, settings.need_steps, gate or NoGate())
    add_needs(table, settings)
    return table
