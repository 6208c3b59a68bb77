"""People report, staff decide."""

from msgspec.structs import replace

from services.moderation.core import (
    COUNTER,
    Content,
    Decision,
    Kind,
    Report,
    Reporter,
    ReportReason,
    decide,
    report_id,
    reportable,
    reported,
    spend,
    told,
)
from services.moderation.handlers.counting import Said, count_news, flag
from services.moderation.handlers.trials import label
from services.moderation.handlers.verdicts import judgement, tell
from services.moderation.state import verdict
from shared.contracts.moderation import ContentFlagged, ContentLabelled, MessageFlagged
from shared.flow.router import Command, Reply
from shared.flow.work import Work


class ReportContent(Command, frozen=True, kw_only=True):
    """Report a content that one sees."""

    content_id: str
    kind: Kind
    reason: ReportReason


class DecideContent(Command, frozen=True, kw_only=True):
    """Staff hide or restore the revision of a content that they have read."""

    content_id: str
    hide: bool
    note: str
    revision: int


def report_content(command: ReportContent, work: Work, limit: int) -> Reply:
    """A report, once for the pair. It is counted in the lane of the content."""
    content = reportable(work.get(Content, command.content_id), command.kind, command.person_id)
    id_, body = report_id(content.id, command.person_id), {"content_id": content.id}
    if work.get(Report, id_):
        return Reply(status=200, body=body)
    person = work.get(Reporter, command.person_id) or Reporter(id=command.person_id)
    work.put(spend(person, work.now, limit))
    report = work.put(
        Report(id=id_, content_id=content.id, person_id=command.person_id, reason=command.reason, at=work.now)
    )
    flag(content, Said("reported", report.reason), (report, work))
    return Reply(status=201, body=body)


def content_flagged(event: ContentFlagged | MessageFlagged, work: Work, enough: int) -> str | None:
    """Enough reports put a content up for review, and hide nothing; with what a counter tells it is judged anew."""
    content = work.get(Content, event.content_id)
    if content is None or content.deleted:
        return "unknown"
    if event.flag == "reported":
        work.put(reported(content, event.reason, enough, work.now))
        return None
    known = told(content, {count.fact: count.count for count in event.counts})
    return "known" if known == content or not content.text else _judged_again(known, content, work)


def _judged_again(known: Content, before: Content, work: Work) -> str | None:
    after, *_ = judgement(known, work)
    alike = replace(after, without=before.without)
    if verdict(alike) == verdict(before) and alike.opinion == before.opinion:
        work.put(alike)
        return "same"
    after = work.put(after)
    tell(after, work)
    if after.hidden != before.hidden:
        count_news(after, work)
    return None


def decide_content(command: DecideContent, work: Work) -> Reply:
    """Staff speak, and the text model learns. It is decided here, because they are told of what revision."""
    decision = Decision(command.hide, command.note, command.person_id, command.revision, work.now)
    content, news = decide(work.get(Content, command.content_id), decision)
    if news:
        content = work.put(content)
        tell(content, work)
        work.emit(
            ContentLabelled(counter_id=COUNTER, content_id=content.id, revision=content.revision, spam=decision.hide),
            content,
        )
        count_news(content, work)
        label(content, decision.hide, work)
    return Reply(status=200, body={"content_id": content.id, "hidden": content.hidden, "revision": content.revision})
