"""Knobs of the moderation service."""

from pydantic import Field

from shared.settings import Settings as Common


class Settings(Common):
    """What an operator may want to change."""

    reports_for_review: int = Field(
        default=3, ge=1, le=1000, description="People who must report a content before staff are asked."
    )
    reports_per_hour: int = Field(default=20, ge=1, le=1000, description="Most reports of a person within an hour.")
    rules_off: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="Rules that say nothing, whatever set is in force; a JSON list of names.",
    )
    text_model: str = Field(
        default="", max_length=1000, description="File of the text model to begin with, as `train` writes it."
    )
    shadow_model: str = Field(
        default="",
        max_length=1000,
        description="File of a text model to try beside the one in force, while no draft of rules is on trial.",
    )
    view_seconds: float = Field(
        default=1.0, gt=0, description="How old this process's picture of the rules and the text model may be."
    )
