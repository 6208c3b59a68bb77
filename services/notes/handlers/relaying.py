"""Relays, and what notes must know of groups for them."""

from msgspec.structs import replace

from services.notes import core
from services.notes.core import GroupCard, Note, Relay
from services.notes.handlers.commands import RelayNote
from shared.contracts.groups import GroupChanged, GroupOpened
from shared.contracts.notes import NoteRelayed
from shared.flow.router import Reply
from shared.flow.work import Work


def relay_note(command: RelayNote, work: Work) -> Reply:
    """Hand a note over to a group, once for the pair."""
    body = {"note_id": command.note_id, "group_id": command.group_id}
    note, group = work.get(Note, command.note_id), work.get(GroupCard, command.group_id)
    id_ = core.relay_id(command.note_id, command.group_id)
    again = work.get(Relay, id_) is not None
    core.relayable(note, group, command.person_id, any_note=command.any_note, again=again)
    if again:
        return Reply(status=200, body=body)
    relay = Relay(id=id_, note_id=command.note_id, group_id=command.group_id, by_id=command.person_id, at=work.now)
    work.emit(NoteRelayed(note_id=command.note_id, group_id=command.group_id, by_id=command.person_id), work.put(relay))
    return Reply(status=201, body=body)


def note_relayed(event: NoteRelayed, work: Work) -> str | None:
    """Note where the talk goes on."""
    note = work.get(Note, event.note_id)
    if note is None or event.group_id in note.groups:
        return "unknown" if note is None else "known"
    work.put(replace(note, groups=(*note.groups, event.group_id)))
    return None


def group_opened(event: GroupOpened, work: Work) -> None:
    """Learn of a group. Its changes may have come first, after a crash."""
    card = work.get(GroupCard, event.group_id) or GroupCard(id=event.group_id)
    seats = event.seats if card.sequence == 0 else card.seats
    work.put(replace(card, owner_id=event.owner_id, name=event.name, seats=seats))


def group_changed(event: GroupChanged, work: Work) -> str | None:
    """Follow a group's seats and state; the higher sequence holds."""
    card = work.get(GroupCard, event.group_id) or GroupCard(id=event.group_id)
    if work.cause.sequence <= card.sequence:
        return "older"
    work.put(replace(card, state=event.state, seats=event.seats, members=event.members, sequence=work.cause.sequence))
    return None
