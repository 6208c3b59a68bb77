"""Who gets a seat and who gives it back."""

from datetime import datetime
from typing import ClassVar, Literal

from msgspec.structs import replace

from shared.errors import Rejected
from shared.flow.documents import Document

from .gate import answers
from .group import Group


class Member(Document, frozen=True, kw_only=True):
    """A person in a group, or one who has helped in a note that the group took over (a guest).

    What a guest or a former member has earned is kept: it counts on the day they join (again).
    """

    COLLECTION: ClassVar[str] = "members"

    group_id: str
    person_id: str
    tier: str
    state: Literal["guest", "member", "left"] = "guest"
    answer_accepted: int = 0
    advice_taken: int = 0
    joined_at: datetime | None = None


def member_id(group_id: str, person_id: str) -> str:
    """The id of a person in a group."""
    return f"{group_id}:{person_id}"


def admit(group: Group | None, member: Member | None, answer: str | None) -> Group:
    """The group with one seat less.

    Raises:
        Rejected: unknown group (404), a member already (409), or 403 with why the door stays shut.
    """
    if group is None:
        raise Rejected("unknown-group", 404)
    if member is not None and member.state == "member":
        raise Rejected("already-a-member", 409)
    if group.state == "closed":
        raise Rejected("group-closed", 403, detail="The group takes nobody in at present.")
    if group.question is not None and not answers(group.question, answer):
        detail = "The group asks a question." if answer is None else "The answer is not one of those accepted."
        raise Rejected("wrong-answer", 403, detail=detail, extra={"question": group.question.text})
    if answer is not None and group.question is None:
        raise Rejected("no-question", 422, detail="The group asks no question.")
    if group.members >= group.seats:
        raise Rejected("group-full", 403, detail="All seats are taken.", extra={"seats": group.seats})
    return replace(group, members=group.members + 1)


def leave(group: Group | None, member: Member | None) -> tuple[Group, Member]:
    """The group with a seat free, and the former member.

    Raises:
        Rejected: unknown group, or not a member (404).
    """
    if group is None:
        raise Rejected("unknown-group", 404)
    if member is None or member.state != "member":
        raise Rejected("not-a-member", 404)
    return replace(group, members=group.members - 1), replace(member, state="left")
