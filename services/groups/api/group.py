"""The routes of groups and their members."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.groups import core
from services.groups.core import Act, Entry, Group
from services.groups.handlers import ChangeGroup, OpenGroup
from services.groups.store import Store
from shared.contracts.event import Cell
from shared.desk import Calling, Desk
from shared.errors import Rejected
from shared.http import Body, Cursor, Id, Page, Paging, Someone, page, problems
from shared.place import blurred

from .gate import NewGate, NewQuestion, QuestionView, gate_of, questions_of


class NewCharter(Body):
    """All six parts of what a group is for."""

    purpose: str = Field(min_length=1, max_length=2_000, examples=["一起找附近安静的咖啡馆"])
    audience: str = Field(min_length=1, max_length=2_000, examples=["在家办公的人"])
    rules: str = Field(min_length=1, max_length=2_000, examples=["只谈去过的店, 不发广告"])
    rewards: str = Field(min_length=1, max_length=2_000, examples=["回答被采纳的人升为贡献者"])
    service: str = Field(min_length=1, max_length=2_000, examples=["提问一天内有人回应"])
    exit: str = Field(min_length=1, max_length=2_000, examples=["随时退出, 随时回来"])


class NewGroup(Body):
    """A group to found."""

    name: str = Field(min_length=1, max_length=100, examples=["老城咖啡馆地图"])
    charter: NewCharter
    seats: int = Field(ge=1, le=100_000, examples=[50])
    question: NewQuestion | None = None
    gate: NewGate | None = None
    cell: Cell | None = Field(
        default=None,
        examples=["89309959d73ffff"],
        description="Where it meets, an H3 cell of resolution 9; it is moved by about a kilometre before it is kept.",
    )


class Change(Body):
    """What the owner changes."""

    state: Literal["open", "closed"]


class GroupFounded(BaseModel):
    group_id: str
    created_at: datetime


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
    """A group as anybody sees it; the rule and the accepted answers stay inside. ``question`` is the first one."""

    group_id: str
    owner_id: str
    name: str
    charter: CharterView
    question: str | None
    questions: list[QuestionView]
    state: Literal["open", "closed"]
    seats: int
    members: int
    waiting: int
    created_at: datetime

    @classmethod
    def of(cls, group: Group) -> "GroupView":
        """The view of a group."""
        return cls(
            group_id=group.id,
            owner_id=group.owner_id,
            name=group.name,
            charter=CharterView(**{part: getattr(group.charter, part) for part in core.CHARTER_PARTS}),
            question=group.gate.questions[0].text if group.gate.questions else None,
            questions=questions_of(group.gate),
            state=group.state,
            seats=group.seats,
            members=group.members,
            waiting=group.waiting,
            created_at=group.created_at,
        )


class EntryView(BaseModel):
    """One change: who made it (nobody: a rule), whom it is about, and why."""

    entry_id: str
    at: datetime
    act: Act
    by_id: str | None
    person_id: str | None
    why: str | None
    correlation_id: str

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        """The view of an entry."""
        return cls(
            entry_id=entry.id,
            at=entry.at,
            act=entry.act,
            by_id=entry.by_id or None,
            person_id=entry.person_id or None,
            why=entry.why or None,
            correlation_id=entry.correlation_id,
        )


UNKNOWN = {404: ["unknown-group"]}


def _blurred(cell: str, draw: int) -> str:
    try:
        return blurred(cell, draw)
    except ValueError:
        raise Rejected("unknown-cell", 422, detail="There is no such H3 cell of resolution 9.") from None


def routes(desk: Desk, store: Store) -> APIRouter:
    """Founding, reading, changing."""
    api = APIRouter(prefix="/v1/groups", tags=["groups"])

    @api.post(
        "",
        status_code=201,
        response_model=GroupFounded,
        responses=problems(400, 422, 503, types={422: ["invalid-body", "bad-gate", "unknown-cell"]}),
    )
    async def open_group(body: NewGroup, call: Calling) -> Response:
        """Found a group. A 422 names the missing parts of the charter, or says why nobody could pass the gate."""
        parts = {part: getattr(body.charter, part) for part in core.CHARTER_PARTS}
        command = OpenGroup(
            person_id=call.person,
            group_id=call.new_id("group"),
            name=body.name,
            charter=core.Charter(**parts),
            seats=body.seats,
            gate=gate_of(body.gate, body.question),
            cell=_blurred(body.cell, call.draw("cell")) if body.cell else None,
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

    @api.get("/{group_id}/audit", responses=problems(400, 403, 404, 422, types={**UNKNOWN, 403: ["not-the-owner"]}))
    async def read_audit(group_id: Id, who: Someone, paging: Paging) -> Page[EntryView]:
        """Every change of the group, newest first, for its owner."""
        core.owned(await store.group(group_id), who.person)
        found = page(await store.audit(group_id, paging.after, paging.read), paging.limit, lambda e: Cursor(e.at, e.id))
        return Page(items=[EntryView.of(entry) for entry in found.items], next=found.next)

    return api
