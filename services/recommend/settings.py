"""Knobs of the recommend service."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.recommend.weights import weights_of
from shared.settings import Settings as Common


class Blend(BaseModel):
    """What the sources of a list weigh beside each other; a source of weight 0 is not asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    search: float = Field(default=1.0, ge=0, le=1_000)
    intent: float = Field(default=0.4, ge=0, le=1_000)
    place: float = Field(default=0.3, ge=0, le=1_000)
    algorithm: float = Field(default=0.2, ge=0, le=1_000)


def _usable(name: str) -> str:
    weights_of(name)
    return name


class Settings(Common):
    """What an operator may want to change."""

    suggestions: int = Field(default=5, ge=1, le=5, description="Most groups suggested at once (low pressure).")
    floor: float = Field(default=0.02, ge=0, le=1, description="Least score of a suggestion.")
    blend: Blend = Field(
        default=Blend(),
        description="What words, what one says of oneself, nearness and fitting the person weigh.",
    )
    weights: Annotated[str, AfterValidator(_usable)] = Field(
        default="",
        max_length=1000,
        description="File of what ties weigh, a JSON object; read again when it changes, while everything runs.",
    )
    view_seconds: float = Field(default=1.0, gt=0, description="How old this process's picture of the groups may be.")
