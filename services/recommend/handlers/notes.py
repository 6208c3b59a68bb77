"""In the lane of the note: what it is about, which groups fit it, and what it teaches those it was relayed to."""

from functools import partial

from msgspec.structs import replace

from services.recommend.core import (
    NoteTerms,
    features,
    graded,
    is_due,
    located,
    remarked,
    removed,
    said,
    unsaid,
    veiled,
    written,
)
from services.recommend.placed import Suggestions, Visibility, kept, read_back, told
from services.recommend.settings import Settings
from services.recommend.state import suggestions
from services.recommend.view import ProfilesView, PulsesView
from shared.contracts.notes import (
    CommentDeleted,
    CommentPosted,
    CommentRevised,
    CommentVisibilityChanged,
    NoteDeleted,
    NotePosted,
    NoteRelayed,
    NoteRevised,
    NoteVisibilityChanged,
)
from shared.contracts.recommend import (
    GroupsSuggested,
    ProfileTaught,
    ProfileUntaught,
    SuggestionsWithdrawn,
)
from shared.flow.known import is_known
from shared.flow.parts import cut
from shared.flow.router import Reminder
from shared.flow.work import Work

AT_ONCE = 100
"""Groups that hear of a note's new text from one input: with the most terms that is a megabyte of events."""
SPARE = 2
"""So many times the groups that are suggested are looked at, because some are dead, or answer badly."""
Terms = tuple[tuple[str, int], ...]


class NoteRelearned(Reminder, frozen=True, kw_only=True):
    """These groups are to forget a note's `old` terms, and to learn the `new` ones. A part of a large input."""

    note_id: str
    group_ids: tuple[str, ...]
    old: Terms | None
    new: Terms | None


def note_posted(event: NotePosted, work: Work, settings: Settings) -> str | None:
    """Suggest groups for a new note; what came first has waited for it."""
    before = note_of(event.note_id, work)
    # Without a title it is of somebody who was erased: their notes are nowhere.
    after = located(before, event.cell or "", work.now) if event.title else before
    if after is not before:
        work.put(after)
    return write(event, 0, work, settings)


def note_revised(event: NoteRevised, work: Work, settings: Settings) -> str | None:
    """Suggest by the text that others see now, and teach it in place of the one before."""
    return write(event, event.revision, work, settings)


def write(event: NotePosted | NoteRevised, revision: int, work: Work, settings: Settings) -> str | None:
    """Take up a text of a note."""
    before = note_of(event.note_id, work)
    after = written(before, event.author_id, features(event.title, event.text), revision)
    if after is before:
        return "known"
    note = work.put(after)
    if not before.posted or before.terms != note.terms:
        relearn(note, before.terms if before.posted else None, note.terms, work)
    return suggest(note, work, settings)


def note_deleted(event: NoteDeleted, work: Work) -> str | None:
    """Forget the text, here and in the groups that learned it, and take the suggestions back."""
    before = note_of(event.note_id, work)
    if before.gone:
        return "known"
    work.put(removed(before))
    if before.posted:
        relearn(before, before.terms, None, work)
    made = work.get(Suggestions, event.note_id)
    if made is not None and not work.past:
        stored = work.put(replace(made, groups=(), withdrawn=True, at=work.now))
        work.emit(SuggestionsWithdrawn(note_id=event.note_id), stored)
    return None


def note_relayed(event: NoteRelayed, work: Work) -> str | None:
    """A relay teaches: the note's terms go to the profile of its group."""
    note = note_of(event.note_id, work)
    if note.gone or event.group_id in note.groups:
        return "gone" if note.gone else "known"
    note = work.put(replace(note, groups=(*note.groups, event.group_id)))
    if not note.posted:
        return "early"
    teach(note, event.group_id, work)
    return None


def note_visibility_changed(event: NoteVisibilityChanged, work: Work) -> str | None:
    """Follow what a verdict made of a note."""
    known = work.get(Visibility, event.note_id) or Visibility(id=event.note_id, hidden=False, sequence=0)
    if work.cause.sequence <= known.sequence:
        return "older"
    work.put(replace(known, hidden=event.hidden, sequence=work.cause.sequence))
    return None


# -- its comments -------------------------------------------------------------------------------------------


def comment_posted(event: CommentPosted, work: Work, settings: Settings) -> str | None:
    """Read one of a note's first comments; from time to time look whether the talk has moved the note."""
    before = note_of(event.note_id, work)
    after = remarked(before, event.comment_id, event.author_id, event.text, 0)
    if after is before:
        return "unread"
    note = work.put(after)
    return suggest(note, work, settings) if is_due(note) else None


