"""HTTP of moderation: verdicts for those they concern, reports of people, decisions of staff, changes of rules."""

from datetime import datetime
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field, StringConstraints

from services.moderation.core import MODEL, Content, Kind, ReportReason
from services.moderation.core.content import STAFF
from services.moderation.core.policy import RULES
from services.moderation.core.trial import NEEDED, proof
from services.moderation.handlers import (
    ApproveRules,
    DecideContent,
    EndTrial,
    ProposeRules,
    ReportContent,
    RollBackRules,
    TryRules,
)
from services.moderation.store import Store
from services.moderation.view import RulesView as Rules
from services.moderation.view import ShadowView
from shared.auth import require
from shared.desk import Calling, Desk
from shared.errors import Rejected
from shared.flow.documents import Document
from shared.http import Body, Cursor, Id, Page, Paging, Someone, page, problems
from shared.rules import EXAMPLE, MOST_SOURCE

V = TypeVar("V", bound=BaseModel)
SCOPE = "moderation"
SOME_ID = "0b9f8a52-6c1d-4e55-9d0a-3a6f0d6f7c11"
BESIDE = {STAFF: "管理员的决定", MODEL: "文中这些字句很像管理员判定为广告的内容"}
"""What stands among the reasons and is no rule."""
UNKNOWN_CONTENT = {404: ["unknown-content"]}


class NewReport(Body):
    """What is reported, and why."""

    kind: Kind
    id: Id = Field(examples=[SOME_ID])
    reason: ReportReason


class NewVerdict(Body):
    """What staff decide, and why; the author reads the note."""

    action: Literal["hide", "restore"]
    note: str = Field(min_length=1, max_length=500, examples=["与活动无关的推广, 已多次提醒."])
    revision: int = Field(default=0, ge=0, description="The revision that was read.", examples=[0])


class Reported(BaseModel):
    content_id: str


class NewRules(Body):
    """A whole set of rules, and why it should replace the one in force."""

    # As it was written: faults are told by line and column.
    source: Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=MOST_SOURCE)] = Field(
        examples=[EXAMPLE]
    )
    note: str = Field(min_length=1, max_length=500, examples=["新的刷单话术, 见昨天的举报."])


class Undo(Body):
    """Why the last change is taken back."""

    note: str = Field(min_length=1, max_length=500, examples=["误伤了报价的帖子."])


class Drafted(BaseModel):
    draft_id: str
    rules: str = Field(description="Version that it would have.")
    replaces: str = Field(description="Version that it is made for: only that one can it replace.")
    steps: int = Field(description="Characters compared at one place of a text, at most.")
    parts: int = Field(description="Parts of conditions that are looked at for a text, at most.")
    count: int = Field(description="How many rules.")


class Changed(BaseModel):
    change_id: str
    number: int
    rules: str
    replaces: str


class ChangeView(BaseModel):
    """One change of the rules."""

    change_id: str
    number: int
    way: Literal["approved", "rolled_back"]
    rules: str = Field(description="Version of the set since.")
    replaces: str
    note: str
    author_id: str = Field(description="Who wrote the set; empty for that of the release.")
    by_id: str = Field(description="Who approved it, or rolled back.")
    at: datetime


class DraftView(BaseModel):
    """A set that waits for somebody else to approve it."""

    draft_id: str
    rules: str
    replaces: str
    source: str
    note: str
    author_id: str
    at: datetime


class RulesView(BaseModel):
    """The rules in force."""

    rules: str = Field(description="Version of the set that this process judges by, with what is switched off.")
    number: int = Field(description="Of the last change; 0: the rules of the release.")
    source: str
    trial: str = Field(description="What this process tries beside them: a draft, or a model; empty: nothing.")


class Tried(BaseModel):
    draft_id: str
    rules: str
    beside: str = Field(description="Version of the set in force.")


class Ended(BaseModel):
    draft_id: str


class TrialView(BaseModel):
    """What staff have said of a sample of what a trial would hide."""

    trial_id: str
    labelled: int = Field(description="Contents of the sample that staff have decided.")
    right: int = Field(description="Those that are spam.")
    added: int = Field(description="Labelled contents that only the trial would hide.")
    added_right: int
    bound: float = Field(description="Lower bound of the precision (Wilson, 95 %, two-sided).")
    needed: float = Field(description="What the bound must come to before the draft may be approved.")
    proven: bool = Field(description="Whether it does, and what only the trial would hide is no worse by its share.")


class Decided(BaseModel):
    content_id: str
    hidden: bool
    revision: int


class ReasonView(BaseModel):
    """A rule that fired, what it means to the author, and where in the text (characters)."""

    rule: str
    why: str
    weight: float
    start: int
    end: int


