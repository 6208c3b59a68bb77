"""Dead letters: inputs that a service could not take, kept with the reason and the raw bytes."""

from typing import Literal

from pydantic import Field

from .event import Event, Short
from .topics import GROUPS_DEAD, MODERATION_DEAD, NOTES_DEAD, RECOMMEND_DEAD

DeadReason = Literal["envelope", "body", "type", "rejected", "bug", "size"]
_WHY = """envelope: headers not ours; body: not the model of its type; type: a type or version that its topic should
not carry; rejected: the handler refused it; bug: the handler raised; size: its effects are too large."""


class DeadLetter(Event):
    """One input that died in one handler (``handler`` is empty when it died before any).

    ``record_key``, ``value`` and ``headers`` are base64, cut at 64 KiB; ``cut`` says so, and a cut letter cannot
    be replayed. A timer's letter has ``timers`` for its topic. ``fingerprint`` groups letters of one error.
    No field holds readable text of a person.
    """

    letter_id: str = Field(max_length=250)
    topic: Short = Field(description="The input's topic, or `timers`.")
    partition: int = Field(ge=0, le=2**31)
    offset: int = Field(ge=0, le=2**62)
    handler: Short
    reason: DeadReason = Field(description=_WHY)
    fingerprint: Short
    record_key: str
    value: str
    headers: tuple[tuple[Short, str], ...]
    cut: bool = False


class NotesDeadLetter(DeadLetter, topic=NOTES_DEAD, name="dead_letter", order="fact"):
    """An input that notes could not take."""


class GroupsDeadLetter(DeadLetter, topic=GROUPS_DEAD, name="dead_letter", order="fact"):
    """An input that groups could not take."""


class RecommendDeadLetter(DeadLetter, topic=RECOMMEND_DEAD, name="dead_letter", order="fact"):
    """An input that recommend could not take."""


class ModerationDeadLetter(DeadLetter, topic=MODERATION_DEAD, name="dead_letter", order="fact"):
    """An input that moderation could not take."""


DEAD_LETTERS: dict[str, type[DeadLetter]] = {
    model.TOPIC.owner: model for model in (NotesDeadLetter, GroupsDeadLetter, RecommendDeadLetter, ModerationDeadLetter)
}
"""The dead letter of each service."""
