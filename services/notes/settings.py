"""Knobs of the notes service."""

from pydantic import Field

from shared.settings import Settings as Common


class Settings(Common):
    """What an operator may want to change."""

    need_steps: tuple[int, ...] = Field(
        default=(7_200, 43_200, 86_400),
        min_length=1,
        max_length=10,
        description="Seconds after its opening at which a need without an accepted answer is escalated.",
    )
