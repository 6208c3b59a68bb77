"""Who gets a seat, who waits for one, who gives it back. Every function takes both documents and returns both."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from services.groups.settings import Settings
from shared.errors import Rejected
from shared.flow.documents import Document, Texts

from .gate import Applicant, Gate, Judgement, Reason, folded, judge
from .group import Group, known

BarReason = Literal["wrong-answer", "rejected", "removed"]
Both = tuple[Group, "Member"]


class Day(msgspec.Struct, frozen=True, array_like=True):
    """Help of one day; ``day`` is its proleptic ordinal in UTC."""

    day: int
    answer_accepted: int = 0
    advice_taken: int = 0


class Application(msgspec.Struct, frozen=True):
    """Somebody at the door: their answers, and the place in the row, or 0 while the owner has not spoken."""

    at: datetime
    answers: dict[str, str]
    place: int = 0
    escalated: bool = False


class Bar(msgspec.Struct, frozen=True):
    """Why somebody may not knock again before a time."""

    reason: BarReason
    until: datetime


class Member(Document, frozen=True, kw_only=True):
    """A person in a group, at its door, or one who has helped in a note that the group took over (a guest).

    What a guest or a former member has earned is kept: it counts on the day they join (again). ``days`` is the help
    within the window, oldest first, at most one entry a day; the two counts are of all time.
    """

    COLLECTION: ClassVar[str] = "members"
    REBUILT: ClassVar[bool] = False
    TEXTS: ClassVar[Texts] = {"person_id": ("application",)}

    group_id: str
    person_id: str
    tier: str
    state: Literal["guest", "pending", "waiting", "member", "left"] = "guest"
    answer_accepted: int = 0
    advice_taken: int = 0
    days: tuple[Day, ...] = ()
    joined_at: datetime | None = None
    application: Application | None = None
    bar: Bar | None = None


class Place(Document, frozen=True, kw_only=True):
    """A numbered place in a group's waiting list; ``ended`` when a seat was offered for it."""

    COLLECTION: ClassVar[str] = "places"
    REBUILT: ClassVar[bool] = False

    group_id: str
    person_id: str
    ended: datetime | None = None


def member_id(group_id: str, person_id: str) -> str:
    """The id of a person in a group."""
    return f"{group_id}:{person_id}"


def place_id(group_id: str, place: int) -> str:
    """The id of a place in a waiting list."""
    return f"{group_id}:{place}"


# -- knocking -----------------------------------------------------------------------------------------------


def at_the_door(group: Group | None, member: Member, now: datetime) -> Group:
    """The group, where this person may knock now.

    Raises:
        Rejected: unknown group (404), a member or at the door already (409), or 403 with why not now.
    """
    group = known(group)
    if member.state == "member":
        raise Rejected("already-a-member", 409)
    if member.application is not None:
        raise Rejected("already-waiting", 409, detail="An application of this person stands.")
    if member.bar is not None and now < member.bar.until:
        reason, until = member.bar.reason, member.bar.until.isoformat()
        raise Rejected(
            "too-early", 403, detail="Come back at retry_at.", extra={"reasons": [{"kind": reason}], "retry_at": until}
        )
    if group.state == "closed":
        raise Rejected("group-closed", 403, detail="The group takes nobody in at present.")
    return group


def said(gate: Gate, answer: str | None, answers: Mapping[str, str]) -> dict[str, str]:
    """Answers by question; ``answer`` alone is to the only question.

    Raises:
        Rejected: an answer to a question that is not asked, or none of its options (422).
    """
    given = dict(answers)
    if answer is not None:
        if len(gate.questions) != 1 or given:
            raise Rejected(
                "no-question", 422, detail="Say which question is answered: the group asks none, or several."
            )
        given = {gate.questions[0].id: answer}
    asked = {question.id: question for question in gate.questions}
    for name, text in given.items():
        if name not in asked:
            raise Rejected("no-question", 422, detail="The group does not ask this.", extra={"question": name})
        if (options := asked[name].options) and folded(text) not in set(map(folded, options)):
            raise Rejected("no-such-option", 422, detail="The answer is none of the options.", extra={"question": name})
    return given


def asked_of(member: Member, answers: Mapping[str, str], group: Group, settings: Settings) -> Judgement:
    """What the gate says of somebody with these answers and what they have earned so far."""
    names = [rule.name for rule in settings.tiers]
    earned = tuple(names[: names.index(member.tier) + 1] if member.tier in names else names[:1])
    helped = sum(day.answer_accepted + day.advice_taken for day in member.days)
    return judge(group.gate, Applicant(answers, helped, earned))


