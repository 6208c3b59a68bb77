"""What a person does beside what he writes: counted in the lane of the person, told to the lane of the content."""

from services.moderation.core import Content, Counter, Entry, Windows, counted, counter_id, text_hash
from shared.contracts.moderation import ContentCounted, ContentFlagged, Flag, MessageFlagged
from shared.flow.documents import Document
from shared.flow.work import Work


def count(content: Content, work: Work) -> None:
    """Hand a content over to the counter of its author, or what has become of it since."""
    work.emit(
        ContentCounted(
            counter_id=counter_id(content.author_id),
            content_id=content.id,
            kind=content.kind,
            place_id=content.place_id,
            posted_at=content.posted_at,
            text_hash=text_hash(content.text),
            hidden=content.hidden,
            version=content.v,
        ),
        content,
    )


def content_counted(event: ContentCounted, work: Work, windows: Windows) -> str | None:
    """Count it; what passes a limit is held against this content, in its own lane."""
    counter = work.get(Counter, event.counter_id) or Counter(id=event.counter_id)
    entry = Entry(event.content_id, event.place_id, event.posted_at, event.text_hash, event.hidden, event.version)
    after, signs = counted(counter, entry, windows)
    if after is counter:
        return "older"
    after = work.put(after)
    for sign in signs:
        flag(event, sign, "", (after, work))
    return None


def flag(of: ContentCounted | Content, sign: Flag, reason: str, means: tuple[Document, Work]) -> None:
    """Tell the lane of a content what is held against it, and from which document that comes."""
    document, work = means
    id_ = of.id if isinstance(of, Content) else of.content_id
    if of.kind == "message":
        work.emit(MessageFlagged(content_id=id_, group_id=of.place_id, flag=sign, reason=reason), document)
    else:
        work.emit(ContentFlagged(content_id=id_, kind=of.kind, note_id=of.place_id, flag=sign, reason=reason), document)
