"""Knobs of the recommend service."""

from pydantic import Field

from shared.settings import Settings as Common


class Settings(Common):
    """What an operator may want to change."""

    suggestions: int = Field(default=5, ge=1, le=5, description="Most groups suggested at once (low pressure).")
    floor: float = Field(default=0.02, ge=0, le=1, description="Least score of a suggestion.")
    view_seconds: float = Field(default=1.0, gt=0, description="How old this process's picture of the groups may be.")
