"""Rules of groups: who gets in, what earns a tier. Pure."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from services.groups.settings import TierRule
from shared.contracts.groups import ContributionKind
from shared.errors import Rejected
from shared.flow.documents import Document

CHARTER_PARTS = ("purpose", "audience", "rules", "rewards", "service", "exit")


class Charter(msgspec.Struct, frozen=True):
    """What a group is for: all six parts, or it does not open."""

    purpose: str
    audience: str
    rules: str
    rewards: str
    service: str
    exit: str


class Question(msgspec.Struct, frozen=True):
    """What a group asks at its door, and the answers it takes."""

    text: str
    accepted: tuple[str, ...]


class Group(Document, frozen=True, kw_only=True):
    """A group. ``members`` is its invariant: never above ``seats``, whoever joins at the same time."""

    COLLECTION: ClassVar[str] = "groups"

    owner_id: str
    name: str
    charter: Charter
    seats: int
    question: Question | None
    created_at: datetime
    members: int = 0
    state: Literal["open", "closed"] = "open"


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


class Help(msgspec.Struct, frozen=True):
    """Something useful that a person did in a note."""

    kind: ContributionKind
    person_id: str
    source_id: str


class RelayedNote(Document, frozen=True, kw_only=True):
    """What groups knows of a note: who helped in it, and which groups it was handed over to.

    Help and relay may come in any order; each pair of them makes one contribution.
    """

    COLLECTION: ClassVar[str] = "notes"

    groups: tuple[str, ...] = ()
    helps: tuple[Help, ...] = ()


def member_id(group_id: str, person_id: str) -> str:
    """The id of a person in a group."""
    return f"{group_id}:{person_id}"


# -- the door -----------------------------------------------------------------------------------------------


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


def answers(question: Question, answer: str | None) -> bool:
    """Whether an answer is accepted: width, case and outer space do not matter."""
    return answer is not None and folded(answer) in {folded(accepted) for accepted in question.accepted}


def folded(text: str) -> str:
    """A text as answers are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


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


def change(group: Group | None, person: str, state: Literal["open", "closed"]) -> tuple[Group, bool]:
    """The group opened or closed by its owner, and whether that is news.

    Raises:
        Rejected: unknown group (404), not its owner (403).
    """
    if group is None:
        raise Rejected("unknown-group", 404)
    if group.owner_id != person:
        raise Rejected("not-the-owner", 403, detail="Only the owner opens and closes a group.")
    return replace(group, state=state), group.state != state


# -- tiers --------------------------------------------------------------------------------------------------


def contribute(member: Member, kind: ContributionKind) -> Member:
    """The member with one contribution more."""
    if kind == "answer_accepted":
        return replace(member, answer_accepted=member.answer_accepted + 1)
    return replace(member, advice_taken=member.advice_taken + 1)


def tier(member: Member, rules: Sequence[TierRule]) -> tuple[str, tuple[str, ...]]:
    """The highest tier that a member's contributions earn, and the requirement met, in words.

    Nothing that only makes noise is asked here: there is no count of comments to promote anybody.
    """
    had: dict[ContributionKind, int] = {
        "answer_accepted": member.answer_accepted,
        "advice_taken": member.advice_taken,
    }
    earned = [rule for rule in rules if sum(had[kind] for kind in rule.kinds) >= rule.at_least]
    best = earned[-1] if earned else rules[0]
    reason = f"{'+'.join(best.kinds)}>={best.at_least}" if best.kinds else "everybody"
    return best.name, (reason,)


# -- notes that were handed over ----------------------------------------------------------------------------


def helped(note: RelayedNote, help_: Help) -> tuple[RelayedNote, list[tuple[str, Help]]]:
    """The note with a help more, and the contributions that it makes: one for each group of the note."""
    if help_ in note.helps:
        return note, []
    return replace(note, helps=(*note.helps, help_)), [(group, help_) for group in note.groups]


def relayed(note: RelayedNote, group_id: str) -> tuple[RelayedNote, list[tuple[str, Help]]]:
    """The note with a group more, and the contributions that this makes: one for each help given before."""
    if group_id in note.groups:
        return note, []
    return replace(note, groups=(*note.groups, group_id)), [(group_id, help_) for help_ in note.helps]
