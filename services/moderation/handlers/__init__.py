"""When X happens, do Y. The table is at the end."""

from dataclasses import replace

from services.moderation.core import RULES, Content, Report, Reporter, report_id
from services.moderation.handlers.reviews import (
    DecideContent,
    ReportContent,
    content_flagged,
    decide_content,
    report_content,
)
from services.moderation.handlers.verdicts import Deleted, Written, content_id, deleted, written
from services.moderation.settings import Settings
from shared.contracts.moderation import ContentFlagged, MessageFlagged
from shared.contracts.notes import CommentDeleted, CommentEdited, CommentPosted, NoteDeleted, NoteEdited, NotePosted
from shared.contracts.talk import MessageDeleted, MessagePosted
from shared.flow.router import Router

__all__ = ["DecideContent", "ReportContent", "router"]

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


def router(settings: Settings) -> Router:
    """Payload -> what it reads -> who decides."""
    table, rules = Router("moderation"), replace(RULES, threshold=settings.threshold)
    enough, limit = settings.reports_for_review, settings.reports_per_hour
    table.on(
        ReportContent,
        lambda c, w: report_content(c, w, limit),
        lambda c: [
            (Content, c.content_id),
            (Report, report_id(c.content_id, c.person_id)),
            (Reporter, c.person_id),
        ],
        name="report_content",
    )
    table.on(DecideContent, decide_content, lambda c: [(Content, c.content_id)])
    for kind, name in WRITTEN.items():
        table.on(kind, lambda e, w: written(e, w, rules), lambda e: [(Content, content_id(e))], name=name)
    for gone, name in DELETED.items():
        table.on(gone, deleted, lambda e: [(Content, content_id(e))], name=name)
    table.on(
        ContentFlagged,
        lambda e, w: content_flagged(e, w, enough),
        lambda e: [(Content, e.content_id)],
        name="content_flagged",
    )
    table.on(
        MessageFlagged,
        lambda e, w: content_flagged(e, w, enough),
        lambda e: [(Content, e.content_id)],
        name="message_flagged",
    )
    return table
