"""Founding a group, and what its owner changes."""

from typing import Literal

from services.groups import core
from services.groups.core import Charter, Group, Question
from shared.contracts import groups as events
from shared.contracts.groups import GroupChanged, GroupOpened
from shared.errors import Rejected
from shared.flow.router import Command, Reply
from shared.flow.work import Work


class OpenGroup(Command, frozen=True, kw_only=True):
    """Found a group."""

    group_id: str
    name: str
    charter: Charter
    seats: int
    question: Question | None


class ChangeGroup(Command, frozen=True, kw_only=True):
    """Open or close one's group."""

    group_id: str
    state: Literal["open", "closed"]


def open_group(command: OpenGroup, work: Work) -> Reply:
    """Found a group, and tell its charter."""
    if work.get(Group, command.group_id):
        raise Rejected("idempotency-key-reused", 422)
    group = work.put(
        Group(
            id=command.group_id,
            owner_id=command.person_id,
            name=command.name,
            charter=command.charter,
            seats=command.seats,
            question=command.question,
            created_at=work.now,
        )
    )
    charter = events.Charter(**{part: getattr(command.charter, part) for part in core.CHARTER_PARTS})
    work.emit(
        GroupOpened(group_id=group.id, owner_id=group.owner_id, name=group.name, charter=charter, seats=group.seats),
        group,
    )
    return Reply(status=201, body={"group_id": group.id, "created_at": work.now.isoformat()})


def change_group(command: ChangeGroup, work: Work) -> Reply:
    """Open or close the door."""
    group, news = core.change(work.get(Group, command.group_id), command.person_id, command.state)
    if news:
        group = work.put(group)
        tell(group, work)
    return Reply(status=200, body={"group_id": group.id, "state": group.state})


def tell(group: Group, work: Work) -> None:
    """The group's public state."""
    work.emit(GroupChanged(group_id=group.id, state=group.state, seats=group.seats, members=group.members), group)
