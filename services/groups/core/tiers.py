"""What earns a tier and what keeps it: help within a window of days, never noise.

A tier is earned at one number and kept above a lower one (hysteresis), so that nobody flickers at a border. Days end
one after the other, each at its own midnight (UTC): so the tier is the same whenever somebody looks, and in a replay.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from services.groups.settings import Settings, TierRule
from shared.contracts.groups import ContributionKind

from .membership import Day, Member


class Tier(NamedTuple):
    """A tier, and the requirement that decided it, in words."""

    name: str
    reasons: tuple[str, ...]


def contribute(member: Member, kind: ContributionKind, now: datetime, settings: Settings) -> Member:
    """The member with one contribution more, and the tier that follows."""
    member = aged(member, now, settings)
    today = now.astimezone(UTC).toordinal()
    latest = member.days[-1].day if member.days else today
    counts = {kind: getattr(member, kind) + 1}
    if today <= latest - settings.tier_days:
        return replace(member, **counts)  # told so late that it has fallen out of the window meanwhile
    by_day = {day.day: day for day in member.days}
    day = by_day.get(today, Day(today))
    by_day[today] = replace(day, **{kind: getattr(day, kind) + 1})
    return _settled(replace(member, **counts, days=tuple(by_day[day] for day in sorted(by_day))), settings.tiers)


def aged(member: Member, now: datetime, settings: Settings) -> Member:
    """The member without the days that have fallen out of the window by now, and the tier that follows each."""
    today = now.astimezone(UTC).toordinal()
    while member.days and member.days[0].day + settings.tier_days <= today:
        member = _settled(replace(member, days=member.days[1:]), settings.tiers)
    return member


def next_loss(member: Member, settings: Settings) -> datetime | None:
    """When the tier falls if nothing more is contributed: a midnight, UTC; None for one that never does."""
    later = member
    while later.days:
        over = later.days[0].day + settings.tier_days
        later = _settled(replace(later, days=later.days[1:]), settings.tiers)
        if later.tier != member.tier:
            return datetime.fromordinal(over).replace(tzinfo=UTC)
    return None


def tier(member: Member, rules: Sequence[TierRule]) -> Tier:
    """The highest tier that a member's help in the window earns, or keeps if it is not above the present one.

    Nothing that only makes noise is asked here: there is no count of comments to promote anybody.
    """
    present = rank(member.tier, rules)
    best = 0
    for place, rule in enumerate(rules):
        needed = rule.at_least if place > present else rule.kept_at
        if _helped(member, rule) >= needed:
            best = place
    if best < present:
        lost = rules[present]
        return Tier(rules[best].name, (f"{'+'.join(lost.kinds)}<{lost.kept_at}",))
    rule = rules[best]
    return Tier(rule.name, (f"{'+'.join(rule.kinds)}>={rule.at_least}" if rule.kinds else "everybody",))


def rank(name: str, rules: Sequence[TierRule]) -> int:
    """The place of a tier, from 0; the lowest for a name that the policy no longer has."""
    return next((place for place, rule in enumerate(rules) if rule.name == name), 0)


def _helped(member: Member, rule: TierRule) -> int:
    return sum(getattr(day, kind) for day in member.days for kind in rule.kinds)


def _settled(member: Member, rules: Sequence[TierRule]) -> Member:
    return replace(member, tier=tier(member, rules).name)
