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
from services.moderation.handlers.verdicts import comment_posted, message_posted, note_posted
from services.moderation.settings import Settings
from shared.contracts.moderation import ContentFlagged, MessageFlagged
from shared.contracts.notes import CommentPosted, NotePosted
from shared.contracts.talk import MessagePosted
from shared.flow.router import Router

__all__ = ["DecideContent", "ReportContent", "router"]


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
    table.on(NotePosted, lambda e, w: note_posted(e, w, rules), lambda e: [(Content, e.note_id)], name="note_posted")
    table.on(
        CommentPosted,
        lambda e, w: comment_posted(e, w, rules),
        lambda e: [(Content, e.comment_id)],
        name="comment_posted",
    )
    table.on(
        MessagePosted,
        lambda e, w: message_posted(e, w, rules),
        lambda e: [(Content, e.message_id)],
        name="message_posted",
    )
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
