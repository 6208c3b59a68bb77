"""What makes a fact on the topics one fact, and which facts are expected by whom. Written down for the ledger."""

from collections.abc import Mapping

from shared.contracts import Event
from shared.contracts import groups as g
from shared.contracts import moderation as m
from shared.contracts import notes as n
from shared.contracts import recommend as r
from shared.contracts import talk as t

IDENTITY: Mapping[type[Event], tuple[str, ...]] = {
    n.NotePosted: ("note_id",),
    n.NoteVisibilityChanged: ("note_id", "hidden"),
    n.CommentPosted: ("comment_id",),
    n.CommentVisibilityChanged: ("comment_id", "hidden"),
    n.NeedOpened: ("comment_id",),
    n.NeedAnswered: ("need_id",),
    n.NeedWithdrawn: ("need_id",),
    n.NeedEscalated: ("need_id", "step"),
    n.AdviceTaken: ("comment_id",),
    n.NoteRelayed: ("note_id", "group_id"),
    n.NoteEdited: ("note_id", "revision"),
    n.NoteRevised: ("note_id", "revision"),
    n.NoteDeleted: ("note_id",),
    n.CommentEdited: ("comment_id", "revision"),
    n.CommentRevised: ("comment_id", "revision"),
    n.CommentDeleted: ("comment_id",),
    n.NoteReacted: ("note_id", "person_id", "kind", "change"),
    n.RecordCounted: ("person_id", "source_id", "what", "change"),
    m.ContentJudged: ("content_id",),
    m.MessageJudged: ("content_id",),
    m.ContentFlagged: ("content_id", "flag"),
    m.MessageFlagged: ("content_id", "flag"),
    m.ContentCounted: ("counter_id", "content_id", "version"),
    r.ProfileTaught: ("group_id", "note_id"),
    r.ProfileUntaught: ("group_id", "note_id"),
    r.MembershipHeard: ("person_id", "group_id", "sequence"),
    r.FeedbackGiven: ("person_id", "group_id", "kind"),
    r.CircleTurned: ("group_id", "members", "shares"),
    g.GroupOpened: ("group_id",),
    g.MemberJoined: ("group_id", "person_id"),
    g.MemberLeft: ("group_id", "person_id"),
    g.SeatOffered: ("group_id", "place"),
    g.SeatAssigned: ("group_id", "place"),
    g.ContributionMade: ("group_id", "person_id", "note_id", "kind"),
    t.MessagePosted: ("message_id",),
    t.MessageVisibilityChanged: ("message_id", "hidden"),
    t.MessageDeleted: ("message_id",),
    t.GroupNeedOpened: ("message_id",),
    t.GroupNeedAnswered: ("need_id",),
    t.GroupNeedWithdrawn: ("need_id",),
    t.GroupNeedEscalated: ("need_id", "step"),
}
"""Which fields make a fact one fact; of what is not here, subject and sequence do."""

COUNTED: frozenset[type[Event]] = frozenset(
    (
        *(g.MemberJoined, g.MemberLeft, g.ContributionMade, m.ContentFlagged, m.MessageFlagged),
        *(r.FeedbackGiven, r.CircleTurned, r.ProfileTaught, r.ProfileUntaught),
        *(n.NoteReacted, n.RecordCounted),
    )
)
"""Facts that may be true several times."""

FREE = frozenset(
    {
        "NeedOpened",
        "NeedEscalated",
        "GroupNeedOpened",
        "GroupNeedEscalated",
        "CircleTurned",
        "ProfileTaught",
        "ProfileUntaught",
        "SeatOffered",
        "SeatAssigned",
        "RecordCounted",
        "ContentFlagged",
        "MessageFlagged",
        "ContentCounted",
    }
)
"""Facts that nobody has to expect: whether a text asks is the service's to say, and what its author's haste counts; an
escalation is judged by time, of what is taught, of records and of the turns of circles only the sums are, and that
seats reach those who wait shows in who is in at the end."""


def identity(event: Event, sequence: int) -> tuple[str, tuple[str, ...] | None]:
    """What a fact is called, and which fields make it one; None: subject and sequence do.

    The verdict on what was posted must come once; each later one on that content is a fact of its own.
    """
    kind = type(event).__name__
    if isinstance(event, m.ContentJudged | m.MessageJudged) and sequence > 1:
        return f"later {kind}", None
    return kind, IDENTITY.get(type(event))


def in_part(event: m.ContentJudged | m.MessageJudged) -> bool:
    """Whether a verdict spares what it judges, and another may follow once counters were heard."""
    return not event.hidden and bool(event.without)
