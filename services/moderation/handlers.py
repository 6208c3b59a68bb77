"""When X happens, do Y. The table is at the end."""

from services.moderation.content import Content, found
from services.moderation.core import Rules, judge
from shared.contracts.moderation import ContentJudged, VerdictReason
from shared.contracts.notes import CommentPosted, NotePosted
from shared.flow.router import Router
from shared.flow.work import Work


def note_posted(event: NotePosted, work: Work, rules: Rules) -> None:
    """Judge a note by title and text together."""
    text = f"{event.title}\n{event.text}"
    tell(judged(event.note_id, event, text, (work, rules)), work)


def comment_posted(event: CommentPosted, work: Work, rules: Rules) -> None:
    """Judge a comment."""
    tell(judged(event.comment_id, event, event.text, (work, rules)), work)


def judged(id_: str, event: NotePosted | CommentPosted, text: str, means: tuple[Work, Rules]) -> Content:
    """The text, kept with its verdict."""
    work, rules = means
    verdict = judge(text, rules)
    return work.put(
        Content(
            id=id_,
            kind="note" if isinstance(event, NotePosted) else "comment",
            note_id=event.note_id,
            author_id=event.author_id,
            text=text,
            posted_at=work.now,
            hidden=verdict.hide,
            score=verdict.score,
            reasons=found(verdict),
            rules=verdict.rules_version,
        )
    )


def tell(content: Content, work: Work) -> None:
    """Tell the verdict; never the text."""
    reasons = (VerdictReason(rule=r.rule, weight=r.weight, start=r.start, end=r.end) for r in content.reasons)
    work.emit(
        ContentJudged(
            content_id=content.id,
            kind=content.kind,
            note_id=content.note_id,
            author_id=content.author_id,
            hidden=content.hidden,
            score=content.score,
            reasons=tuple(reasons),
            rules=content.rules,
        ),
        content,
    )


def router(rules: Rules) -> Router:
    """Payload -> what it reads -> who decides."""
    table = Router("moderation")
    table.on(NotePosted, lambda e, w: note_posted(e, w, rules), lambda e: [(Content, e.note_id)], name="note_posted")
    table.on(
        CommentPosted,
        lambda e, w: comment_posted(e, w, rules),
        lambda e: [(Content, e.comment_id)],
        name="comment_posted",
    )
    return table
