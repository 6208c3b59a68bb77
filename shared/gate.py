"""The gate: a look at a text before it is published, in the process that takes it and by what moderation has told.

It asks nobody and waits for nothing. What it holds is hidden until moderation has judged it, which follows in any case
and wins. Where it cannot look, the text goes through, and the event says so.
"""

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import structlog
from prometheus_client.registry import Collector

from shared.contracts import Envelope, Event
from shared.contracts.event import Gate as Said
from shared.contracts.moderation import CounterHeated, ModelTold, RulesChanged
from shared.contracts.topics import POLICY
from shared.follow import Follower
from shared.judging import BadModel, Case, verdicts
from shared.judging.snapshot import Draft, Snapshot
from shared.release import base_rules, unknown_rules
from shared.rules import BadRules, RuleSet, ruleset
from shared.settings import GateSettings
from shared.telemetry import GateMetrics

log = structlog.get_logger()

READ = 2_000
"""Characters of a text that the gate looks at, so that no text takes long; the judgement that follows reads all."""
PATIENCE = 60.0
"""Seconds after which a topic that could not be read to its end makes what is known too old."""
MOST_SECONDS = 0.02
"""A look may take so long. After one that took longer the gate rests."""
SETTLES = timedelta(seconds=2)
"""So long after it was written what is held waits for the counters, where a verdict spares it that went without them.
A verdict has the time of what it judges: where moderation is further behind than this, nothing waits."""
REST = 10
"""So many times as long as the look has taken: set after set of costly rules takes a tenth of a process at most."""


class Passage(NamedTuple):
    """What the gate says of a text, by which rules, and by which versions of rules and model."""

    gate: Said
    version: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether nobody but the author may see it until it was judged."""
        return self.gate == "held"


class Gated(Protocol):
    """What a handler asks of a gate; `hold` is how long at most a text is hidden without a judgement."""

    @property
    def hold(self) -> timedelta: ...

    def look(self, draft: Draft, now: datetime) -> Passage: ...


class NoGate:
    """All goes through unseen."""

    hold = timedelta(0)

    def look(self, draft: Draft, now: datetime) -> Passage:
        """Nothing was looked at."""
        return Passage("open")


class Gate:
    """Looks at texts; `hold` of no length is a gate that stands open."""

    def __init__(
        self,
        base: RuleSet,
        off: Collection[str],
        hold: timedelta,
        metrics: GateMetrics,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.hold = hold
        self.told = Snapshot(base, tuple(off))
        self.follower = Follower(POLICY, self.take, self.caught_up)
        self._metrics, self._clock = metrics, clock
        self._seen: float | None = None
        self._rests = 0.0

    @property
    def gauges(self) -> tuple[Collector, ...]:
        """What it counts, to be registered."""
        return self._metrics.looks, self._metrics.seconds

    # -- what it knows -------------------------------------------------------------------------------------

    def take(self, event: Event, envelope: Envelope) -> None:
        """Take up a record of the topic."""
        if isinstance(event, RulesChanged | ModelTold | CounterHeated):
            self.told.take(event, envelope.sequence)

    def caught_up(self) -> None:
        """All that is in the topic was taken: judge by it."""
        try:
            self.told.settle()
        except (BadRules, BadModel) as bad:
            log.error("gate_not_told", fault=type(bad).__name__)
        self._seen = self._clock()

    # -- what it says --------------------------------------------------------------------------------------

    def look(self, draft: Draft, now: datetime) -> Passage:
        """What there is against a text. Takes some milliseconds at most, and raises nothing."""
        began = self._clock()
        shut = self._shut(began)
        if shut:
            self._metrics.looks.labels(shut).inc()
            return Passage("open")
        passage = self._looked(draft, now)
        took = self._clock() - began
        self._metrics.seconds.observe(took)
        self._metrics.looks.labels("failed" if passage.gate == "open" else passage.gate).inc()
        if took > MOST_SECONDS:
            self._rests = began + took * (1 + REST)
        return passage

    def _shut(self, now: float) -> str:
        """Why nothing is looked at, if so."""
        if not self.hold:
            return "off"
        if self._seen is None:
            return "untold"
        if now - self._seen > PATIENCE:
            return "behind"
        return "resting" if now < self._rests else ""

    def _looked(self, draft: Draft, now: datetime) -> Passage:
        try:
            draft = draft._replace(text=draft.text[:READ])
            facts: dict[str, Any] = dict(self.told.facts(draft, now))
            made = verdicts([Case(draft.text, facts)], self.told.judges)[0]
        except Exception:
            log.exception("gate_failed")
            return Passage("open")
        reasons = tuple(dict.fromkeys(reason.rule for reason in made.reasons))
        return Passage("held" if made.hide else "passed", self.told.version, reasons)


def gate_of(settings: GateSettings) -> Gate:
    """The gate of a service: until it has read what moderation told, it stands open."""
    if unknown := unknown_rules(settings.rules_off):
        # Misspelt, or of a set that staff have made since: nobody is kept from publishing for that.
        log.warning("rules_off_unknown", rules=unknown)
    hold = timedelta(seconds=settings.gate_seconds)
    rules = ruleset(base_rules().source, settings.rules_off)
    return Gate(rules, settings.rules_off, hold, GateMetrics())
