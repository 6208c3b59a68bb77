"""Texts arrive and are judged; verdicts are told. In the lane of the note, or of the group."""

from services.moderation.core import Content, Rules, Text, judge, judged, newer
from shared.contracts.moderation import ContentJudged, MessageJudged, VerdictReason
from shared.contracts.notes import CommentPosted, NotePosted
from shared.contracts.talk import MessagePosted
from shared.flow.work import Work


def note_posted(event: NotePosted, work: Work, rules: Rules) -> str | None:
    """Judge a note by title and text together."""
    text = f"{event.title}\n{event.text}"
    return take(
        Text(id=event.note_id, kind="note", place_id=event.note_id, author_id=event.author_id, text=text), work, rules
    )


def comment_posted(event: CommentPosted, work: Work, rules: Rules) -> str | None:
    """Judge a comment."""
    return take(
        Text(id=event.comment_id, kind="comment", place_id=event.note_id, author_id=event.author_id, text=event.text),
        work,
        rules,
    )


def message_posted(event: MessagePosted, work: Work, rules: Rules) -> str | None:
    """Judge a message in a group."""
    return take(
        Text(id=event.message_id, kind="message", place_id=event.group_id, author_id=event.author_id, text=event.text),
        work,
        rules,
    )


def take(text: Text, work: Work, rules: Rules) -> str | None:
    """Keep a text with its verdict and tell that; an older revision than the one at hand changes nothing."""
    known = work.get(Content, text.id)
    if not newer(known, text):
        return "older"
    tell(work.put(judged(known, text, judge(text.text, rules), work.now)), work)
    return None


def tell(content: Content, work: Work) -> None:
    """Tell the verdict; never the text."""
    verdict = {
        "content_id": content.id,
        "author_id": content.author_id,
        "hidden": content.hidden,
        "score": content.score,
        "reasons": tuple(
            VerdictReason(rule=r.rule, weight=r.weight, start=r.start, end=r.end) for r in content.reasons
        ),
        "rules": content.rules,
        "by": "staff" if content.decided else "automatic",
    }
    if content.kind == "message":
        work.emit(MessageJudged(group_id=content.place_id, **verdict), content)
    else:
        work.emit(
            ContentJudged(note_id=content.place_id, kind=content.kind, revision=content.revision, **verdict), content
        )
