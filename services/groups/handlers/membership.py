"""Knocking, getting a seat, giving it back.

The commands decide on the group itself, because their answer is an invariant of it; a freed seat goes to the waiting
list in the lane of the group.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from services.groups import core
from services.groups.core import Act, Bar, Group, Member, Place, member_id, place_id
from services.groups.settings import Settings
from shared.contracts.groups import ApplicationChanged, MemberJoined, MemberLeft, SeatAssigned, SeatOffered
from shared.errors import Rejected
from shared.flow.router import Command, Reminder, Reply
from shared.flow.work import Work

from .audit import note
from .group import keep

State = Literal["pending", "escalated", "waiting", "withdrawn", "rejected"]


class JoinGroup(Command, frozen=True, kw_only=True):
    """Knock: with answers by question, or with the one answer to the only question."""

    group_id: str
    answer: str | None = None
    answers: dict[str, str] = msgspec.field(default_factory=dict)


class LeaveGroup(Command, frozen=True, kw_only=True):
    """Give one's seat, place or application back."""

    group_id: str


class RemoveMember(Command, frozen=True, kw_only=True):
    """Put somebody out of one's group, or off its waiting list."""

    group_id: str
    member: str
    reason: str


class ApproveApplication(Command, frozen=True, kw_only=True):
    """Let somebody in who waits for the owner's word."""

    group_id: str
    applicant: str


class RejectApplication(Command, frozen=True, kw_only=True):
    """Turn somebody away who waits for the owner's word."""

    group_id: str
    applicant: str
    reason: str


class ApplicationUnanswered(Reminder, frozen=True, kw_only=True):
    """The time for an answer is over."""

    group_id: str
    person_id: str
    applied_at: datetime


# -- commands -----------------------------------------------------------------------------------------------


def join_group(command: JoinGroup, work: Work, settings: Settings) -> Reply:
    """Admit, queue, hand to the owner, or refuse; the tier is what earlier help has earned."""
    known = work.get(Member, member_id(command.group_id, command.person_id))
    member = core.aged(known or guest(command.group_id, command.person_id, settings), work.now, settings)
    group = core.at_the_door(work.get(Group, command.group_id), member, work.now)
    answers = core.said(group.gate, command.answer, command.answers)
    judged = core.asked_of(member, answers, group, settings)
    if judged.holds is None:
        return ask_owner(core.pended(member, answers, work.now), work, settings)
    if judged.holds:
        return seat(group, member, command.person_id, work, settings)
    barred = core.turned_away(member, judged.reasons, answers, work.now, settings)
    error = core.refusal(judged.reasons, barred.bar if barred else None)
    if barred is None:
        raise error
    work.put(barred)
    return Reply(status=error.status, body={"type": error.type, "detail": error.detail, **error.extra})


def ask_owner(member: Member, work: Work, settings: Settings) -> Reply:
    """Keep the application for the owner, and a timer that says when it has waited too long."""
    tell(work.put(member), "pending", work)
    due = work.now + timedelta(seconds=settings.answer_seconds)
    reminder = ApplicationUnanswered(group_id=member.group_id, person_id=member.person_id, applied_at=work.now)
    work.remind(timer(member), due, reminder, ("group", member.group_id))
    note(work, member.group_id, "applied", by=member.person_id, person=member.person_id)
    body = {"group_id": member.group_id, "person_id": member.person_id, "state": "pending", "position": None}
    return Reply(status=202, body=body)


def seat(group: Group, member: Member, by: str, work: Work, settings: Settings) -> Reply:
    """A seat at once, or a place in the row."""
    group, member = core.seated(group, member, work.now, settings)
    member = work.put(member)
    body: dict[str, object] = {"group_id": group.id, "person_id": member.person_id}
    if member.state == "member":
        welcome(member, by, work)
        keep(group, work)
        return Reply(status=201, body={**body, "tier": member.tier})
    work.insert(Place(id=place_id(group.id, group.last), group_id=group.id, person_id=member.person_id))
    tell(member, "waiting", work)
    note(work, group.id, "queued", by=by, person=member.person_id)
    keep(group, work)
    return Reply(status=202, body={**body, "state": "waiting", "position": group.waiting})


def approve_application(command: ApproveApplication, work: Work, settings: Settings) -> Reply:
    """The owner's yes: a seat, or a place in the row."""
    group, member = applicant(command, work, settings)
    work.cancel(timer(member))
    note(work, group.id, "approved", by=command.person_id, person=member.person_id)
    member = core.aged(member, work.now, settings)
    state = "member" if seat(group, member, command.person_id, work, settings).status == 201 else "waiting"
    return Reply(status=200, body={"group_id": group.id, "person_id": member.person_id, "state": state})


