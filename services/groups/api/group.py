"""The routes of groups and their members."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.groups import core
from services.groups.core import Group
from services.groups.handlers import ChangeGroup, JoinGroup, LeaveGroup, OpenGroup
from services.groups.store import Store
from shared.desk import Calling, Desk
from shared.errors import Rejected
from shared.http import Body, Id, Someone, problems

Answer = Annotated[str, Field(min_length=1, max_length=200)]


class NewCharter(Body):
    """All six parts of what a group is for."""

    purpose: str = Field(min_length=1, max_length=2_000, examples=["一起找附近安静的咖啡馆"])
    audience: str = Field(min_length=1, max_length=2_000, examples=["在家办公的人"])
    rules: str = Field(min_length=1, max_length=2_000, examples=["只谈去过的店, 不发广告"])
    rewards: str = Field(min_length=1, max_length=2_000, examples=["回答被采纳的人升为贡献者"])
    service: str = Field(min_length=1, max_length=2_000, examples=["提问一天内有人回应"])
    exit: str = Field(min_length=1, max_length=2_000, examples=["随时退出, 随时回来"])


class NewQuestion(Body):
    """What the group asks at its door."""

    text: str = Field(min_length=1, max_length=200, examples=["你最常去哪一带?"])
    accepted: tuple[Answer, ...] = Field(min_length=1, max_length=20, examples=[["老城区", "old town"]])


class NewGroup(Body):
    """A group to found."""

    name: str = Field(min_length=1, max_length=100, examples=["老城咖啡馆地图"])
    charter: NewCharter
    seats: int = Field(ge=1, le=100_000, examples=[50])
    question: NewQuestion | None = None


class NewMember(Body):
    """What a person says at the door."""

    answer: Answer | None = Field(default=None, examples=["老城区"])


class Change(Body):
    """What the owner changes."""

    state: Literal["open", "closed"]


class GroupFounded(BaseModel):
    group_id: str
    created_at: datetime


class Joined(BaseModel):
    group_id: str
    person_id: str
    tier: str


class Changed(BaseModel):
    group_id: str
    state: Literal["open", "closed"]


class CharterView(BaseModel):
    purpose: str
    audience: str
    rules: str
    rewards: str
    service: str
    exit: str


class GroupView(BaseModel):
    """A group as anybody sees it; the accepted answers stay inside."""

    group_id: str
    owner_id: str
    name: str
    charter: CharterView
    question: str | None
    state: Literal["open", "closed"]
    seats: int
    members: int
    created_at: datetime

    @classmethod
    def of(cls, group: Group) -> "GroupView":
        """The view of a group."""
        return cls(
            group_id=group.id,
            owner_id=group.owner_id,
            name=group.name,
            charter=CharterView(**{part: getattr(group.charter, part) for part in core.CHARTER_PARTS}),
            question=group.question.text if group.question else None,
            state=group.state,
            seats=group.seats,
            members=group.members,
            created_at=group.created_at,
        )


class Contributions(BaseModel):
    answer_accepted: int
    advice_taken: int


class MemberView(BaseModel):
    """A member, with what earned the tier."""

    group_id: str
    person_id: str
    tier: str
    contributions: Contributions
    joined_at: datetime | None


UNKNOWN = {404: ["unknown-group"]}


def routes(desk: Desk, store: Store) -> APIRouter:
    """Founding, reading, changing, joining, leaving."""
    api = APIRouter(prefix="/v1/groups", tags=["groups"])

    @api.post("", status_code=201, response_model=GroupFounded, responses=problems(400, 422, 503))
    async def open_group(body: NewGroup, call: Calling) -> Response:
        """Found a group. A missing part of the charter is named in the 422."""
        parts = {part: getattr(body.charter, part) for part in core.CHARTER_PARTS}
        asked = body.question
        command = OpenGroup(
            person_id=call.person,
            group_id=call.new_id("group"),
            name=body.name,
            charter=core.Charter(**parts),
            seats=body.seats,
            question=core.Question(asked.text, asked.accepted) if asked else None,
        )
        return await desk.handle(command, call)

    @api.get("/{group_id}", responses=problems(404, types=UNKNOWN))
    async def read_group(group_id: Id, _: Someone) -> GroupView:
        """Read a group."""
        group = await store.group(group_id)
        if group is None:
            raise Rejected("unknown-group", 404)
        return GroupView.of(group)

    @api.patch("/{group_id}", response_model=Changed, responses=problems(400, 403, 404, 422, 503, types=UNKNOWN))
    async def change_group(group_id: Id, body: Change, call: Calling) -> Response:
        """The owner opens or closes the door."""
        return await desk.handle(ChangeGroup(person_id=call.person, group_id=group_id, state=body.state), call)

    @api.post(
        "/{group_id}/members",
        status_code=201,
        response_model=Joined,
        responses=problems(
            400, 403, 404, 409, 422, 503, types={**UNKNOWN, 403: ["wrong-answer", "group-full", "group-closed"]}
        ),
    )
    async def join_group(group_id: Id, call: Calling, body: NewMember | None = None) -> Response:
        """Take a seat: 201, or 403 with the reason. Seats are exact, however many ask at once."""
        answer = body.answer if body else None
        return await desk.handle(JoinGroup(person_id=call.person, group_id=group_id, answer=answer), call)

    @api.delete(
        "/{group_id}/members/me",
        status_code=204,
        responses=problems(400, 404, 422, 503, types={404: ["unknown-group", "not-a-member"]}),
    )
    async def leave_group(group_id: Id, call: Calling) -> Response:
        """Leave in one call."""
        return await desk.handle(LeaveGroup(person_id=call.person, group_id=group_id), call)

    @api.get("/{group_id}/members/{person_id}", responses=problems(404, types={404: ["not-a-member"]}))
    async def read_member(group_id: Id, person_id: Id, _: Someone) -> MemberView:
        """A member's tier and what earned it."""
        member = await store.member(group_id, person_id)
        if member is None or member.state != "member":
            raise Rejected("not-a-member", 404)
        return MemberView(
            group_id=group_id,
            person_id=person_id,
            tier=member.tier,
            contributions=Contributions(answer_accepted=member.answer_accepted, advice_taken=member.advice_taken),
            joined_at=member.joined_at,
        )

    return api