def comment_revised(event: CommentRevised, work: Work, settings: Settings) -> str | None:
    """Read a comment as it is now."""
    before = note_of(event.note_id, work)
    after = remarked(before, event.comment_id, event.author_id, event.text, event.revision)
    return rethink(before, after, work, settings)


def comment_deleted(event: CommentDeleted, work: Work, settings: Settings) -> str | None:
    """Forget a comment."""
    before = note_of(event.note_id, work)
    return rethink(before, unsaid(before, event.comment_id), work, settings)


def comment_visibility_changed(event: CommentVisibilityChanged, work: Work, settings: Settings) -> str | None:
    """A comment that others cannot read says nothing."""
    before = note_of(event.note_id, work)
    after = veiled(before, event.comment_id, hidden=event.hidden, sequence=work.cause.sequence)
    return rethink(before, after, work, settings)


def rethink(before: NoteTerms, after: NoteTerms, work: Work, settings: Settings) -> str | None:
    """Keep what a change of a comment has made of the note, and look anew if that changes what is said."""
    if after is before:
        return "unread"
    note = work.put(after)
    return suggest(note, work, settings) if note.posted and said(note) != said(before) else None


# -- what all of them do ------------------------------------------------------------------------------------


def note_of(note_id: str, work: Work) -> NoteTerms:
    """The note as far as it is known."""
    return work.get(NoteTerms, note_id) or NoteTerms(id=note_id)


def suggest(note: NoteTerms, work: Work, settings: Settings) -> str | None:
    """The groups that fit, by the profiles as this process knows them now; told when a reader would notice."""
    if work.past:
        return "told"
    view, health = work.view(ProfilesView), work.view(PulsesView)
    fits = view.profiles.place(said(note), SPARE * settings.suggestions, settings.floor)
    alive = [fit for fit in graded(fits, health.pulses, work.now) if fit.score >= settings.floor]
    placed = tuple(map(kept, alive[: settings.suggestions]))
    before = work.get(Suggestions, note.id)
    if before is not None and told(before.groups) == told(placed):
        return "same"
    model = f"{view.model} {health.version}"
    stored = work.put(Suggestions(id=note.id, groups=placed, model=model, at=work.now))
    work.emit(suggestions(stored), stored)
    return None


def teach(note: NoteTerms, group_id: str, work: Work) -> None:
    """Hand the terms over to the lane of the group."""
    work.emit(ProfileTaught(group_id=group_id, note_id=note.id, terms=note.terms))


def relearn(note: NoteTerms, old: Terms | None, new: Terms | None, work: Work) -> None:
    """Have every group of a note forget its old terms and learn the new ones, some groups at a time."""
    news = partial(NoteRelearned, note_id=note.id, old=old, new=new)
    if len(note.groups) <= AT_ONCE:
        note_relearned(news(group_ids=note.groups), work)
    else:
        parts = (news(group_ids=tuple(some)) for some in cut(note.groups, AT_ONCE))
        work.continue_with(parts, ("note", note.id))


def note_relearned(part: NoteRelearned, work: Work) -> None:
    """Tell some groups of a note that its text is another one, or gone."""
    for group_id in part.group_ids:
        if part.old is not None:
            work.emit(ProfileUntaught(group_id=group_id, note_id=part.note_id, terms=part.old))
        if part.new is not None:
            work.emit(ProfileTaught(group_id=group_id, note_id=part.note_id, terms=part.new))


# -- its own decisions, which a rebuild reads back -----------------------------------------------------------


def groups_suggested(event: GroupsSuggested, work: Work) -> str | None:
    """Suggestions as they were told; known, but in a rebuild."""
    known = work.get(Suggestions, event.note_id)
    if is_known(known, work):
        return "known"
    told_then = Suggestions(id=event.note_id, groups=read_back(event.suggestions), model=event.model, at=work.now)
    work.restore(told_then, work.cause.sequence)
    return None


def suggestions_withdrawn(event: SuggestionsWithdrawn, work: Work) -> str | None:
    """That they were taken back; known, but in a rebuild."""
    known = work.get(Suggestions, event.note_id)
    if is_known(known, work):
        return "known"
    made = known or Suggestions(id=event.note_id, groups=(), model="", at=work.now)
    work.restore(replace(made, groups=(), withdrawn=True, at=work.now), work.cause.sequence)
    return None
