"""In the lane of the person: where they are, and what they say to suggestions."""

from services.recommend.core import GroupProfile, Person, answered, joined, left, saw, turned
from shared.contracts.recommend import CircleTurned, FeedbackGiven, FeedbackKind, MembershipHeard
from shared.errors import Rejected
from shared.flow.router import Command, Reply
from shared.flow.work import Work


class GiveFeedback(Command, frozen=True, kw_only=True):
    """Say what one thinks of a suggested group."""

    group_id: str
    kind: FeedbackKind


def give_feedback(command: GiveFeedback, work: Work) -> Reply:
    """Hand it over to the lane of the person; a group that nobody has opened is refused."""
    profile = work.get(GroupProfile, command.group_id)
    if profile is None or not profile.name:
        raise Rejected("unknown-group", 404)
    given = FeedbackGiven(person_id=command.person_id, group_id=command.group_id, kind=command.kind)
    work.emit(given)
    return Reply(status=202, body=given.model_dump())


def membership_heard(event: MembershipHeard, work: Work) -> str | None:
    """Follow where a person is, and tell the groups whose pairs that changes."""
    before = work.get(Person, event.person_id) or Person(id=event.person_id)
    after = (joined if event.member else left)(before, event.group_id, event.sequence)
    if after is before:
        return "older"
    work.put(after)
    for group_id, change in turned(before, after).items():
        work.emit(CircleTurned(group_id=group_id, members=change.members, shares=change.shares))
    return None


def feedback_given(event: FeedbackGiven, work: Work) -> str | None:
    """Keep what the next list must respect."""
    before = work.get(Person, event.person_id) or Person(id=event.person_id)
    if event.kind == "seen":
        after = saw(before, [event.group_id], work.now)
    else:
        after = answered(before, event.group_id, "refused" if event.kind == "not_for_me" else event.kind, work.now)
    if after is before:
        return "known"
    work.put(after)
    return None
