"""Events of the moderation service."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from .event import Event, Id, Short
from .topics import COUNTER, GROUP_VERDICT, NOTE_VERDICT, POLICY, SHADOW

ContentKind = Literal["note", "comment"]
Judge = Literal["automatic", "staff"]
"""What staff have decided of a revision is final: no automatic verdict on it follows."""
Flag = Literal["reported", "counted"]
"""What is told of a content beside its text: a person's report, or what counters know of it that a rule may ask for."""
Without = Annotated[tuple[Short, ...], Field(max_length=10)]
Asking = Annotated[tuple[Short, ...], Field(max_length=1_000)]
CounterId = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,16}:[A-Za-z0-9_.:\-]{1,128}$")]
"""The kind of a counter and what it counts, as ``model:text``."""


class Count(BaseModel):
    """A fact that a counter tells, by the key that rules ask for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    fact: Short = Field(description="Its key, as `author.posts(1m)`.")
    count: FiniteFloat = Field(description="How many, or how many seconds.")


class VerdictReason(BaseModel):
    """A rule that fired: its name, what it adds to the score, and the characters where it saw it.

    Of a note they are counted in title, line feed and text, one after the other.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule: Short
    weight: FiniteFloat
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class ContentJudged(Event, topic=NOTE_VERDICT, name="content_judged", order="state"):
    """A verdict on one revision of a note or a comment: what was posted is 0, edits count from 1.

    ``rules`` and ``model`` are the versions of what decided.
    """

    content_id: Id
    kind: ContentKind
    note_id: Id
    author_id: Id
    revision: int = Field(default=0, ge=0)
    hidden: bool
    score: FiniteFloat
    reasons: tuple[VerdictReason, ...] = Field(max_length=100, description="The rules that fired, and where.")
    rules: Short
    model: Short = ""
    by: Judge = "automatic"
    without: Without = ()


class ContentFlagged(Event, topic=NOTE_VERDICT, name="content_flagged", order="count"):
    """Something is known of a note or a comment beside its text; ``reason`` is what a reporter chose.

    Who has reported is not told.
    """

    content_id: Id
    kind: ContentKind
    note_id: Id
    flag: Flag
    reason: Short = Field(default="", description="What a reporter chose; empty for what was counted.")
    counts: tuple[Count, ...] = Field(default=(), max_length=20, description="What counters know; empty for a report.")


class MessageJudged(Event, topic=GROUP_VERDICT, name="message_judged", order="state"):
    """A verdict on a message in a group. ``rules`` and ``model`` are the versions of what decided."""

    content_id: Id
    group_id: Id
    author_id: Id
    hidden: bool
    score: FiniteFloat
    reasons: tuple[VerdictReason, ...] = Field(max_length=100, description="The rules that fired, and where.")
    rules: Short
    model: Short = ""
    by: Judge = "automatic"
    without: Without = ()


class MessageFlagged(Event, topic=GROUP_VERDICT, name="message_flagged", order="count"):
    """Something is known of a message beside its text; ``reason`` is what a reporter chose."""

    content_id: Id
    group_id: Id
    flag: Flag
    reason: Short = Field(default="", description="What a reporter chose; empty for what was counted.")
    counts: tuple[Count, ...] = Field(default=(), max_length=20, description="What counters know; empty for a report.")


class ContentLabelled(Event, topic=COUNTER, name="content_labelled", order="fact"):
    """Staff have decided of a revision whether it is spam: the text model learns it from moderation's own copy."""

    counter_id: CounterId
    content_id: Id
    revision: int = Field(ge=0)
    spam: bool


class ContentWatched(Event, topic=COUNTER, name="content_watched", order="count"):
    """What the text model gave to a content that the rules have spared; some of them are watched, to fit its bar."""

    counter_id: CounterId
    content_id: Id
    chance: float = Field(ge=0, le=1)


