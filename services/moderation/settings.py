"""Knobs of the moderation service."""

from pydantic import Field

from services.moderation.core.counters import Windows
from shared.settings import Settings as Common


class Settings(Common):
    """What an operator may want to change."""

    threshold: float = Field(default=1.0, gt=0, description="Score from which content is hidden.")
    reports_for_review: int = Field(
        default=3, ge=1, le=1000, description="People who must report a content before staff are asked."
    )
    reports_per_hour: int = Field(default=20, ge=1, le=1000, description="Most reports of a person within an hour.")
    flood_per_minute: int = Field(
        default=10, ge=1, le=10_000, description="Contents of a person within a minute; what comes after is a flood."
    )
    flood_per_hour: int = Field(
        default=100, ge=1, le=10_000, description="Contents of a person within an hour; what comes after is a flood."
    )
    repeated_places: int = Field(
        default=3,
        ge=1,
        le=10_000,
        description="Notes or groups that may have the same text of a person within an hour.",
    )
    relapse_hidden: int = Field(
        default=3, ge=1, le=10_000, description="Contents hidden within seven days that count against the next one."
    )
    text_model: str = Field(
        default="", max_length=1000, description="File of the text model to begin with, as `train` writes it."
    )
    view_seconds: float = Field(
        default=1.0, gt=0, description="How old this process's picture of the text model may be."
    )

    @property
    def windows(self) -> Windows:
        """The limits of what a person writes."""
        return Windows(self.flood_per_minute, self.flood_per_hour, self.repeated_places, self.relapse_hidden)
