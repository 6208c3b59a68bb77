"""Notes that were handed over to groups, and who helped in them."""

from typing import ClassVar

import msgspec
from msgspec.structs import replace

from shared.contracts.groups import ContributionKind
from shared.flow.documents import Document


class Help(msgspec.Struct, frozen=True):
    """Something useful that a person did in a note."""

    kind: ContributionKind
    person_id: str
    source_id: str


class RelayedNote(Document, frozen=True, kw_only=True):
    """What groups knows of a note: who helped in it, and which groups it was handed over to.

    Help and relay may come in any order; each pair of them makes one contribution.
    """

    COLLECTION: ClassVar[str] = "notes"
    REBUILT: ClassVar[bool] = True

    groups: tuple[str, ...] = ()
    helps: tuple[Help, ...] = ()


def helped(note: RelayedNote, help_: Help) -> tuple[RelayedNote, list[tuple[str, Help]]]:
    """The note with a help more, and the contributions that it makes: one for each group of the note."""
    if help_ in note.helps:
        return note, []
    return replace(note, helps=(*note.helps, help_)), [(group, help_) for group in note.groups]


def relayed(note: RelayedNote, group_id: str) -> tuple[RelayedNote, list[tuple[str, Help]]]:
    """The note with a group more, and the contributions that this makes: one for each help given before."""
    if group_id in note.groups:
        return note, []
    return replace(note, groups=(*note.groups, group_id)), [(group_id, help_) for help_ in note.helps]