def turned_away(
    member: Member, reasons: tuple[Reason, ...], answers: Mapping[str, str], now: datetime, settings: Settings
) -> Member | None:
    """The person barred for a while, if an answer was given and was wrong; else None: nothing is to be kept."""
    if not any(reason.question in answers for reason in reasons):
        return None
    until = now + timedelta(seconds=settings.retry_seconds)
    return replace(member, bar=Bar("wrong-answer", until)) if settings.retry_seconds else None


def refusal(reasons: tuple[Reason, ...], bar: Bar | None) -> Rejected:
    """How the applicant is told: with the first question that was not answered well, as ever, and all reasons."""
    texts = [reason.text for reason in reasons if reason.text]
    extra: dict[str, object] = {"reasons": msgspec.to_builtins(list(reasons))}
    extra |= {"question": texts[0]} if texts else {}
    extra |= {"retry_at": bar.until.isoformat()} if bar else {}
    detail = "The gate asks for something else." if texts else "The gate asks for more help given in the group."
    return Rejected("wrong-answer" if texts else "not-admitted", 403, detail=detail, extra=extra)


def pended(member: Member, answers: Mapping[str, str], now: datetime) -> Member:
    """At the door until the owner speaks."""
    return replace(member, state="pending", application=Application(now, dict(answers)), bar=None)


def seated(group: Group, member: Member, now: datetime, settings: Settings) -> Both:
    """In, if there is room; else at the end of the waiting list.

    Raises:
        Rejected: the waiting list is full, too (403).
    """
    if group.room:
        return _in(replace(group, members=group.members + 1), member, now)
    if group.waiting >= settings.waiting_most:
        raise Rejected("group-full", 403, detail="All seats are taken, and the waiting list is full.")
    last = group.last + 1
    application = replace(member.application or Application(now, {}), place=last, answers={})
    made = replace(member, state="waiting", application=application, bar=None)
    return replace(group, last=last, waiting=group.waiting + 1), made


def called(group: Group, member: Member, place: int, now: datetime) -> Both | None:
    """In, on the seat held for this place; None if the person no longer waits there."""
    if member.state != "waiting" or member.application is None or member.application.place != place:
        return None
    came = replace(group, held=group.held - 1, members=group.members + 1, waiting=group.waiting - 1)
    return _in(came, member, now)


def _in(group: Group, member: Member, now: datetime) -> Both:
    return group, replace(member, state="member", joined_at=now, application=None, bar=None)


# -- the owner's word ---------------------------------------------------------------------------------------


def may_review(group: Group, person: str, reviewer: Member | None, settings: Settings) -> bool:
    """Whether somebody may answer applications: the owner, and members whose tier grants it."""
    granted = {rule.name for rule in settings.tiers if "review" in rule.grants}
    return group.owner_id == person or (
        reviewer is not None and reviewer.state == "member" and reviewer.tier in granted
    )


def reviewed(
    group: Group | None, member: Member | None, person: str, reviewer: Member | None, settings: Settings
) -> Both:
    """Both, where this reviewer may answer this application.

    Raises:
        Rejected: unknown group or no application (404), not theirs to answer (403), answered before (409).
    """
    group = known(group)
    if not may_review(group, person, reviewer, settings):
        raise Rejected("not-the-owner", 403, detail="Applications are answered by the owner, or by whom a tier allows.")
    if member is None or (member.application is None and member.state != "member"):
        raise Rejected("no-application", 404)
    if member.state != "pending":
        raise Rejected("already-answered", 409, detail="The application is answered.")
    return group, member


def rejected(member: Member, now: datetime, settings: Settings) -> Member:
    """Turned away by the owner, and barred for a while."""
    return _out(member, Bar("rejected", now + timedelta(seconds=settings.retry_seconds)))


def escalated(member: Member | None, applied_at: datetime) -> Member | None:
    """The application marked as unanswered for too long; None if it is no longer the one of that time."""
    if member is None or member.state != "pending" or member.application is None or member.application.at != applied_at:
        return None
    return replace(member, application=replace(member.application, escalated=True))


# -- leaving ------------------------------------------------------------------------------------------------


def leave(group: Group | None, member: Member | None, bar: Bar | None = None) -> Both:
    """A seat, a place or an application given back. What was earned is kept.

    Raises:
        Rejected: unknown group, or neither in nor at the door (404).
    """
    group = known(group)
    if member is None or member.state in ("guest", "left"):
        raise Rejected("not-a-member", 404)
    if member.state == "member":
        group = replace(group, members=group.members - 1)
    elif member.state == "waiting":
        group = replace(group, waiting=group.waiting - 1)
    return group, _out(member, bar)


def removal(now: datetime, settings: Settings) -> Bar:
    """How long somebody who was removed stays out."""
    return Bar("removed", now + timedelta(seconds=settings.removed_seconds))


def _out(member: Member, bar: Bar | None) -> Member:
    return replace(member, state="left" if member.joined_at else "guest", application=None, bar=bar)
