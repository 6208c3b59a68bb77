"""Knobs of the notes service."""

from pydantic import BaseModel, ConfigDict, Field

from shared.settings import NEED_STEPS, GateSettings, NeedSteps


class Heat(BaseModel):
    """What makes a note hot: the worth of what people did with it, and how long a lead lasts.

    ``like_share`` is the most that likes may be of the score. A tenfold strength counts as ``hours``; a note is not
    listed any more when it is ``days`` old.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    save: float = Field(default=1.0, ge=0, le=1_000)
    answer: float = Field(default=3.0, ge=0, le=1_000)
    advice: float = Field(default=3.0, ge=0, le=1_000)
    like: float = Field(default=1.0, ge=0, le=1_000)
    like_share: float = Field(default=0.2, ge=0, lt=1)
    hours: float = Field(default=4.0, ge=0, le=1_000)
    days: float = Field(default=7.0, gt=0, le=365)


class Settings(GateSettings):
    """What an operator may want to change."""

    need_steps: NeedSteps = NEED_STEPS
    hot: Heat = Field(
        default=Heat(),
        description="What makes a note hot: the worth of a save, an accepted answer, taken advice and a like, the most "
        "that likes may be of the score, hours that a tenfold strength counts as, days until a note is not listed.",
    )
