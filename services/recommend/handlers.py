"""When X happens, do Y. The table is at the end."""

from msgspec.structs import replace

from services.recommend.core import GroupProfile, changed, features, learn, opened
from services.recommend.placed import NoteTerms, Suggestions, Visibility, kept
from services.recommend.settings import Settings
from services.recommend.view import ProfilesView
from shared.contracts.groups import GroupChanged, GroupOpened
from shared.contracts.notes import NotePosted, NoteRelayed, NoteVisibilityChanged
from shared.contracts.recommend import GroupsSuggested, ProfileTaught, Reason, Suggestion
from shared.flow.router import Router
from shared.flow.work import Work

# -- events in the lane of the note -------------------------------------------------------------------------


def note_posted(event: NotePosted, work: Work, settings: Settings) -> str | None:
    """Suggest groups for a new note; a relay that came first has waited for its terms."""
    note = work.get(NoteTerms, event.note_id) or NoteTerms(id=event.note_id)
    if note.posted:
        return "known"
    terms = features(event.title, event.text)
    note = work.put(replace(note, terms=tuple(terms.items()), posted=True))
    suggest(event.note_id, terms, work, settings)
    for group_id in note.groups:
        teach(note, group_id, work)
    return None


def suggest(note_id: str, terms: dict[str, int], work: Work, settings: Settings) -> None:
    """The groups that fit, by the profiles as this process knows them now."""
    profiles = work.view(ProfilesView).profiles
    placed = tuple(kept(p) for p in profiles.place(terms, settings.suggestions, settings.floor))
    stored = work.put(Suggestions(id=note_id, groups=placed, model=profiles.model, at=work.now))
    work.emit(
        GroupsSuggested(
            note_id=note_id,
            suggestions=tuple(
                Suggestion(
                    group_id=s.group_id,
                    score=s.score,
                    reasons=tuple(Reason(kind="term", term=r.term, weight=r.weight) for r in s.reasons),
                )
                for s in placed
            ),
            model=stored.model,
        ),
        stored,
    )


def note_relayed(event: NoteRelayed, work: Work) -> str | None:
    """A relay teaches: the note's terms go to the profile of its group."""
    note = work.get(NoteTerms, event.note_id) or NoteTerms(id=event.note_id)
    if event.group_id in note.groups:
        return "known"
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


def teach(note: NoteTerms, group_id: str, work: Work) -> None:
    """Hand the terms over to the lane of the group."""
    work.emit(ProfileTaught(group_id=group_id, note_id=note.id, terms=note.terms))


# -- events in the lane of the group ------------------------------------------------------------------------


def group_opened(event: GroupOpened, work: Work) -> str | None:
    """A charter is what a profile begins with."""
    profile = work.get(GroupProfile, event.group_id) or GroupProfile(id=event.group_id)
    if profile.name:
        return "known"
    charter = event.charter
    work.put(opened(profile, event.name, purpose=charter.purpose, audience=charter.audience, seats_left=event.seats))
    return None


def group_changed(event: GroupChanged, work: Work) -> str | None:
    """Follow seats and state, so that no full or closed group is suggested."""
    profile = work.get(GroupProfile, event.group_id) or GroupProfile(id=event.group_id)
    left = max(0, event.seats - event.members)
    after = changed(profile, state=event.state, seats_left=left, sequence=work.cause.sequence)
    if after is profile:
        return "older"
    work.put(after)
    return None


def profile_taught(event: ProfileTaught, work: Work) -> None:
    """Learn a note that was relayed to the group."""
    profile = work.get(GroupProfile, event.group_id) or GroupProfile(id=event.group_id)
    work.put(learn(profile, dict(event.terms)))


def router(settings: Settings) -> Router:
    """Payload -> what it reads -> who decides."""
    table = Router("recommend")
    table.on(
        NotePosted,
        lambda e, w: note_posted(e, w, settings),
        lambda e: [(NoteTerms, e.note_id), (Suggestions, e.note_id)],
        name="note_posted",
    )
    table.on(NoteRelayed, note_relayed, lambda e: [(NoteTerms, e.note_id)])
    table.on(NoteVisibilityChanged, note_visibility_changed, lambda e: [(Visibility, e.note_id)])
    table.on(GroupOpened, group_opened, lambda e: [(GroupProfile, e.group_id)])
    table.on(GroupChanged, group_changed, lambda e: [(GroupProfile, e.group_id)])
    table.on(ProfileTaught, profile_taught, lambda e: [(GroupProfile, e.group_id)])
    return table
