"""How much is measured: the run, or a glance that only shows that it works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """``comments`` in the topic, ``rounds`` of which the median is told, ``seconds`` of each window."""

    comments: int = 250_000
    rounds: int = 3
    seconds: float = 3.0
    minutes: float = 10.0
    """Of the watch over memory."""


GLANCE = Effort(comments=40_000, rounds=1, seconds=1.0, minutes=0.1)
