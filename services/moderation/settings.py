"""Knobs of the moderation service."""

from pydantic import Field

from shared.settings import Settings as Common


class Settings(Common):
    """What an operator may want to change."""

    threshold: float = Field(default=1.0, gt=0, description="Score from which content is hidden.")
