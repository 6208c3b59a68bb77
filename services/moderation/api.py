"""HTTP of moderation: verdicts for those they concern, reports of people, decisions of staff."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from services.moderation.core import MODEL, SIGNS, Content, Kind, ReportReason
from services.moderation.core.content import STAFF
from services.moderation.handlers import DecideContent, ReportContent
from services.moderation.store import Store
from shared.auth import require
from shared.desk import Calling, Desk
from shared.errors import Rejected
from shared.http import Body, Cursor, Id, Page, Paging, Someone, page, problems

SCOPE = "moderation"
SOME_ID = "0b9f8a52-6c1d-4e55-9d0a-3a6f0d6f7c11"
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
    decision: DecisionView | None = Field(description="What staff decided last, of this or an earlier revision.")


class CaseView(BaseModel):
    """A content that waits for staff: its text, what people hold against it, and what rules made of it."""

    verdict: VerdictView
    author_id: str
    text: str
    reports: dict[str, int] = Field(description="How many people gave each reason.")
    since: datetime


def routes(desk: Desk, store: Store, why: dict[str, str]) -> APIRouter:
    """The routes of moderation. ``why`` says of each rule what it means."""
    api = APIRouter(prefix="/v1", tags=["moderation"])
    staff = [Depends(require(SCOPE))]
    why = {**why, STAFF: "管理员的决定", MODEL: "文中这些字句很像管理员判定为广告的内容"}
    why |= {sign: words for sign, (_, words) in SIGNS.items()}

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
        said, told = content.decision, content.reasons
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
                for r in told
            ),
            rules=content.rules,
            model=content.model,
            decision=said
            and DecisionView(
                action="hide" if said.hide else "restore", note=said.note, revision=said.revision, at=said.at
            ),
        )

    return api
