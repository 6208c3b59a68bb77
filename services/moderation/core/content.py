"""What was judged, and how; what reports and staff make of it."""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import ClassVar, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from shared.errors import Rejected
from shared.flow.documents import Document, Texts
from shared.judging import Case, Verdict
from shared.rules import Value

Kind = Literal["note", "comment", "message"]
ReportReason = Literal["advertising", "fraud", "abuse", "sexual", "illegal", "other"]
STAFF = "staff"
"""Stands among the reasons where staff have hidden something."""
REPORT_WINDOW = timedelta(hours=1)


class Found(msgspec.Struct, frozen=True):
    """A rule that fired, and where in the text (characters)."""

    rule: str
    weight: float
    start: int
    end: int


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What rules or a model on trial would have said of this revision; `live` is whether those in force hide it."""

    trial_id: str
    hidden: bool
    live: bool
    score: float
    reasons: tuple[Found, ...]
    rules: str
    model: str


class Decision(msgspec.Struct, frozen=True):
    """What staff decided of one revision, and why; final until the author writes another one."""

    hide: bool
    note: str
    by_id: str
    revision: int
    at: datetime


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text to judge, of which place, by whom; `revision` counts the edits. `place_id` is a note's or a group's."""

    id: str
    kind: Kind
    place_id: str
    author_id: str
    text: str
    revision: int = 0


class Content(Document, frozen=True, kw_only=True):
    """A copy of the latest revision of a note, comment or message, with its verdict.

    `place_id` is the note, of a message the group. `before` is the last revision that others saw before this one, which
    rules compare it with, `edited_at` when this one came. `counts` are the facts that counters have told of it,
    `without` the counters that had not been heard when it was judged, `opinion` what a trial says of it. `reported`
    counts reports by reason; `review_since` is set while it waits for staff. Of what its author has deleted only the
    ids are left.
    """

    COLLECTION: ClassVar[str] = "content"
    REBUILT: ClassVar[tuple[str, ...]] = ("text",)
    TEXTS: ClassVar[Texts] = {"author_id": ("text", "before")}

    kind: Kind
    place_id: str
    author_id: str
    text: str = ""
    before: str = ""
    posted_at: datetime
    edited_at: datetime | None = None
    hidden: bool
    score: float
    reasons: tuple[Found, ...]
    rules: str
    model: str = ""
    revision: int = 0
    counts: tuple[tuple[str, float], ...] = ()
    without: tuple[str, ...] = ()
    opinion: Opinion | None = None
    reported: dict[str, int] = msgspec.field(default_factory=dict)
    review_since: datetime | None = None
    decision: Decision | None = None
    deleted: bool = False

    @property
    def decided(self) -> bool:
        """Whether staff have spoken of this revision: then no automatic verdict changes it."""
        return self.decision is not None and self.decision.revision == self.revision


class Report(Document, frozen=True, kw_only=True):
    """A person reported a content: one document a pair."""

    COLLECTION: ClassVar[str] = "reports"
    REBUILT: ClassVar[bool] = False

    content_id: str
    person_id: str
    reason: ReportReason
    at: datetime


class Reporter(Document, frozen=True, kw_only=True):
    """When a person has reported within the last hour; `at` is the last time."""

    COLLECTION: ClassVar[str] = "reporters"
    REBUILT: ClassVar[bool] = False

    times: tuple[datetime, ...] = ()
    at: datetime | None = None


def report_id(content_id: str, person_id: str) -> str:
    """The id of the report of a content by a person; it names neither."""
    return blake2b(f"{content_id}\n{person_id}".encode(), digest_size=16).hexdigest()


# -- what commands may do -----------------------------------------------------------------------------------


def reportable(content: Content | None, kind: Kind, person_id: str) -> Content:
    """The content that a person may report.

    A first revision that is hidden is seen by nobody else; a later one may be, in the form it had before.

    Raises:
        Rejected: unknown content (404), one's own (422).
    """
    if content is None or content.kind != kind or content.deleted:
        raise Rejected("unknown-content", 404)
    if content.author_id == person_id:
        raise Rejected("own-content", 422, detail="What is one's own can be edited or deleted.")
    if content.hidden and content.revision == 0:
        raise Rejected("unknown-content", 404)
    return content


def spend(reporter: Reporter, now: datetime, limit: int) -> Reporter:
    """The reporter after one more report.

    Raises:
        Rejected: `limit` reports within an hour have been made (429); `again_at` says when one may go on.
    """
    times = tuple(time for time in reporter.times if now - time < REPORT_WINDOW)
    if len(times) >= limit:
        again = times[-limit] + REPORT_WINDOW
        raise Rejected("too-many-reports", 429, extra={"again_at": again.isoformat()})
    return replace(reporter, times=(*times, now), at=now)


