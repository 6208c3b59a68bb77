"""What earns a tier: help, never noise."""

from collections.abc import Sequence

from msgspec.structs import replace

from services.groups.settings import TierRule
from shared.contracts.groups import ContributionKind

from .membership import Member


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
