"""In the lane of the group: what it talks about, whether it is alive and takes somebody, where else its members are."""

from msgspec.structs import replace

from services.recommend.core import (
    Circle,
    Fate,
    GroupProfile,
    Pulse,
    Turn,
    asked,
    changed,
    founded,
    heard,
    helped,
    noted,
    opened,
    turn,
    unnoted,
)
from shared.contracts.groups import ContributionMade, GroupChanged, GroupOpened, MemberJoined, MemberLeft
from shared.contracts.recommend import CircleTurned, MembershipHeard, ProfileTaught, ProfileUntaught
from shared.contracts.talk import GroupNeedAnswered, GroupNeedOpened, GroupNeedWithdrawn, MessagePosted
from shared.flow.work import Work


def group_opened(event: GroupOpened, work: Work) -> str | None:
    """A charter is what a profile begins with."""
    profile = work.get(GroupProfile, event.group_id) or GroupProfile(id=event.group_id)
    if profile.name:
        return "known"
    told, seats, owner = event.charter, event.seats, event.owner_id
    placed = replace(profile, cell=event.cell or "")
    texts = {"purpose": told.purpose, "audience": told.audience}
    work.put(opened(placed, event.name, **texts, seats_left=seats, owner_id=owner))
    work.put(founded(pulse_of(event.group_id, work), work.now))
    return None


def group_changed(event: GroupChanged, work: Work) -> str | None:
    """Follow seats and state, so that no full or closed group is suggested."""
    profile = work.get(GroupProfile, event.group_id) or GroupProfile(id=event.group_id)
    left = 0 if event.waiting else max(0, event.seats - event.members)  # a free seat is theirs who wait for one
    after = changed(profile, state=event.state, seats_left=left, sequence=work.cause.sequence)
    if after is profile:
        return "older"
    work.put(after)
    return None


def profile_taught(event: ProfileTaught, work: Work) -> None:
    """Learn a note that was relayed to the group."""
    profile = work.get(GroupProfile, event.group_id) or GroupProfile(id=event.group_id)
    work.put(noted(profile, dict(event.terms)))


def profile_untaught(event: ProfileUntaught, work: Work) -> None:
    """Forget a note that is deleted, or the text that it had."""
    profile = work.get(GroupProfile, event.group_id) or GroupProfile(id=event.group_id)
    work.put(unnoted(profile, dict(event.terms)))


def member_joined(event: MemberJoined, work: Work) -> None:
    """Hand a join on to the lane of the person."""
    hand_on(event.person_id, event.group_id, work, member=True)


def member_left(event: MemberLeft, work: Work) -> None:
    """Hand a leave on to the lane of the person."""
    hand_on(event.person_id, event.group_id, work, member=False)


def hand_on(person_id: str, group_id: str, work: Work, *, member: bool) -> None:
    """The membership's own sequence goes along: by it the person tells newer from older."""
    sequence = work.cause.sequence
    work.emit(MembershipHeard(person_id=person_id, group_id=group_id, member=member, sequence=sequence))


def circle_turned(event: CircleTurned, work: Work) -> None:
    """Count what somebody's change of memberships means for this group."""
    circle = work.get(Circle, event.group_id) or Circle(id=event.group_id)
    work.put(turn(circle, Turn(event.members, event.shares)))


# -- what is heard of its talk ------------------------------------------------------------------------------

Question = GroupNeedOpened | GroupNeedAnswered | GroupNeedWithdrawn


def message_posted(event: MessagePosted, work: Work) -> str | None:
    """Who talks in the group; what the gate has held says nothing."""
    before = pulse_of(event.group_id, work)
    after = before if event.gate == "held" else heard(before, event.author_id, work.now)
    if after is before:
        return "known"
    work.put(after)
    return None


def contribution_made(event: ContributionMade, work: Work) -> None:
    """Somebody's help in a note of the group was accepted."""
    work.put(helped(pulse_of(event.group_id, work), work.now))


def question_turned(event: Question, work: Work, fate: Fate) -> str | None:
    """Follow what becomes of the questions in the talk."""
    before = pulse_of(event.group_id, work)
    after = asked(before, event.need_id, fate, work.now, work.cause.sequence)
    if after is before:
        return "older"
    work.put(after)
    return None


def pulse_of(group_id: str, work: Work) -> Pulse:
    """What was heard of the group so far."""
    return work.get(Pulse, group_id) or Pulse(id=group_id)
