"""What rules may ask about: the facts, with their types, ranges and windows, and the numbers of a set.

A fact that nobody has told is unknown. What depends on it alone neither holds nor fails, and no rule speaks on that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Type = Literal["truth", "number", "span", "word"]
Value = float | bool | str

MINUTE, HOUR, DAY = 60, 3_600, 86_400
WINDOW = {60: "1m", 3_600: "1h", 7 * DAY: "7d"}
MOST_COUNTED = 120
"""Counters count no further."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that may be known of a content. `low` and `high` bound it; `choices` are the words that it may be."""

    name: str
    type: Type
    about: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()
    windows: tuple[int, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Under what it is told: its name, with each of its windows if it has any."""
        return tuple(f"{self.name}({WINDOW[w]})" for w in self.windows) if self.windows else (self.name,)


def _counted(name: str, about: str, *windows: int) -> Fact:
    return Fact(name, "number", about, 0, MOST_COUNTED, windows=windows)


TEXTS: Mapping[str, str] = {
    "text": "The text as it reads, after normalisation; of a note title and text.",
    "before": "The last revision that others saw before this one, read alike; unknown for the first.",
}

FACTS: tuple[Fact, ...] = (
    Fact("content.kind", "word", "What it is.", choices=("note", "comment", "message")),
    Fact("content.length", "number", "Characters of the text as it reads.", 0, 1_000_000),
    Fact("content.revision", "number", "How often it was edited.", 0, 1_000_000),
    Fact(
        "content.standing", "span", "How long it has stood when this revision came; 0s for the first.", 0, 36_500 * DAY
    ),
    Fact("content.run", "number", "The longest run of one character, white space and laughter apart.", 0, 1_000_000),
    Fact("content.hosts", "number", "Different hosts that it names.", 0, 1_000),
    Fact("content.lookalike", "truth", "Whether a host in it is written with letters that only look like others."),
    _counted("author.posts", "Contents that the author wrote within the window before this one.", MINUTE, HOUR),
    _counted("author.places", "Other notes and groups where the author wrote within the window.", HOUR),
    _counted("author.copies", "Other notes and groups where the author wrote the same within the window.", HOUR),
    _counted("author.hidden", "Contents of the author within the window that are hidden now.", 7 * DAY),
    Fact("author.written", "number", "Contents of the author before this one that moderation has counted.", 0, 1e9),
    Fact("author.age", "span", "Since the first of them; an absence of 90 days begins anew.", 0, 36_500 * DAY),
    _counted("crowd.people", "Other people who wrote the same text within the window.", HOUR),
    _counted("crowd.places", "Other notes and groups where anybody wrote the same text within the window.", HOUR),
    _counted("host.people", "Other people who named the first host in it within the window.", HOUR),
    _counted("group.posts", "Messages in its group within the window before this one.", MINUTE, HOUR),
    _counted("group.hidden", "Messages in its group within the window that are hidden now.", HOUR),
    Fact("model.score", "number", "The text model's chance of an advertisement; unknown while it keeps silent.", 0, 1),
)
BY_NAME: Mapping[str, Fact] = {fact.name: fact for fact in FACTS}
BY_KEY: Mapping[str, Fact] = {key: fact for fact in FACTS for key in fact.keys}


@dataclass(frozen=True, slots=True)
class Knob:
    """A number of the whole set."""

    name: str
    default: float
    low: float
    high: float
    about: str


KNOBS: tuple[Knob, ...] = (
    Knob("threshold", 1.0, 0.01, 1_000, "The sum of weights from which a text is hidden."),
    Knob("least", 2, 1, 100, "Rules that must have spoken for that, whatever they weigh."),
    Knob("reach", 240, 1, 100_000, "Characters within which what rules have seen counts together."),
    Knob(
        "caution",
        0.1,
        0,
        10,
        "What more a text must weigh, as a share, for each doubling of its length beyond the reach: there are more "
        "places in it where honest words stand together by chance.",
    ),
)

EFFECTS: Mapping[str, str] = {
    "weigh": "adds its weight to the score; enough of them within the reach hide the text",
    "hide": "hides the text alone; it weighs as much as the threshold",
    "review": "puts the text up for review by staff, and hides nothing",
}
COUNTED: frozenset[str] = frozenset(key for key in BY_KEY if key.startswith(("author.", "crowd.", "host.", "group.")))
"""What counters tell, a moment after the text is there."""