class DecisionView(BaseModel):
    """What staff decided of a revision."""

    action: Literal["hide", "restore"]
    note: str
    revision: int
    at: datetime


class VerdictView(BaseModel):
    """Why a note, comment or message is hidden, or not."""

    content_id: str
    kind: Kind
    note_id: str | None = Field(description="The note that it is, or is under; null for a message.")
    group_id: str | None = Field(description="The group of a message.")
    revision: int
    hidden: bool
    score: float
    reasons: tuple[ReasonView, ...]
    rules: str = Field(description="Version of the rules that decided.")
    model: str = Field(description="Version of the text model that decided with them.")
    counts: dict[str, float] = Field(description="What counters have told of it: how many, or how many seconds.")
    decision: DecisionView | None = Field(description="What staff decided last, of this or an earlier revision.")


class CaseView(BaseModel):
    """A content that waits for staff: its text, what people hold against it, and what rules made of it."""

    verdict: VerdictView
    author_id: str
    text: str
    reports: dict[str, int] = Field(description="How many people gave each reason.")
    since: datetime


def routes(desk: Desk, store: Store, views: tuple[Rules, ShadowView]) -> APIRouter:
    """The routes of moderation. The rules in force say what each of them means to an author."""
    rules, shadow = views
    api = APIRouter(prefix="/v1", tags=["moderation"])
    staff = [Depends(require(SCOPE))]

    @api.get("/verdicts/{content_id}", responses=problems(404, types=UNKNOWN_CONTENT))
    async def read_verdict(content_id: Id, who: Someone) -> VerdictView:
        """The verdict on a note, comment or message, for its author and for staff (scope ``moderation``)."""
        content = await store.content(content_id)
        if content is None or (content.author_id != who.person and SCOPE not in who.scopes):
            raise Rejected("unknown-content", 404)
        return view(content)

    @api.post(
        "/verdicts/{content_id}",
        response_model=Decided,
        dependencies=staff,
        responses=problems(400, 403, 404, 409, 422, 503, types=UNKNOWN_CONTENT | {409: ["edited-since"]}),
    )
    async def decide(content_id: Id, body: NewVerdict, call: Calling) -> Response:
        """Staff hide or restore one revision; no automatic verdict on it follows."""
        command = DecideContent(
            person_id=call.person,
            content_id=content_id,
            hide=body.action == "hide",
            note=body.note,
            revision=body.revision,
        )
        return await desk.handle(command, call)

    @api.post(
        "/reports",
        status_code=201,
        response_model=Reported,
        responses={
            **problems(400, 404, 422, 429, 503, types=UNKNOWN_CONTENT | {429: ["too-many-reports"]}),
            200: {"model": Reported, "description": "One had reported it before."},
        },
    )
    async def report(body: NewReport, call: Calling) -> Response:
        """Report a note, comment or message. Enough people who do so put it up for review; none of them hides it."""
        command = ReportContent(person_id=call.person, content_id=body.id, kind=body.kind, reason=body.reason)
        return await desk.handle(command, call)

    @api.get("/reports", dependencies=staff, responses=problems(400, 403))
    async def read_reports(window: Paging) -> Page[CaseView]:
        """What waits for staff, the longest wait first."""
        after = (window.after.at, window.after.id) if window.after else None
        found = await store.under_review(after, window.read)
        return page([case(c) for c in found], window.limit, lambda c: Cursor(c.since, c.verdict.content_id))

    @api.get("/rules", dependencies=staff, responses=problems(403, 503))
    async def read_rules() -> RulesView:
        """The set that this process judges by: another process may be a second behind."""
        await rules.refresh()
        await shadow.refresh()
        known = rules.documents.get(RULES)
        return RulesView(
            rules=rules.rules.version,
            number=known.number if known else 0,
            source=rules.rules.source,
            trial=shadow.trial_id,
        )

    @api.get("/rules/changes", dependencies=staff, responses=problems(400, 403))
    async def read_changes(window: Paging) -> Page[ChangeView]:
        """Who changed the rules, the last change first."""
        found = await store.changes((window.after.at, window.after.id) if window.after else None, window.read)
        items = [_view(ChangeView, change, change_id=change.id, rules=change.version) for change in found]
        return page(items, window.limit, lambda c: Cursor(c.at, c.change_id))

    @api.get("/rules/drafts", dependencies=staff, responses=problems(400, 403))
    async def read_drafts(window: Paging) -> Page[DraftView]:
        """What was proposed within 30 days, the last first; those made for other rules than are in force too."""
        found = await store.drafts((window.after.at, window.after.id) if window.after else None, window.read)
        items = [_view(DraftView, d, draft_id=d.id, rules=d.version, replaces=d.base) for d in found]
        return page(items, window.limit, lambda d: Cursor(d.at, d.draft_id))

    @api.post(
        "/rules/drafts",
        status_code=201,
        response_model=Drafted,
        dependencies=staff,
        responses=problems(400, 403, 409, 422, 503, types={409: ["rules-in-force"], 422: ["bad-rules"]}),
    )
    async def propose(body: NewRules, call: Calling) -> Response:
        """Propose a set of rules. One that is none is refused with line, column, what and hint for each fault."""
        command = ProposeRules(
            person_id=call.person, draft_id=call.new_id("rule-draft"), source=body.source, note=body.note
        )
        return await desk.handle(command, call)

    @api.post(
        "/rules/drafts/{draft_id}/approve",
        response_model=Changed,
        dependencies=staff,
        responses=problems(
            400,
            403,
            404,
            409,
            422,
            503,
            types={403: ["own-draft"], 404: ["unknown-draft"], 409: ["rules-changed-since", "unproven"]},
        ),
    )
    async def approve(draft_id: Id, call: Calling) -> Response:
        """Put a draft into force. Somebody else than who proposed it does so; one that was tried must be proven."""
        return await desk.handle(ApproveRules(person_id=call.person, draft_id=draft_id), call)

    @api.post(
        "/rules/drafts/{draft_id}/try",
        response_model=Tried,
        dependencies=staff,
        responses=problems(400, 403, 404, 409, 422, 503, types={404: ["unknown-draft"], 409: ["rules-changed-since"]}),
    )
    async def try_draft(draft_id: Id, call: Calling) -> Response:
        """Judge by a draft beside the rules in force, hide nothing by it, and put a sample before staff."""
        return await desk.handle(TryRules(person_id=call.person, draft_id=draft_id), call)

    @api.post(
        "/rules/drafts/{draft_id}/end",
        response_model=Ended,
        dependencies=staff,
        responses=problems(400, 403, 404, 422, 503, types={404: ["unknown-trial"]}),
    )
    async def end_trial(draft_id: Id, call: Calling) -> Response:
        """End the trial of a draft; what staff have said of it stays."""
        return await desk.handle(EndTrial(person_id=call.person, draft_id=draft_id), call)

    @api.get(
        "/rules/trials/{trial_id}", dependencies=staff, responses=problems(403, 404, types={404: ["unknown-trial"]})
    )
    async def read_trial(trial_id: Id) -> TrialView:
        """What staff have said of a draft or a model that is or was on trial; zeros while they have said nothing."""
        trial = await store.trial(trial_id)
        if trial is None:
            await shadow.refresh()
            if trial_id != shadow.trial_id:
                raise Rejected("unknown-trial", 404)
        found = proof(trial)
        bound = round(found.bound, 4)
        return TrialView(trial_id=trial_id, **found._asdict(), bound=bound, needed=NEEDED, proven=found.holds)

    @api.post(
        "/rules/changes/{change_id}/rollback",
        response_model=Changed,
        dependencies=staff,
        responses=problems(400, 403, 404, 409, 422, 503, types={404: ["unknown-change"], 409: ["rules-changed-since"]}),
    )
    async def roll_back(change_id: Id, body: Undo, call: Calling) -> Response:
        """Take back the last change: what it replaced is in force again."""
        return await desk.handle(RollBackRules(person_id=call.person, change_id=change_id, note=body.note), call)

    def case(content: Content) -> CaseView:
        assert content.review_since is not None
        return CaseView(
            verdict=view(content),
            author_id=content.author_id,
            text=content.text,
            reports=content.reported,
            since=content.review_since,
        )

    def view(content: Content) -> VerdictView:
        said, why = content.decision, {**rules.rules.why, **BESIDE}
        return VerdictView(
            content_id=content.id,
            kind=content.kind,
            note_id=None if content.kind == "message" else content.place_id,
            group_id=content.place_id if content.kind == "message" else None,
            revision=content.revision,
            hidden=content.hidden,
            score=content.score,
            reasons=tuple(
                ReasonView(rule=r.rule, why=why.get(r.rule, ""), weight=r.weight, start=r.start, end=r.end)
                for r in content.reasons
            ),
            rules=content.rules,
            model=content.model,
            counts=dict(content.counts),
            decision=said
            and DecisionView(
                action="hide" if said.hide else "restore", note=said.note, revision=said.revision, at=said.at
            ),
        )

    return api


def _view(kind: type[V], document: Document, **renamed: str) -> V:
    """A document as the API shows it."""
    fields = {name: getattr(document, name) for name in kind.model_fields if name not in renamed}
    return kind(**fields, **renamed)
