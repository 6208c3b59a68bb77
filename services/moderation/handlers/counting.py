"""What else was written lately: counted in the lane of each counter, told to the lane of the content."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from services.moderation.core import FAMILY, Content, Counter, Entry, counted, counter_ids, hash_of
from services.moderation.view import RulesView
from shared.contracts.moderation import ContentCounted, ContentFlagged, Count, Flag, MessageFlagged
from shared.flow.documents import Document
from shared.flow.work import Work
from shared.text import normalise


def count(content: Content, waiting: Sequence[str], work: Work) -> None:
    """Hand a content over to its counters, or what has become of it since, with the rules that wait for them.

    Its author is always counted. What is counted by text or host is what some rule waits for.
    """
    seen, rules = normalise(content.text), work.view(RulesView).rules
    for kind, counter_id in counter_ids(content.author_id, seen).items():
        asking = rules.asking(waiting, FAMILY[kind])
        if asking or kind == "person":
            work.emit(
                ContentCounted(
                    counter_id=counter_id,
                    content_id=content.id,
                    kind=content.kind,
                    place_id=content.place_id,
                    author_id=content.author_id,
                    posted_at=content.posted_at,
                    text_hash=hash_of(seen),
                    hidden=content.hidden,
                    version=content.v,
                    asking=asking,
                ),
                content,
            )


def content_counted(event: ContentCounted, work: Work) -> str | None:
    """Count it; what a rule that waits could hold by is told to the lane of the content."""
    counter = work.get(Counter, event.counter_id) or Counter(id=event.counter_id)
    entry = Entry(
        content_id=event.content_id,
        place_id=event.place_id,
        at=event.posted_at,
        text=event.text_hash,
        hidden=event.hidden,
        version=event.version,
        author_id=event.author_id,
    )
    after, facts = counted(counter, entry)
    if after is counter:
        return "older"
    after = work.put(after)
    if work.view(RulesView).rules.may_speak(event.asking, facts):
        flag(
            event,
            Said("counted", counts=tuple(Count(fact=key, count=count) for key, count in facts.items())),
            (after, work),
        )
    return None


class Said(NamedTuple):
    """What is held against a content, or told of it."""

    flag: Flag
    reason: str = ""
    counts: tuple[Count, ...] = ()


def flag(of: ContentCounted | Content, said: Said, means: tuple[Document, Work]) -> None:
    """Tell the lane of a content what is held against it, and from which document that comes."""
    document, work = means
    id_ = of.id if isinstance(of, Content) else of.content_id
    told: dict[str, Any] = {"content_id": id_, **said._asdict()}
    if of.kind == "message":
        work.emit(MessageFlagged(group_id=of.place_id, **told), document)
    else:
        work.emit(ContentFlagged(note_id=of.place_id, kind=of.kind, **told), document)