def reject_application(command: RejectApplication, work: Work, settings: Settings) -> Reply:
    """The owner's no."""
    group, member = applicant(command, work, settings)
    work.cancel(timer(member))
    tell(work.put(core.rejected(member, work.now, settings)), "rejected", work)
    note(work, group.id, "rejected", by=command.person_id, person=member.person_id, why=command.reason)
    return Reply(status=200, body={"group_id": group.id, "person_id": member.person_id, "state": "rejected"})


def applicant(command: ApproveApplication | RejectApplication, work: Work, settings: Settings) -> tuple[Group, Member]:
    """Group and applicant, where the caller may answer."""
    group, reviewer = (
        work.get(Group, command.group_id),
        work.get(Member, member_id(command.group_id, command.person_id)),
    )
    member = work.get(Member, member_id(command.group_id, command.applicant))
    return core.reviewed(group, member, command.person_id, reviewer, settings)


def leave_group(command: LeaveGroup, work: Work) -> Reply:
    """Leave in one call; what was earned is kept for a return."""
    act = give_back(command.group_id, command.person_id, None, work)
    note(work, command.group_id, act, by=command.person_id, person=command.person_id)
    return Reply(status=204, body={})


def remove_member(command: RemoveMember, work: Work, settings: Settings) -> Reply:
    """Put somebody out, for a reason; they may come back, but not at once."""
    core.owned(work.get(Group, command.group_id), command.person_id)
    if not command.reason:
        raise Rejected("reason-missing", 422, detail="Say why: the reason stands in the audit.")
    give_back(command.group_id, command.member, core.removal(work.now, settings), work)
    note(work, command.group_id, "removed", by=command.person_id, person=command.member, why=command.reason)
    return Reply(status=204, body={})


def give_back(group_id: str, person_id: str, bar: Bar | None, work: Work) -> Act:
    """Free what the person has here; what that was."""
    before = work.get(Member, member_id(group_id, person_id))
    group, after = core.leave(work.get(Group, group_id), before, bar)
    after = work.put(after)
    was = before.state if before else ""
    if was == "member":
        work.emit(MemberLeft(group_id=group_id, person_id=person_id, removed=bar is not None), after)
    else:
        work.cancel(timer(after))
        tell(after, "withdrawn" if bar is None else "rejected", work)
    keep(group, work)
    return "left" if was == "member" else "withdrew"


# -- in the lane of the group -------------------------------------------------------------------------------


def seat_offered(event: SeatOffered, work: Work) -> str | None:
    """Find out whose place it is."""
    place = work.get(Place, place_id(event.group_id, event.place))
    if place is None or place.ended is not None:
        return "over"
    work.emit(SeatAssigned(group_id=event.group_id, place=event.place, person_id=place.person_id))
    return None


def seat_assigned(event: SeatAssigned, work: Work, settings: Settings) -> str | None:
    """Seat the person, or pass the seat on if they no longer wait."""
    place = work.get(Place, place_id(event.group_id, event.place))
    group, member = work.get(Group, event.group_id), work.get(Member, member_id(event.group_id, event.person_id))
    if place is None or place.ended is not None or group is None or member is None:
        return "over"
    work.put(replace(place, ended=work.now))
    came = core.called(group, core.aged(member, work.now, settings), event.place, work.now)
    if came is None:
        keep(replace(group, held=group.held - 1), work)
        return "passed-over"
    group, member = came
    welcome(work.put(member), "", work)
    keep(group, work)
    return None


def application_unanswered(reminder: ApplicationUnanswered, work: Work) -> str | None:
    """Nobody has answered in time: say so, once."""
    before = work.get(Member, member_id(reminder.group_id, reminder.person_id))
    member = core.escalated(before, reminder.applied_at)
    if member is None:
        return "answered"
    tell(work.put(member), "escalated", work)
    note(work, member.group_id, "escalated", person=member.person_id)
    return None


# -- small things -------------------------------------------------------------------------------------------


def welcome(member: Member, by: str, work: Work) -> None:
    """Tell of a new member."""
    work.emit(MemberJoined(group_id=member.group_id, person_id=member.person_id, tier=member.tier), member)
    note(work, member.group_id, "joined", by=by, person=member.person_id)


def tell(member: Member, state: State, work: Work) -> None:
    """How the person stands at the door."""
    place = member.application.place if member.application else 0
    work.emit(
        ApplicationChanged(group_id=member.group_id, person_id=member.person_id, state=state, place=place), member
    )


def guest(group_id: str, person_id: str, settings: Settings) -> Member:
    """Somebody who is not in the group, with nothing earned."""
    lowest = settings.tiers[0].name
    return Member(id=member_id(group_id, person_id), group_id=group_id, person_id=person_id, tier=lowest)


def timer(member: Member) -> str:
    """The name of the timer of an application."""
    return f"application:{member.id}"
