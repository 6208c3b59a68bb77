"""Founding a group, and what its owner changes."""

from typing import Literal

from services.groups import core
from services.groups.core import Charter, Gate, Group
from services.groups.settings import Settings
from services.groups.state import group as told
from shared.contracts import groups as events
from shared.contracts.groups import GroupOpened, SeatOffered
from shared.errors import Rejected
from shared.flow.router import Command, Reply
from shared.flow.work import Work

from .audit import note


class OpenGroup(Command, frozen=True, kw_only=True):
    """Found a group."""

    group_id: str
    name: str
    charter: Charter
    seats: int
    gate: Gate = Gate()
    cell: str | None = None


class ChangeGroup(Command, frozen=True, kw_only=True):
    """Open or close one's group."""

    group_id: str
    state: Literal["open", "closed"]


def open_group(command: OpenGroup, work: Work, settings: Settings) -> Reply:
    """Found a group, and tell its charter. A gate that nobody could pass is refused."""
    if work.get(Group, command.group_id):
        raise Rejected("idempotency-key-reused", 422)
    if wrong := list(core.faults(command.gate, [rule.name for rule in settings.tiers])):
        raise Rejected("bad-gate", 422, detail="; ".join(wrong), extra={"faults": wrong})
    fields = {name: getattr(command, name) for name in ("name", "charter", "seats", "gate")}
    group = work.put(Group(id=command.group_id, owner_id=command.person_id, created_at=work.now, **fields))
    charter = events.Charter(**{part: getattr(command.charter, part) for part in core.CHARTER_PARTS})
    by, name, seats = group.owner_id, group.name, group.seats
    opened = GroupOpened(group_id=group.id, owner_id=by, name=name, charter=charter, seats=seats, cell=command.cell)
    work.emit(opened, group)
    note(work, group.id, "opened", by=command.person_id)
    return Reply(status=201, body={"group_id": group.id, "created_at": work.now.isoformat()})


def change_group(command: ChangeGroup, work: Work) -> Reply:
    """Open or close the door; behind an open one the waiting list moves on."""
    group, news = core.change(work.get(Group, command.group_id), command.person_id, command.state)
    if news:
        group = keep(group, work)
        note(work, group.id, "reopened" if command.state == "open" else "closed", by=command.person_id)
    return Reply(status=200, body={"group_id": group.id, "state": group.state})


def keep(group: Group, work: Work) -> Group:
    """Store a group, tell how it stands, and offer what seats are free to those who wait."""
    group, places = core.offer(group)
    group = work.put(group)
    work.emit(told(group), group)
    for place in places:
        work.emit(SeatOffered(group_id=group.id, place=place))
    return group
