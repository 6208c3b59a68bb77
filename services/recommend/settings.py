"""Knobs of the recommend service."""

from typing import Annotated

from pydantic import AfterValidator, Field

from services.recommend.weights import weights_of
from shared.settings import Settings as Common


def _usable(name: str) -> str:
    weights_of(name)
    return name


class Settings(Common):
    """What an operator may want to change."""

    suggestions: int = Field(default=5, ge=1, le=5, description="Most groups suggested at once (low pressure).")
    floor: float = Field(default=0.02, ge=0, le=1, description="Least score of a suggestion.")
    weights: Annotated[str, AfterValidator(_usable)] = Field(
        default="",
        max_length=1000,
        description="File of what ties and sources weigh, a JSON object; read again when it changes, while all runs.",
    )
    view_seconds: float = Field(default=1.0, gt=0, description="How old this process's picture of the groups may be.")
