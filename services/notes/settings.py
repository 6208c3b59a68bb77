"""Knobs of the notes service."""

from shared.settings import NEED_STEPS, NeedSteps
from shared.settings import Settings as Common


class Settings(Common):
    """What an operator may want to change."""

    need_steps: NeedSteps = NEED_STEPS
