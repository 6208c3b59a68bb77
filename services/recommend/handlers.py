"""When X happens, do Y. The table is at the end."""

from msgspec.structs import replace

from services.recommend.core import (
    Circle,
    GroupProfile,
    Person,
    Turn,
    answered,
    changed,
    features,
    joined,
    learn,
    left,
    opened,
    saw,
    turn,
    turned,
)
from services.recommend.placed import NoteTerms, Suggestions, Visibility, kept
from services.recommend.settings import Settings
from services.recommend.view import ProfilesView
from shared.contracts.groups import GroupChanged, GroupOpened, MemberJoined, MemberLeft
from shared.contracts.notes import NotePosted, NoteRelayed, NoteVisibilityChanged
from shared.contracts.recommend import (
    CircleTurned,
    FeedbackGiven,
    FeedbackKind,
    GroupsSuggested,
    MembershipHeard,
    ProfileTaught,
    Reason,
    Suggestion,
)
from shared.errors import Rejected
from shared.flow.router import Command, Reply, Router
from shared.flow.work import Work


class GiveFeedback(Command, frozen=True, kw_only=True):
    """Say what one thinks of a suggested group."""

    group_id: str
    kind: FeedbackKind


# -- commands -----------------------------------------------------------------------------------------------


def give_feedback(command: GiveFeedback, work: Work) -> Reply:
    """Hand it over to the lane of the person; a group that nobody has opened is refused."""
    profile = work.get(GroupProfile, command.group_id)
    if profile is None or not profile.name:
        raise Rejected("unknown-group", 404)
    given = FeedbackGiven(person_id=command.person_id, group_id=command.group_id, kind=command.kind)
    work.emit(given)
    return Reply(status=202, body=given.model_dump())


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
    view = work.view(ProfilesView)
    placed = tuple(kept(p) for p in view.profiles.place(terms, settings.suggestions, settings.floor))
    stored = work.put(Suggestions(id=note_id, groups=placed, model=view.model, at=work.now))
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


def member_joined(event: MemberJoined, work: Work) -> None:
    """Hand a join on to the lane of the person."""
    hand_on(event.person_id, event.group_id, work, member=True)


def member_left(event: MemberLeft, work: Work) -> None:
    """Hand a leave on to the lane of the person."""
    hand_on(event.person_id, event.group_id, work, member=False)


def hand_on(person_id: str, group_id: str, work: Work, *, member: bool) -> None:
    """The membership's own sequence goes along: by it the person tells newer from older."""
    sequence = work.cause.sequence
    work.emit(MembershipHeard(person_id=person_id, group_id=group_id, member=member, sequence=sequence))


def circle_turned(event: CircleTurned, work: Work) -> None:
    """Count what somebody's change of memberships means for this group."""
    circle = work.get(Circle, event.group_id) or Circle(id=event.group_id)
    work.put(turn(circle, Turn(event.members, event.shares)))


# -- events in the lane of the person -----------------------------------------------------------------------


def membership_heard(event: MembershipHeard, work: Work) -> str | None:
    """Follow where a person is, and tell the groups whose pairs that changes."""
    before = work.get(Person, event.person_id) or Person(id=event.person_id)
    after = (joined if event.member else left)(before, event.group_id, event.sequence)
    if after is before:
        return "older"
    work.put(after)
    for group_id, change in turned(before, after).items():
        work.emit(CircleTurned(group_id=group_id, members=change.members, shares=change.shares))
    return None


def feedback_given(event: FeedbackGiven, work: Work) -> str | None:
    """Keep what the next list must respect."""
    before = work.get(Person, event.person_id) or Person(id=event.person_id)
    if event.kind == "seen":
        after = saw(before, [event.group_id], work.now)
    else:
        after = answered(before, event.group_id, "joined" if event.kind == "joined" else "refused", work.now)
    if after is before:
        return "known"
    work.put(after)
    return None


def router(settings: Settings) -> Router:
    """Payload -> what it reads -> who decides."""
    table = Router("recommend")
    table.on(GiveFeedback, give_feedback, lambda c: [(GroupProfile, c.group_id)])
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
    table.on(MemberJoined, member_joined, lambda e: [])
    table.on(MemberLeft, member_left, lambda e: [])
    table.on(CircleTurned, circle_turned, lambda e: [(Circle, e.group_id)])
    table.on(MembershipHeard, membership_heard, lambda e: [(Person, e.person_id)])
    table.on(FeedbackGiven, feedback_given, lambda e: [(Person, e.person_id)])
    return table
