"""What is told to those who judge before they publish: the text model in parts, and counters that are hot."""

import zlib
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import ClassVar, NamedTuple
from zlib import crc32

import numpy as np
from msgspec.structs import replace

from services.moderation.core.counters import HOUR, WEEK, Counter, Entry, Heat, bounded
from shared.flow.documents import Document
from shared.judging import Judges, TextModel
from shared.judging.keys import FAMILY, Counted
from shared.rules import Rule, RuleSet, Sight
from shared.rules.vocabulary import BY_KEY

PARTS = 4
"""A part of the model is well below what an event may hold, whatever the weights are."""
APART = timedelta(minutes=1)
"""The model is told no more often: it changes with every lesson."""
AGAIN = timedelta(hours=1)
"""It is told again so often though nothing has changed: a broker may have kept the older one of two."""
LASTS = timedelta(minutes=10)
"""For so long holds what is told of a counter."""
CELLS = 16_384
"""Keys under which counters are told."""
UNTOLD = ("author.posts(1m)", "author.written", "author.age", "group.posts(1m)")
"""What counters know and those who judge beforehand never do: no rule that needs one of these holds there."""
_ANYBODY = tuple(
    {"content.revision": 0, "content.standing": 0.0, **{key: getattr(BY_KEY[key], bound) for key in UNTOLD}}
    for bound in ("low", "high")
)
"""Of what they judge: new texts, and whatever is not told as small and as large as it may be."""


class ToldModel(Document, frozen=True, kw_only=True):
    """Which version of a part of the model was told last, and when."""

    COLLECTION: ClassVar[str] = "told_models"
    REBUILT: ClassVar[bool] = False

    version: str
    at: datetime


def told_ids() -> tuple[str, ...]:
    """The ids of the parts, which are the keys that they are told under."""
    return tuple(f"model-{part}" for part in range(PARTS))


def model_due(told: ToldModel | None, judges: Judges, now: datetime) -> bool:
    """Whether a part is to be told: it has something to say, it is another one than was told, and not too soon."""
    if not judges.model.speaks:
        return False
    return told is None or now - told.at >= (AGAIN if told.version == judges.version else APART)


def weights_of(model: TextModel, part: int) -> str:
    """The weights of one part as they are told: 16-bit floats, deflated, in base64."""
    some = np.array_split(model.weights, PARTS)[part]
    return b64encode(zlib.compress(some.astype("<f2").tobytes())).decode()


class Hot(NamedTuple):
    """What whoever writes next will find at a counter, at least, until a time; `text` is what copies are told of."""

    counts: Mapping[str, float]
    text: str
    until: datetime


def cell(counter_id: str) -> str:
    """The key under which a counter is told."""
    return f"hot-{crc32(counter_id.encode()) % CELLS:05d}"


def heated(counter: Counter, rules: RuleSet, now: datetime) -> tuple[Counter, Hot | None]:
    """The counter, and what is to be told of it: that rules may hold by it which did not, or still may.

    A rule that would say the same of a counter that has counted nothing is no reason to tell of this one.
    """
    kind: Counted = counter.id.partition(":")[0]  # type: ignore[assignment]
    hot = outlook(kind, counter.entries, now)
    if not any(hot.counts.values()):
        return counter, None
    by = _speaking(rules, FAMILY[kind], tuple(hot.counts.items()))
    known = counter.heat
    if not by or (known and set(by) <= set(known.rules) and known.until - now > LASTS / 2):
        return counter, None
    return replace(counter, heat=Heat(by, hot.until)), hot


def outlook(kind: Counted, entries: tuple[Entry, ...], now: datetime) -> Hot:
    """What a content that comes within `LASTS` will find, whoever writes it and wherever: never more than it will.

    Windows of a minute are over too soon to be told. One of the people and of the places may be its own.
    """
    hour = [e for e in entries if now + LASTS - HOUR < e.at <= now]
    places, text = {e.place_id for e in hour}, ""
    counts: dict[str, int]
    match kind:
        case "text":
            people = {e.author_id for e in hour}
            counts = {"crowd.people(1h)": len(people) - 1, "crowd.places(1h)": len(places) - 1}
        case "host":
            counts = {"host.people(1h)": len({e.author_id for e in hour}) - 1}
        case "group":
            counts = {"group.posts(1h)": len(hour), "group.hidden(1h)": sum(e.hidden for e in hour)}
        case "person":
            where: dict[str, set[str]] = {}
            for e in hour:
                if e.text:
                    where.setdefault(e.text, set()).add(e.place_id)
            text = max(sorted(where), key=lambda hash_: len(where[hash_]), default="")
            counts = {
                "author.posts(1h)": len(hour),
                "author.places(1h)": len(places) - 1,
                "author.copies(1h)": len(where.get(text, ())) - 1,
                "author.hidden(7d)": sum(e.hidden and now + LASTS - WEEK < e.at <= now for e in entries),
            }
    return Hot(bounded({key: max(count, 0) for key, count in counts.items()}), text, now + LASTS)


@lru_cache(maxsize=4096)
def _speaking(rules: RuleSet, family: str, counts: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """The rules that hold by these counts, or may, and would not by none. Most counters count few things."""
    nothing = dict.fromkeys(dict(counts), 0.0)
    asking = (rule for rule in rules.rules if any(key.startswith(family) for key in rule.facts))
    hiding = (rule for rule in asking if rule.effect != "review")
    return tuple(rule.name for rule in hiding if _sure(rule, dict(counts)) > _sure(rule, nothing))


def _sure(rule: Rule, counts: Mapping[str, float]) -> int:
    """2: it holds; 1: it may, by the text or another counter; 0: it does not, or only by what is not told."""
    said = (rule.holds(Sight(None, None, {**anybody, **counts})) for anybody in _ANYBODY)
    return min(1 if truth is None else 2 * truth for truth in said)
