"""HTTP of the door: joining, waiting, answering applications, leaving, and what a member has earned."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.groups import core
from services.groups.core import Group, Member
from services.groups.handlers import ApproveApplication, JoinGroup, LeaveGroup, RejectApplication, RemoveMember
from services.groups.settings import Grant, Settings
from services.groups.store import Store
from shared.desk import Calling, Desk
from shared.errors import Rejected
from shared.http import Body, Cursor, Id, Page, Paging, Someone, page, problems

from .gate import Said

Reason = Annotated[str, Field(min_length=1, max_length=500, examples=["第三次发广告"])]


class NewMember(Body):
    """What a person says at the door: answers by question, or the one answer to the only question."""

    answer: Said | None = Field(default=None, examples=["老城区"])
    answers: dict[Id, Said] = Field(default={}, max_length=10, examples=[{"place": "老城区"}])


class Why(Body):
    """A reason, for the audit."""

    reason: Reason


class Joined(BaseModel):
    group_id: str
    person_id: str
    tier: str


class AtTheDoor(BaseModel):
    """Somebody who is not in yet. ``position`` counts from 1; there is none before the owner has spoken."""

    group_id: str
    person_id: str
    state: Literal["pending", "waiting"]
    position: int | None


class Answered(BaseModel):
    group_id: str
    person_id: str
    state: Literal["member", "waiting", "rejected"]


class ApplicationView(AtTheDoor):
    """An application, as the person and the owner see it; ``escalated``: not answered in time."""

    applied_at: datetime
    escalated: bool
    answers: dict[str, str]

    @classmethod
    def of(cls, member: Member, position: int | None) -> "ApplicationView":
        """The view of somebody at the door."""
        application = member.application
        assert application is not None
        return cls(
            group_id=member.group_id,
            person_id=member.person_id,
            state="waiting" if member.state == "waiting" else "pending",
            position=position,
            applied_at=application.at,
            escalated=application.escalated,
            answers=application.answers,
        )


class Contributions(BaseModel):
    answer_accepted: int
    advice_taken: int


class MemberView(BaseModel):
    """A member: the tier, what it allows, and the help that earned it, of all time and within the window."""

    group_id: str
    person_id: str
    tier: str
    grants: list[Grant]
    contributions: Contributions
    recent: Contributions
    joined_at: datetime | None

    @classmethod
    def of(cls, member: Member, settings: Settings) -> "MemberView":
        """The view of a member."""
        kinds = ("answer_accepted", "advice_taken")
        return cls(
            group_id=member.group_id,
            person_id=member.person_id,
            tier=member.tier,
            grants=[grant for rule in settings.tiers if rule.name == member.tier for grant in rule.grants],
            contributions=Contributions(**{kind: getattr(member, kind) for kind in kinds}),
            recent=Contributions(**{kind: sum(getattr(day, kind) for day in member.days) for kind in kinds}),
            joined_at=member.joined_at,
        )


_START, _STEP = datetime(2000, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
UNKNOWN = ["unknown-group"]
SHUT = ["wrong-answer", "not-admitted", "too-early", "group-full", "group-closed"]
OWNER = ["not-the-owner"]


def routes(desk: Desk, store: Store, settings: Settings) -> APIRouter:
    """Everything about people in a group and at its door."""
    api = APIRouter(prefix="/v1/groups/{group_id}", tags=["members"])
    _coming_and_going(api, desk)
    _answering(api, desk)
    _reading(api, store, settings)
    return api


def _coming_and_going(api: APIRouter, desk: Desk) -> None:
    @api.post(
        "/members",
        status_code=201,
        response_model=Joined,
        responses={
            202: {"model": AtTheDoor, "description": "In the waiting list, or waiting for the owner's answer."},
            **problems(
                400,
                503,
                types={
                    403: SHUT,
                    404: UNKNOWN,
                    409: ["already-a-member", "already-waiting"],
                    422: ["invalid-body", "no-question", "no-such-option"],
                },
            ),
        },
    )
    async def join_group(group_id: Id, call: Calling, body: NewMember | None = None) -> Response:
        """Knock: 201 is a seat, 202 a place in the waiting list or with the owner, 403 says why not and until when.

        Seats are exact and the waiting list is fair, however many ask at once.
        """
        said = body or NewMember()
        command = JoinGroup(person_id=call.person, group_id=group_id, answer=said.answer, answers=said.answers)
        return await desk.handle(command, call)

    @api.delete(
        "/members/{person_id}",
        status_code=204,
        responses=problems(
            400,
            503,
            types={403: OWNER, 404: ["unknown-group", "not-a-member"], 422: ["invalid-body", "reason-missing"]},
        ),
    )
    async def leave_or_remove(group_id: Id, person_id: Id, call: Calling, body: Why | None = None) -> Response:
        """Leave in one call (`me` or one's own id): the group, its waiting list, or its owner's desk.

        The owner may remove others and says why; they may not knock again for a while.
        """
        if person_id in ("me", call.person):
            return await desk.handle(LeaveGroup(person_id=call.person, group_id=group_id), call)
        reason = body.reason if body else ""
        command = RemoveMember(person_id=call.person, group_id=group_id, member=person_id, reason=reason)
        return await desk.handle(command, call)


def _answering(api: APIRouter, desk: Desk) -> None:
    refusals = problems(
        400,
        422,
        503,
        types={403: [*OWNER, "group-full"], 404: ["unknown-group", "no-application"], 409: ["already-answered"]},
    )

    @api.post("/applications/{person_id}/approve", response_model=Answered, responses=refusals)
    async def approve_application(group_id: Id, person_id: Id, call: Calling) -> Response:
        """The owner's yes, or that of a member whose tier grants `review`: a seat, or a place in the waiting list."""
        return await desk.handle(
            ApproveApplication(person_id=call.person, group_id=group_id, applicant=person_id), call
        )

    @api.post("/applications/{person_id}/reject", response_model=Answered, responses=refusals)
    async def reject_application(group_id: Id, person_id: Id, body: Why, call: Calling) -> Response:
        """The owner's no, for a reason."""
        return await desk.handle(
            RejectApplication(person_id=call.person, group_id=group_id, applicant=person_id, reason=body.reason), call
        )


def _reading(api: APIRouter, store: Store, settings: Settings) -> None:
    async def reviewed(group_id: str, person: str) -> Group:
        group = core.known(await store.group(group_id))
        if not core.may_review(group, person, await store.member(group_id, person), settings):
            raise Rejected("not-the-owner", 403, detail="Only those who answer applications see them.")
        return group

    lists = problems(400, 422, types={403: OWNER, 404: UNKNOWN})

    @api.get("/applications", responses=lists)
    async def read_applications(group_id: Id, who: Someone, paging: Paging) -> Page[ApplicationView]:
        """Who waits for the owner's answer, the oldest first."""
        await reviewed(group_id, who.person)
        found = page(await store.pending(group_id, paging.after, paging.read), paging.limit, _applied)
        return Page(items=[ApplicationView.of(member, None) for member in found.items], next=found.next)

    @api.get("/waiting", responses=lists)
    async def read_waiting(group_id: Id, who: Someone, paging: Paging) -> Page[ApplicationView]:
        """The waiting list in its order."""
        group = await reviewed(group_id, who.person)
        first = (paging.after.at - _START) // _STEP if paging.after else 0
        found = page(await store.waiting(group_id, first, paging.read), paging.limit, _queued)
        ahead = await store.ahead(group_id, first + 1) if group.waiting else 0
        shown = [ApplicationView.of(member, ahead + n) for n, member in enumerate(found.items, start=1)]
        return Page(items=shown, next=found.next)

    @api.get(
        "/applications/{person_id}",
        responses=problems(422, types={403: OWNER, 404: ["unknown-group", "no-application"]}),
    )
    async def read_application(group_id: Id, person_id: Id, who: Someone) -> ApplicationView:
        """How somebody stands at the door, for themselves (`me` or their id) and for those who answer."""
        person = who.person if person_id == "me" else person_id
        if person == who.person:
            core.known(await store.group(group_id))
        else:
            await reviewed(group_id, who.person)
        member = await store.member(group_id, person)
        if member is None or member.application is None:
            raise Rejected("no-application", 404)
        place = member.application.place
        return ApplicationView.of(member, await store.ahead(group_id, place) + 1 if place else None)

    @api.get("/members/{person_id}", responses=problems(404, types={404: ["not-a-member"]}))
    async def read_member(group_id: Id, person_id: Id, _: Someone) -> MemberView:
        """A member's tier and what earned it."""
        member = await store.member(group_id, person_id)
        if member is None or member.state != "member":
            raise Rejected("not-a-member", 404)
        return MemberView.of(core.aged(member, datetime.now(UTC), settings), settings)


def _queued(member: Member) -> Cursor:
    """A place in the row as a cursor, which knows of times only."""
    assert member.application is not None
    return Cursor(_START + member.application.place * _STEP, member.id)


def _applied(member: Member) -> Cursor:
    assert member.application is not None
    return Cursor(member.application.at, member.id)
