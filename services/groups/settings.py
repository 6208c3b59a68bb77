"""Knobs of the groups service."""

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.groups import ContributionKind
from shared.settings import NEED_STEPS, NeedSteps
from shared.settings import Settings as Common


class TierRule(BaseModel):
    """A tier and what earns it: so many contributions of these kinds together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=40)
    kinds: tuple[ContributionKind, ...] = ()
    at_least: int = Field(default=0, ge=0)


class Settings(Common):
    """What an operator may want to change."""

    tiers: tuple[TierRule, ...] = Field(
        default=(
            TierRule(name="newcomer"),
            TierRule(name="contributor", kinds=("answer_accepted", "advice_taken"), at_least=1),
            TierRule(name="mainstay", kinds=("answer_accepted", "advice_taken"), at_least=3),
        ),
        min_length=1,
        description="Tiers from low to high; a member has the highest whose rule holds. Value earns, talk does not.",
    )
    need_steps: NeedSteps = NEED_STEPS
