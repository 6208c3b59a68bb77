"""Texts arrive, are judged and go; verdicts are told. In the lane of the note, or of the group."""

from collections.abc import Mapping, Sequence

from services.moderation.core import (
    Content,
    Found,
    Judges,
    Kind,
    Recalled,
    Text,
    Verdict,
    ahead,
    case_of,
    copied,
    dropped,
    judged,
    newer,
    opined,
    recalled,
    verdicts,
)
from services.moderation.handlers.counting import Counters, asked, count
from services.moderation.handlers.lessons import watch
from services.moderation.state import opinion, verdict
from services.moderation.view import BarView, ModelView, RulesView, ShadowView
from shared.contracts.moderation import ContentFlagged, ContentJudged, MessageFlagged, MessageJudged
from shared.contracts.notes import CommentDeleted, CommentEdited, CommentPosted, NoteDeleted, NoteEdited, NotePosted
from shared.contracts.talk import MessageDeleted, MessagePosted
from shared.flow.known import is_known
from shared.flow.work import Work

Written = NotePosted | NoteEdited | CommentPosted | CommentEdited | MessagePosted
Deleted = NoteDeleted | CommentDeleted | MessageDeleted
KINDS: Mapping[type, Kind] = {
    **dict.fromkeys((NotePosted, NoteEdited, NoteDeleted), "note"),
    **dict.fromkeys((CommentPosted, CommentEdited, CommentDeleted), "comment"),
    **dict.fromkeys((MessagePosted, MessageDeleted), "message"),
}
"""What an event is about."""


def written(event: Written, work: Work) -> str | None:
    """Keep a text with its verdict and tell that; an older revision than the one at hand changes nothing.

    What counters hold against the content weighs on an edit too, whether it came before the edit or comes after it.
    """
    text = text_of(event)
    known = work.get(Content, text.id)
    if not newer(known, text):
        return "older"
    content = copied(known, text, work.now)
    if work.past:
        work.restore(content)
        return "judged"
    content, made, counters = judgement(content, work)
    content = work.put(content)
    tell(content, work)
    count(content, counters, work)
    watch(content, made, work)
    return None


def read_ahead(events: Sequence[Written | ContentFlagged | MessageFlagged], work: Work) -> None:
    """Have the texts of a batch read at once, those that are new and those that are to be judged again."""
    texts = filter(None, (_at_hand(event, work) for event in events))
    work.ahead = ahead(texts, judges(work), work.view(ModelView).kept)


def _at_hand(event: Written | ContentFlagged | MessageFlagged, work: Work) -> str:
    """The text that an event will have judged; empty where it is not known yet, or will not be."""
    if not isinstance(event, ContentFlagged | MessageFlagged):
        return words_of(event)
    known = work.get(Content, event.content_id) if event.flag == "counted" else None
    return known.text if known else ""


def judges(work: Work) -> Judges:
    """Who judges now."""
    return Judges(work.view(RulesView).rules, work.view(ModelView).model, work.view(BarView).bar)


def judgement(content: Content, work: Work) -> tuple[Content, Verdict, Counters]:
    """A content as what is in force sees it, and as what is on trial does; the verdict; which counters are to hear."""
    live, case = judges(work), case_of(content)
    made, tried = verdicts([case], live, work.ahead)[0], None
    waiting = {live.rules: made.open}
    if beside := work.view(ShadowView).beside(live):
        tried = beside[0], verdicts([case], beside[1])[0]
        waiting[beside[1].rules] = tried[1].open
    counters = asked(content, made.seen, waiting, live.rules)
    content = judged(content, made, counters.without, work.now)
    return opined(content, made, tried, work.now), made, counters


def verdict_told(event: ContentJudged | MessageJudged, work: Work) -> str | None:
    """A verdict of its own: known, but where a rebuild has to do with a content that was lost."""
    known = work.get(Content, event.content_id)
    if is_known(known, work):
        return "known"
    content = copied(known, told_of(event, known), work.now)
    reasons = tuple(Found(r.rule, r.weight, r.start, r.end) for r in event.reasons)
    told = Recalled(event.hidden, event.score, reasons, event.rules, event.model, event.without)
    work.restore(recalled(content, told), work.cause.sequence)
    return None


def told_of(event: ContentJudged | MessageJudged, known: Content | None) -> Text:
    """What a verdict is about; without the text, where that of its revision is still to come."""
    if isinstance(event, MessageJudged):
        kind: Kind = "message"
        place, revision = event.group_id, 0
    else:
        kind, place, revision = event.kind, event.note_id, event.revision
    text = known.text if known and known.revision >= revision else ""
    return Text(id=event.content_id, kind=kind, place_id=place, author_id=event.author_id, text=text, revision=revision)


def deleted(event: Deleted, work: Work) -> str | None:
    """Drop the copy of a text; one that comes late, or again, is not kept."""
    text = text_of(event)
    known = work.get(Content, text.id)
    if known is not None and known.deleted:
        return "known"
    work.put(dropped(known, text, work.now))
    return None


def content_id(event: Written | Deleted) -> str:
    """The id of what an event is about."""
    kind = KINDS[type(event)]
    made: str = getattr(event, f"{kind}_id")
    return made


def text_of(event: Written | Deleted) -> Text:
    """What there is to judge, of which place; of a note title and text together, of what was deleted nothing."""
    return Text(
        id=content_id(event),
        kind=KINDS[type(event)],
        place_id=event.key,
        author_id=event.author_id,
        text=words_of(event),
        revision=getattr(event, "revision", 0),
    )


def words_of(event: Written | Deleted) -> str:
    """The text alone."""
    match event:
        case NotePosted() | NoteEdited():
            return f"{event.title}\n{event.text}"
        case NoteDeleted() | CommentDeleted() | MessageDeleted():
            return ""
        case _:
            return event.text


def tell(content: Content, work: Work) -> None:
    """Tell the verdict, and what a trial says beside it; never the text."""
    work.emit(verdict(content), content)
    if told := opinion(content):
        work.emit(told, content)
