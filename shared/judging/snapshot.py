"""What moderation has told to those who judge before they publish: rules, text model, and counters that are hot."""

import zlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from shared.contracts.moderation import CounterHeated, ModelTold, RulesChanged
from shared.judging.grams import Floats
from shared.judging.keys import counter_ids, hash_of
from shared.judging.model import SIZE, BadModel, TextModel, blank
from shared.judging.verdict import Judges
from shared.rules import RuleSet, Value, ruleset
from shared.text import normalise

MOST_HOT = 20_000
"""Counters that are remembered; the ones that hold longest stay."""
LONG_OVER = timedelta(days=1)
"""After so long a counter may have been forgotten where it is kept, and its sequence have begun anew."""


class Draft(NamedTuple):
    """A text before it is published: `kind` as rules know it, and the group of a message."""

    kind: str
    text: str
    author_id: str
    group_id: str = ""


@dataclass(frozen=True, slots=True)
class ToldBar:
    """The bar of the model as it was told; its version is part of the model's."""

    at: float | None = None
    version: str = "told"


@dataclass(slots=True)
class Snapshot:
    """Takes what is told in any order and however often: of each subject the highest sequence, of the rules the last.

    Each change of the rules is a subject of its own, and all have one sequence until a restore raises it: the highest
    sequence shuts out what a lost timeline has changed, and of those that share it the highest number is the last.
    Rules are made of their source when all that is there was taken: there may be years of them.
    """

    rules: RuleSet
    off: tuple[str, ...] = ()
    model: TextModel = field(default_factory=blank)
    bar: ToldBar = ToldBar()
    _last: tuple[int, int] = (0, 0)
    _changed: RulesChanged | None = None
    _made: str = ""
    _parts: dict[int, tuple[int, ModelTold]] = field(default_factory=dict)
    _hot: dict[str, tuple[int, CounterHeated]] = field(default_factory=dict)

    @property
    def judges(self) -> Judges:
        """Who judges by it."""
        return Judges(self.rules, self.model, self.bar)

    @property
    def version(self) -> str:
        """Of rules and model."""
        return f"{self.rules.version} {self.model.chain or 'blank'}"

    def take(self, event: RulesChanged | ModelTold | CounterHeated, sequence: int) -> None:
        """Take up an event with its sequence."""
        match event:
            case RulesChanged() if self._last < (sequence, event.number):
                self._last, self._changed = (sequence, event.number), event
            case ModelTold() if self._parts.get(event.part, (-1,))[0] < sequence:
                self._parts[event.part] = sequence, event
            case CounterHeated() if _newer(event, sequence, self._hot.get(event.counter_id)):
                self._hot[event.counter_id] = sequence, event

    def settle(self) -> None:
        """Judge by what was taken from now on; by what was in force before, where it cannot be read.

        Raises:
            BadRules: a newer release's set. BadModel: weights that are none.
        """
        if len(self._hot) > MOST_HOT:
            kept = sorted(self._hot.items(), key=lambda item: item[1][1].until)[-MOST_HOT // 2 :]
            self._hot = dict(kept)
        # What cannot be read is not tried again and again.
        told = [part for _, part in self._parts.values()]
        if told and told[0].model != self._made and _whole(told):
            self._made = told[0].model
            self.model, self.bar = _model(told), ToldBar(told[0].bar)
        if (changed := self._changed) is not None:
            self._changed = None
            self.rules = ruleset(changed.definition, self.off)

    def facts(self, draft: Draft, now: datetime) -> Mapping[str, Value]:
        """What is known of a draft beside its text: a counter of which nothing was told is unknown to its rules."""
        known: dict[str, Value] = {"content.kind": draft.kind, "content.revision": 0, "content.standing": 0.0}
        if not self._hot:
            return known
        seen = normalise(draft.text)
        for counter_id in counter_ids(draft.author_id, seen, draft.group_id).values():
            _, told = self._hot.get(counter_id, (0, None))
            if told is not None and now < told.until:
                same = told.text_hash == hash_of(seen)
                known |= {c.fact: c.count for c in told.counts if same or not c.fact.startswith("author.copies")}
        return known


def _newer(told: CounterHeated, sequence: int, known: tuple[int, CounterHeated] | None) -> bool:
    return known is None or known[0] < sequence or known[1].until + LONG_OVER < told.until


def _whole(told: Iterable[ModelTold]) -> bool:
    """Whether these are all parts of one version."""
    parts = list(told)
    same = {(part.model, part.parts) for part in parts}
    return len(same) == 1 and {part.part for part in parts} == set(range(parts[0].parts))


def _model(told: Iterable[ModelTold]) -> TextModel:
    parts = sorted(told, key=lambda part: part.part)
    try:
        weights = np.concatenate([_weights(part.weights) for part in parts])
    except (ValueError, zlib.error) as error:
        raise BadModel("not the weights of a model") from error
    if weights.size != SIZE or not np.isfinite(weights).all():
        raise BadModel("not the weights of a model of this release")
    return TextModel(weights, weights, parts[0].ham, parts[0].spam, parts[0].model)


def _weights(told: str) -> Floats:
    inflate = zlib.decompressobj()
    return np.frombuffer(inflate.decompress(b64decode(told, validate=True), 2 * SIZE), "<f2").astype(np.float32)
