"""When X happens, do Y. The table is at the end."""

from services.recommend.core import Circle, GroupProfile, NoteTerms, Person, Pulse
from services.recommend.handlers.groups import (
    Question,
    circle_turned,
    contribution_made,
    group_changed,
    group_opened,
    member_joined,
    member_left,
    message_posted,
    profile_taught,
    profile_untaught,
    question_turned,
)
from services.recommend.handlers.notes import (
    NoteRelearned,
    comment_deleted,
    comment_posted,
    comment_revised,
    comment_visibility_changed,
    groups_suggested,
    note_deleted,
    note_posted,
    note_relayed,
    note_relearned,
    note_revised,
    note_visibility_changed,
    suggestions_withdrawn,
)
from services.recommend.handlers.people import GiveFeedback, feedback_given, give_feedback, membership_heard
from services.recommend.placed import Suggestions, Visibility
from services.recommend.settings import Settings
from shared.contracts.groups import ContributionMade, GroupChanged, GroupOpened, MemberJoined, MemberLeft
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
    CircleTurned,
    FeedbackGiven,
    GroupsSuggested,
    MembershipHeard,
    ProfileTaught,
    ProfileUntaught,
    SuggestionsWithdrawn,
)
from shared.contracts.talk import GroupNeedAnswered, GroupNeedOpened, GroupNeedWithdrawn, MessagePosted
from shared.flow.documents import Ref
from shared.flow.router import Router

__all__ = ["GiveFeedback", "router"]


Changes = (
    NotePosted | NoteRevised | NoteDeleted
    | CommentPosted | CommentRevised | CommentDeleted | CommentVisibilityChanged
)  # fmt: skip


def affected(event: Changes) -> list[Ref]:
    """The note, and what was suggested for it."""
    return [(NoteTerms, event.note_id), (Suggestions, event.note_id)]


def talked_in(event: Question) -> list[Ref]:
    """What was heard of the group."""
    return [(Pulse, event.group_id)]


def router(settings: Settings) -> Router:
    """Payload -> what it reads -> who decides."""
    table = Router("recommend")
    table.on(GiveFeedback, give_feedback, lambda c: [(GroupProfile, c.group_id)])
    table.on(NotePosted, lambda e, w: note_posted(e, w, settings), affected, name="note_posted")
    table.on(NoteRevised, lambda e, w: note_revised(e, w, settings), affected, name="note_revised")
    table.on(NoteDeleted, note_deleted, affected)
    table.on(NoteRelayed, note_relayed, lambda e: [(NoteTerms, e.note_id)])
    table.on(NoteRelearned, note_relearned, lambda r: [])
    table.on(NoteVisibilityChanged, note_visibility_changed, lambda e: [(Visibility, e.note_id)])
    table.on(CommentPosted, lambda e, w: comment_posted(e, w, settings), affected, name="comment_posted")
    table.on(CommentRevised, lambda e, w: comment_revised(e, w, settings), affected, name="comment_revised")
    table.on(CommentDeleted, lambda e, w: comment_deleted(e, w, settings), affected, name="comment_deleted")
    table.on(
        CommentVisibilityChanged,
        lambda e, w: comment_visibility_changed(e, w, settings),
        affected,
        name="comment_visibility_changed",
    )
    table.on(GroupsSuggested, groups_suggested, lambda e: [(Suggestions, e.note_id)])
    table.on(SuggestionsWithdrawn, suggestions_withdrawn, lambda e: [(Suggestions, e.note_id)])
    table.own(GroupsSuggested, SuggestionsWithdrawn)
    table.on(GroupOpened, group_opened, lambda e: [(GroupProfile, e.group_id), (Pulse, e.group_id)])
    table.on(GroupChanged, group_changed, lambda e: [(GroupProfile, e.group_id)])
    table.on(ProfileTaught, profile_taught, lambda e: [(GroupProfile, e.group_id)])
    table.on(ProfileUntaught, profile_untaught, lambda e: [(GroupProfile, e.group_id)])
    table.on(MemberJoined, member_joined, lambda e: [])
    table.on(MemberLeft, member_left, lambda e: [])
    table.on(CircleTurned, circle_turned, lambda e: [(Circle, e.group_id)])
    table.on(MessagePosted, message_posted, lambda e: [(Pulse, e.group_id)])
    table.on(ContributionMade, contribution_made, lambda e: [(Pulse, e.group_id)])
    table.on(GroupNeedOpened, lambda e, w: question_turned(e, w, "open"), talked_in, name="need_opened")
    table.on(GroupNeedAnswered, lambda e, w: question_turned(e, w, "answered"), talked_in, name="need_answered")
    table.on(GroupNeedWithdrawn, lambda e, w: question_turned(e, w, "withdrawn"), talked_in, name="need_withdrawn")
    table.on(MembershipHeard, membership_heard, lambda e: [(Person, e.person_id)])
    table.on(FeedbackGiven, feedback_given, lambda e: [(Person, e.person_id)])
    return table
