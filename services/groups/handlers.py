"""When X happens, do Y. The table is at the end."""

from collections.abc import Iterable
from typing import Literal

from msgspec.structs import replace

from services.groups import core
from services.groups.core import Charter, Group, Help, Member, Question, RelayedNote, member_id
from services.groups.settings import Settings, TierRule
from shared.contracts import groups as events
from shared.contracts.groups import ContributionMade, GroupChanged, GroupOpened, MemberJoined, MemberLeft, TierChanged
from shared.contracts.notes import AdviceTaken, NeedAnswered, NoteRelayed
from shared.errors import Rejected
from shared.flow.router import Command, Reply, Router
from shared.flow.work import Work

Rules = tuple[TierRule, ...]


class OpenGroup(Command, frozen=True, kw_only=True):
    """Found a group."""

    group_id: str
    name: str
    charter: Charter
    seats: int
    question: Question | None


class JoinGroup(Command, frozen=True, kw_only=True):
    """Take a seat."""

    group_id: str
    answer: str | None


class LeaveGroup(Command, frozen=True, kw_only=True):
    """Give one's seat back."""

    group_id: str


class ChangeGroup(Command, frozen=True, kw_only=True):
    """Open or close one's group."""

    group_id: str
    state: Literal["open", "closed"]


# -- commands; all but the first decide on the group itself, because their answer is an invariant of it -----


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


def join_group(command: JoinGroup, work: Work, rules: Rules) -> Reply:
    """Admit or refuse; the tier is what earlier help has earned."""
    id_ = member_id(command.group_id, command.person_id)
    known = work.get(Member, id_)
    group = core.admit(work.get(Group, command.group_id), known, command.answer)
    known = known or guest(command.group_id, command.person_id, rules)
    tier, _ = core.tier(known, rules)
    member = work.put(replace(known, state="member", tier=tier, joined_at=work.now))
    work.emit(MemberJoined(group_id=group.id, person_id=member.person_id, tier=tier), member)
    tell(work.put(group), work)
    return Reply(status=201, body={"group_id": group.id, "person_id": member.person_id, "tier": tier})


def leave_group(command: LeaveGroup, work: Work) -> Reply:
    """Leave in one call; what was earned is kept for a return."""
    id_ = member_id(command.group_id, command.person_id)
    group, member = core.leave(work.get(Group, command.group_id), work.get(Member, id_))
    work.emit(MemberLeft(group_id=group.id, person_id=member.person_id), work.put(member))
    tell(work.put(group), work)
    return Reply(status=204, body={})


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


def guest(group_id: str, person_id: str, rules: Rules) -> Member:
    """Somebody who is not in the group, with nothing earned."""
    return Member(id=member_id(group_id, person_id), group_id=group_id, person_id=person_id, tier=rules[0].name)


# -- events in the lane of the note: help is told on, by group ----------------------------------------------


def need_answered(event: NeedAnswered, work: Work) -> None:
    """An accepted answer is help."""
    help_(event.note_id, Help("answer_accepted", event.helper_id, event.need_id), work)


def advice_taken(event: AdviceTaken, work: Work) -> None:
    """Advice that the author took is help."""
    help_(event.note_id, Help("advice_taken", event.adviser_id, event.comment_id), work)


def help_(note_id: str, given: Help, work: Work) -> None:
    """Keep the help, and count it in every group that has the note."""
    note, made = core.helped(work.get(RelayedNote, note_id) or RelayedNote(id=note_id), given)
    work.put(note)
    tell_contributions(note_id, made, work)


def note_relayed(event: NoteRelayed, work: Work) -> None:
    """Keep the group, and count in it what help there was."""
    note, made = core.relayed(work.get(RelayedNote, event.note_id) or RelayedNote(id=event.note_id), event.group_id)
    work.put(note)
    tell_contributions(event.note_id, made, work)


def tell_contributions(note_id: str, made: Iterable[tuple[str, Help]], work: Work) -> None:
    """Hand help over to the lanes of the groups."""
    for group_id, given in made:
        work.emit(
            ContributionMade(
                group_id=group_id,
                person_id=given.person_id,
                note_id=note_id,
                source_id=given.source_id,
                kind=given.kind,
            )
        )


# -- events in the lane of the group ------------------------------------------------------------------------


def contribution_made(event: ContributionMade, work: Work, rules: Rules) -> str | None:
    """Count a contribution; a member's tier follows at once, a guest's when they join."""
    if work.get(Group, event.group_id) is None:
        return "unknown"
    id_ = member_id(event.group_id, event.person_id)
    member = work.get(Member, id_) or guest(event.group_id, event.person_id, rules)
    member = core.contribute(member, event.kind)
    tier, reasons = core.tier(member, rules)
    if member.state != "member" or tier == member.tier:
        work.put(member)
        return None
    old = member.tier
    member = work.put(replace(member, tier=tier))
    work.emit(
        TierChanged(group_id=event.group_id, person_id=event.person_id, old=old, new=tier, reasons=reasons), member
    )
    return "tier-changed"


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
