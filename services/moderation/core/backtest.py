"""Days that have passed, judged by other rules: who would be hidden that was not, and who was that would not be."""

from collections import Counter as Counts
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from services.moderation.core.content import STAFF, Kind, Text
from services.moderation.core.counters import Counter, Entry, counted
from shared.judging import MODEL
from shared.judging.keys import FAMILY, counter_ids
from shared.rules import Judgement, RuleSet, Sight, Value, judge
from shared.text import Normalised, normalise

REMEMBERED = 100_000
"""Texts that are kept, the latest: what an edit is compared with, and that a content was counted."""

Change = Literal["both", "added", "spared", "staff", "model"]
"""How a content comes out: hidden then and now, now alone, then alone; or then by staff, or with the text model."""


class Told(NamedTuple):
    """A verdict as it was told last."""

    sequence: int
    hidden: bool
    by: str
    kind: Kind
    author_id: str
    at: datetime
    reasons: tuple[str, ...]


class Outcome(NamedTuple):
    """One content that is hidden on one side at least: why it was, and why it would be."""

    content_id: str
    change: Change
    kind: Kind
    author_id: str
    at: datetime
    was: tuple[str, ...]
    would: tuple[str, ...]


@dataclass(slots=True)
class _Kept:
    """What is known of a content: the text that others saw last, and what counters have told."""

    revision: int
    posted_at: datetime
    text: str
    facts: dict[str, Value]


class Backtest:
    """Judges what was written by `rules`, with counters of its own, and keeps what is hidden on either side.

    Counters begin empty: whoever was there before is new, and what was hidden before is forgotten. In memory are the
    counters, the latest texts, and of all contents those that were or would be hidden.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.texts: Counts[Kind] = Counts()
        self._asking = {kind: frozenset(rules.asking(tuple(rules.by_name), family)) for kind, family in FAMILY.items()}
        self._counters: dict[str, Counter] = {}
        self._kept: dict[str, _Kept] = {}
        self._was: dict[str, Told] = {}
        self._would: dict[str, Told] = {}

    def wrote(self, text: Text, at: datetime) -> None:
        """A text, posted or edited; an older revision than the one at hand changes nothing."""
        known = self._kept.pop(text.id, None)
        if known is not None and known.revision >= text.revision:
            self._kept[text.id] = known
            return
        kept = known or _Kept(text.revision, at, "", {})
        if known is None:
            self.texts[text.kind] += 1
        said = self._judged(text, kept, at)
        kept.revision = text.revision
        kept.text = kept.text if said.hide else text.text
        self._kept[text.id] = kept
        if len(self._kept) > REMEMBERED:
            del self._kept[next(iter(self._kept))]
        reasons = tuple(reason.rule for reason in said.reasons)
        if said.hide:
            self._would[text.id] = Told(0, True, "", text.kind, text.author_id, at, reasons)
        else:
            self._would.pop(text.id, None)

    def told(self, content_id: str, verdict: Told) -> None:
        """A verdict as it was told; of two the higher sequence holds."""
        known = self._was.get(content_id)
        if (known is None or known.sequence < verdict.sequence) and (verdict.hidden or verdict.sequence > 1):
            self._was[content_id] = verdict

    def gone(self, content_id: str) -> None:
        """Deleted: nobody is judged otherwise."""
        for known in (self._was, self._would, self._kept):
            known.pop(content_id, None)

    def outcomes(self) -> Iterator[Outcome]:
        """Everything that is hidden on one side at least."""
        for id_ in self._was.keys() | self._would.keys():
            was, would = self._was.get(id_), self._would.get(id_)
            change = _change(was, would)
            of = would or was
            if change is not None and of is not None:
                reasons = was.reasons if was else (), would.reasons if would else ()
                yield Outcome(id_, change, of.kind, of.author_id, of.at, *reasons)

    def _judged(self, text: Text, kept: _Kept, at: datetime) -> Judgement:
        seen = normalise(text.text)
        before = normalise(kept.text) if text.revision and kept.text else None
        standing = max((at - kept.posted_at).total_seconds(), 0.0)
        facts = {"content.kind": text.kind, "content.revision": text.revision, "content.standing": standing}
        sight = Sight(text.text, seen, {**facts, **kept.facts}, before)
        said = judge(self.rules, sight)
        told = self._counted(text, (seen, kept.posted_at), said)
        if not told:
            return said
        kept.facts.update(told)
        again = judge(self.rules, sight.knowing(told, before))
        if again.hide != said.hide:
            self._counted(text, (seen, kept.posted_at), again, version=2 * text.revision + 2)
        return again

    def _counted(
        self, text: Text, seen: tuple[Normalised, datetime], said: Judgement, version: int = 0
    ) -> Mapping[str, float]:
        """Counts it where it is to be counted; what a rule that waits could hold by."""
        normal, posted_at = seen
        found: dict[str, float] = {}
        place = text.place_id if text.kind == "message" else ""
        entry: Entry | None = None
        ids = counter_ids(text.author_id, normal, place)
        for kind, id_ in ids.items():
            waiting = [name for name in said.open if name in self._asking[kind]]
            if not (waiting or kind == "person" or (kind == "group" and self._asking[kind])):
                continue
            entry = entry or Entry(
                text.id,
                text.place_id,
                posted_at,
                ids.get("text", "").removeprefix("text:"),
                said.hide,
                version or 2 * text.revision + 1,
                text.author_id,
            )
            self._counters[id_], facts = counted(self._counters.get(id_) or Counter(id=id_), entry)
            if waiting and facts and self.rules.may_speak(waiting, facts):
                found.update(facts)
        return found


def _change(was: Told | None, would: Told | None) -> Change | None:
    then = was is not None and was.hidden
    if was is not None and was.by == STAFF:
        return "staff" if then or would else None
    if was is not None and then and MODEL in was.reasons:
        return "model"
    if then and would:
        return "both"
    return "spared" if then else "added" if would else None
