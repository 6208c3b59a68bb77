"""Knobs of the groups service."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared.contracts.groups import ContributionKind
from shared.settings import NEED_STEPS, GateSettings, NeedSteps

Grant = Literal["review"]
"""What a tier may allow: ``review``, to see and answer applications beside the owner."""


class TierRule(BaseModel):
    """A tier, what earns and what keeps it: so many contributions of these kinds together; and what it grants."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=40)
    kinds: tuple[ContributionKind, ...] = ()
    at_least: int = Field(default=0, ge=0)
    keep: int | None = Field(default=None, ge=0)
    """At most ``at_least``; without it a tier is kept by as much as earns it."""
    grants: tuple[Grant, ...] = ()

    @property
    def kept_at(self) -> int:
        """How much keeps the tier once it is earned."""
        return self.at_least if self.keep is None else self.keep

    @model_validator(mode="after")
    def _keeping_is_easier(self) -> Self:
        if self.kept_at > self.at_least:
            raise ValueError("a tier is kept by no more than earns it")
        return self


def _everybody_has_a_tier(tiers: tuple[TierRule, ...]) -> tuple[TierRule, ...]:
    names = [rule.name for rule in tiers]
    if not tiers or tiers[0].at_least or len(set(names)) < len(names):
        raise ValueError("tiers have names of their own, and there is a lowest that asks for nothing")
    return tiers


class Settings(GateSettings):
    """What an operator may want to change."""

    tiers: Annotated[tuple[TierRule, ...], AfterValidator(_everybody_has_a_tier)] = Field(
        default=(
            TierRule(name="newcomer"),
            TierRule(name="contributor", kinds=("answer_accepted", "advice_taken"), at_least=1),
            TierRule(
                name="mainstay", kinds=("answer_accepted", "advice_taken"), at_least=3, keep=2, grants=("review",)
            ),
        ),
        description="Tiers from low to high; a member has the highest whose rule holds. Value earns, talk does not.",
    )
    need_steps: NeedSteps = NEED_STEPS
    tier_days: int = Field(default=100, ge=1, le=400, description="Days for which a contribution counts for a tier.")
    retry_seconds: int = Field(
        default=86_400, ge=0, le=31_536_000, description="Wait before knocking again after a wrong answer or a no."
    )
    removed_seconds: int = Field(
        default=2_592_000, ge=0, le=315_360_000, description="Wait before knocking again after a removal."
    )
    answer_seconds: int = Field(
        default=172_800, ge=1, le=31_536_000, description="Time for an application's answer; then it is escalated."
    )
    waiting_most: int = Field(default=10_000, ge=0, le=1_000_000, description="Most people in a waiting list.")
