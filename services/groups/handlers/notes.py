"""In the lane of the note: help is told on, by group."""

from collections.abc import Iterable

from services.groups import core
from services.groups.core import Help, RelayedNote
from shared.contracts.groups import ContributionMade
from shared.contracts.notes import AdviceTaken, NeedAnswered, NoteRelayed
from shared.flow.work import Work


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