def decide(content: Content | None, decision: Decision) -> tuple[Content, bool]:
    """The content as staff want it, and whether that is news.

    Raises:
        Rejected: unknown content (404), or another revision than the one that was read (409).
    """
    if content is None or content.deleted:
        raise Rejected("unknown-content", 404)
    if content.revision != decision.revision:
        raise Rejected("edited-since", 409, extra={"revision": content.revision})
    known = content.decision
    if content.decided and known is not None and known.hide == decision.hide:
        return content, False
    automatic = tuple(reason for reason in content.reasons if reason.rule != STAFF)
    reasons = (*automatic, Found(STAFF, 0.0, 0, 0)) if decision.hide else automatic
    return replace(content, hidden=decision.hide, reasons=reasons, decision=decision, review_since=None), True


# -- what events do -----------------------------------------------------------------------------------------


def newer(content: Content | None, text: Text) -> bool:
    """Whether a text is news: the first of its content, or a later revision of one that is still there.

    Where a rebuild has taken the copy away, the revision at hand is news again.
    """
    if content is None or content.deleted:
        return content is None
    return text.revision > content.revision or (text.revision == content.revision and not content.text)


def case_of(content: Content) -> Case:
    """What there is to judge of a content: its text, what is known beside it, and the revision before."""
    standing = ((content.edited_at or content.posted_at) - content.posted_at).total_seconds()
    facts: dict[str, Value] = {
        "content.kind": content.kind,
        "content.revision": content.revision,
        "content.standing": max(standing, 0.0),
        **dict(content.counts),
    }
    return Case(content.text, facts, content.before if content.revision else None)


def copied(content: Content | None, text: Text, now: datetime) -> Content:
    """The copy of a text; what the judges make of it is still to come, or was told before.

    What counters hold against a content stays over an edit, unless staff had restored it. A revision that was hidden
    is nothing to compare with: else one character more would let it through.
    """
    known = content or _unjudged(text, now)
    if content is None or text.revision <= known.revision:
        return replace(known, text=text.text, revision=max(known.revision, text.revision))
    counts = () if known.decided and not known.hidden else known.counts
    return replace(
        known,
        text=text.text,
        before=known.before if known.hidden else known.text,
        revision=text.revision,
        edited_at=now,
        counts=counts,
    )


def judged(content: Content, verdict: Verdict, without: tuple[str, ...], now: datetime) -> Content:
    """A content with what the judges say of it, unless staff have spoken of this revision; reports stay.

    `without` are the counters that were not heard. One that a rule puts up for review waits from now on.
    """
    if content.decided:
        return content
    return replace(
        content,
        hidden=verdict.hide,
        score=verdict.score,
        reasons=tuple(Found(r.rule, r.weight, *r.evidence) for r in verdict.reasons),
        rules=verdict.rules,
        model=verdict.model,
        without=without,
        review_since=content.review_since or (now if verdict.review else None),
    )


def told(content: Content, counts: dict[str, float]) -> Content:
    """A content with more that counters have told of it."""
    return replace(content, counts=tuple({**dict(content.counts), **counts}.items()))


class Recalled(NamedTuple):
    """A verdict as it was told."""

    hidden: bool
    score: float
    reasons: tuple[Found, ...]
    rules: str
    model: str
    without: tuple[str, ...]


def recalled(content: Content, told: Recalled) -> Content:
    """The content with a verdict as it was told. Of a deleted one no reasons are kept."""
    kept = () if content.deleted else told.reasons
    return replace(content, **{**told._asdict(), "reasons": kept})


def dropped(content: Content | None, text: Text, now: datetime) -> Content:
    """What is left of what its author, or staff, have deleted: ids, and the revision below which nothing is news."""
    revision = max(text.revision, content.revision if content else 0)
    made = content or _unjudged(text, now)
    return replace(
        made, text="", before="", reasons=(), revision=revision, opinion=None, review_since=None, deleted=True
    )


def _unjudged(text: Text, now: datetime) -> Content:
    return Content(
        id=text.id,
        kind=text.kind,
        place_id=text.place_id,
        author_id=text.author_id,
        text="",
        posted_at=now,
        hidden=False,
        score=0.0,
        reasons=(),
        rules="",
    )


def reported(content: Content, reason: str, enough: int, now: datetime) -> Content:
    """The content with one more report; `enough` of them put it up for review, unless staff have spoken already."""
    counts = {**content.reported, reason: content.reported.get(reason, 0) + 1}
    since = content.review_since
    if since is None and not content.decided and sum(counts.values()) >= enough:
        since = now
    return replace(content, reported=counts, review_since=since)
