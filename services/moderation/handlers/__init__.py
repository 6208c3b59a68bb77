"""When X happens, do Y. The table is at the end."""

from services.moderation.core import (
    Bar,
    Content,
    Counter,
    Draft,
    ModelState,
    Policy,
    Report,
    Reporter,
    RuleChange,
    Shadow,
    TextModel,
    ToldModel,
    Trial,
    blank,
    counter_of,
    report_id,
    state_id,
    told_ids,
)
from services.moderation.core.policy import RULES, change_before
from services.moderation.core.trial import SHADOW
from services.moderation.handlers.counting import content_counted
from services.moderation.handlers.lessons import content_labelled, content_watched
from services.moderation.handlers.policy import (
    ApproveRules,
    ProposeRules,
    RollBackRules,
    approve_rules,
    propose_rules,
    roll_back_rules,
)
from services.moderation.handlers.reviews import (
    DecideContent,
    ReportContent,
    content_flagged,
    decide_content,
    report_content,
)
from services.moderation.handlers.trials import EndTrial, TryRules, end_trial, trial_labelled, try_rules
from services.moderation.handlers.verdicts import (
    Deleted,
    Written,
    content_id,
    deleted,
    read_ahead,
    verdict_told,
    written,
)
from services.moderation.settings import Settings
from shared.contracts.moderation import (
    ContentCounted,
    ContentFlagged,
    ContentJudged,
    ContentLabelled,
    ContentWatched,
    MessageFlagged,
    MessageJudged,
    TrialLabelled,
)
from shared.contracts.notes import CommentDeleted, CommentEdited, CommentPosted, NoteDeleted, NoteEdited, NotePosted
from shared.contracts.talk import MessageDeleted, MessagePosted
from shared.flow.documents import Ref
from shared.flow.router import Router

__all__ = [
    "ApproveRules",
    "DecideContent",
    "EndTrial",
    "ProposeRules",
    "ReportContent",
    "RollBackRules",
    "TryRules",
    "router",
]

LIVE: Ref = (Policy, RULES)
"""The set of rules that is in force."""

TRIED: Ref = (Shadow, SHADOW)
"""The draft that is on trial."""

WRITTEN: dict[type[Written], str] = {
    NotePosted: "note_posted",
    NoteEdited: "note_edited",
    CommentPosted: "comment_posted",
    CommentEdited: "comment_edited",
    MessagePosted: "message_posted",
}
DELETED: dict[type[Deleted], str] = {
    NoteDeleted: "note_deleted",
    CommentDeleted: "comment_deleted",
    MessageDeleted: "message_deleted",
}
FLAGGED: dict[type[ContentFlagged | MessageFlagged], str] = {
    ContentFlagged: "content_flagged",
    MessageFlagged: "message_flagged",
}


def _content(input_: DecideContent | ContentFlagged | MessageFlagged | ContentJudged | MessageJudged) -> list[Ref]:
    return [(Content, input_.content_id)]


def _report(command: ReportContent) -> list[Ref]:
    report = report_id(command.content_id, command.person_id)
    return [(Content, command.content_id), (Report, report), (Reporter, command.person_id)]


def count_and_learn(table: Router, origin: TextModel) -> None:
    """The part of the table that is about counters, the text model and trials."""
    kept = state_id(origin)
    table.on(
        ContentLabelled,
        lambda e, w: content_labelled(e, w, origin),
        lambda e: [(Content, e.content_id), (ModelState, kept), (Bar, kept)],
        name="content_labelled",
    )
    table.on(
        ContentWatched,
        lambda e, w: content_watched(e, w, origin),
        lambda _: [(Bar, kept), *((ToldModel, id_) for id_ in told_ids())],
        name="content_watched",
    )
    table.on(ContentCounted, content_counted, lambda e: [(Counter, e.counter_id)])
    table.on(TrialLabelled, trial_labelled, lambda e: [(Trial, e.counter_id)])


def router(settings: Settings, origin: TextModel | None = None) -> Router:
    """Payload -> what it reads -> who decides. ``origin`` is the text model that the service began with, if any."""
    table = Router("moderation")
    origin = origin or blank()
    enough, limit = settings.reports_for_review, settings.reports_per_hour
    table.on(
        ReportContent,
        lambda c, w: report_content(c, w, limit),
        _report,
        name="report_content",
    )
    table.on(DecideContent, decide_content, _content)
    table.on(ProposeRules, propose_rules, lambda c: [LIVE, (Draft, c.draft_id)])
    table.on(ApproveRules, approve_rules, lambda c: [LIVE, TRIED, (Draft, c.draft_id), (Trial, counter_of(c.draft_id))])
    table.on(
        RollBackRules,
        roll_back_rules,
        lambda c: [LIVE, TRIED, (RuleChange, c.change_id), (RuleChange, change_before(c.change_id))],
    )
    table.on(TryRules, try_rules, lambda c: [LIVE, TRIED, (Draft, c.draft_id)])
    table.on(EndTrial, end_trial, lambda _: [TRIED])
    for kind, name in WRITTEN.items():
        table.on(kind, written, lambda e: [(Content, content_id(e))], name=name, ahead=read_ahead)
    for gone, name in DELETED.items():
        table.on(gone, deleted, lambda e: [(Content, content_id(e))], name=name)
    table.on(ContentJudged, verdict_told, _content, name="content_judged")
    table.on(MessageJudged, verdict_told, _content, name="message_judged")
    table.own(ContentJudged, MessageJudged)
    for flagged, name in FLAGGED.items():
        table.on(flagged, lambda e, w: content_flagged(e, w, enough), _content, name=name, ahead=read_ahead)
    count_and_learn(table, origin)
    return table