class ContentCounted(Event, topic=COUNTER, name="content_counted", order="count"):
    """Something was written, or hidden or shown since: of one content the higher ``version`` holds.

    ``place_id`` is the note or group, ``text_hash`` the same for texts that read alike and empty for short ones.
    """

    counter_id: CounterId
    content_id: Id
    kind: Literal["note", "comment", "message"]
    place_id: Id
    author_id: Id
    posted_at: AwareDatetime
    text_hash: Short
    hidden: bool
    version: int = Field(ge=1)
    asking: Asking = Field(default=(), description="Rules that wait for what is counted.")


class ContentTried(Event, topic=SHADOW, name="content_tried", order="fact"):
    """What rules or a model on trial would have said of a content; only what is in force hides anything.

    Of one content the higher ``version`` holds.
    """

    content_id: Id
    kind: Literal["note", "comment", "message"]
    place_id: Id
    author_id: Id
    revision: int = Field(ge=0)
    version: int = Field(ge=1)
    trial_id: Id
    hidden: bool = Field(description="Whether it would be hidden.")
    live: bool = Field(description="Whether the rules and the model in force hide it.")
    score: FiniteFloat
    reasons: tuple[VerdictReason, ...] = Field(max_length=100, description="The rules that would fire, and where.")
    rules: Short
    model: Short


class TrialLabelled(Event, topic=COUNTER, name="trial_labelled", order="count"):
    """Staff have decided of a content of the sample of a trial: of two decisions the higher ``version`` holds."""

    counter_id: CounterId
    content_id: Id
    version: int = Field(ge=1)
    added: bool = Field(description="Whether only the trial would hide it.")
    spam: bool


class RulesChanged(Event, topic=POLICY, name="rules_changed", order="state"):
    """The rules were changed: somebody's draft was approved by another person, or a change was rolled back.

    Each change has a key of its own and stays. In force is the one with the highest ``ce_sequence``, and of those that
    share it the one with the highest ``number``: only after a restore of moderation's database are there two sequences.
    """

    policy_id: Id
    number: int = Field(ge=1, description="Counts the changes.")
    way: Literal["approved", "rolled_back"] = Field(description="How it came about.")
    rules: Short = Field(description="Version of the set that is in force since.")
    replaces: Short = Field(description="Version of the set that was in force before.")
    definition: Annotated[str, StringConstraints(max_length=60_000)] = Field(
        description="The set itself, in the language of rules."
    )
    note: Annotated[str, StringConstraints(max_length=2_000)] = Field(description="Why.")
    author_id: Short = Field(description="Who wrote the set; empty for the one that a release brought.")
    by_id: Id = Field(description="Who approved it or rolled back.")
    since: AwareDatetime = Field(description="When it came into force.")
    proven: FiniteFloat | None = Field(
        default=None, description="Lower bound of its precision on trial; null for one that was never tried."
    )


class ModelTold(Event, topic=POLICY, name="model_told", order="state"):
    """A part of the text model by which others may judge before they publish: whole when all parts are of one version.

    ``weights`` are 16-bit floats, little-endian, deflated by zlib, in base64; part after part they are all weights.
    """

    policy_id: Id
    model: Short
    ham: int = Field(ge=0, description="Honest texts that it has learned.")
    spam: int = Field(ge=0, description="Advertisements that it has learned.")
    bar: float | None = Field(ge=0, le=1, description="Chance above which it hides alone; null while it does not.")
    part: int = Field(ge=0, le=63, description="Which part this is, from 0.")
    parts: int = Field(ge=1, le=64, description="How many parts there are.")
    weights: Annotated[str, StringConstraints(max_length=200_000)] = Field(description="The weights of this part.")


class CounterHeated(Event, topic=POLICY, name="counter_heated", order="state"):
    """A counter tells enough that a rule may hold by it, whatever is written next: for those who judge beforehand.

    The key is one of a fixed number of cells, so the topic stays small; of two counters in one cell the later stays.
    """

    policy_id: Id = Field(description="The cell that the counter falls into.")
    counter_id: CounterId
    counts: tuple[Count, ...] = Field(max_length=20, description="What the next content will find, at least.")
    text_hash: Short = Field(default="", description="The text that `author.copies` is told of; empty for none.")
    until: AwareDatetime = Field(description="How long that holds: RFC 3339 with an offset.")
