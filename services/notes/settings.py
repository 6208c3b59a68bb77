"""Knobs of the notes service."""

from typing import Annotated

from pydantic import Field, field_validator

from shared.settings import Settings as Common


class Settings(Common):
    """What an operator may want to change."""

    need_steps: tuple[Annotated[int, Field(ge=1, le=31_536_000)], ...] = Field(
        default=(7_200, 43_200, 86_400),
        min_length=1,
        max_length=10,
        description="Seconds after its opening at which a need without an accepted answer is escalated.",
    )

    @field_validator("need_steps")
    @classmethod
    def _ascending(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if list(steps) != sorted(set(steps)):
            raise ValueError("each step must be later than the one before")
        return steps
