"""Every metric's name with a sentence of meaning, and the shape of log lines.

Names are ``lianyi_<area>_<what>_<unit>``; labels have few values (no ids, no texts). Logs are JSON lines.
"""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from structlog.typing import ExcInfo

from shared.contracts.dead import DeadReason

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_EFFECT_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_LOOK_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_REPEAT_SECONDS = 5.0
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """The counters and histograms of one process, on a registry of its own."""

    def __init__(self, service: str, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.service = service
        made: dict[str, Any] = {"registry": self.registry}
        self.http_requests = Counter(
            "lianyi_http_requests_total",
            "Requests by route, method and status class.",
            ["route", "method", "status"],
            **made,
        )
        self.http_seconds = Histogram(
            "lianyi_http_request_seconds",
            "Time from request to response.",
            ["route", "method"],
            buckets=_SECONDS,
            **made,
        )
        self.inputs = Counter(
            "lianyi_lane_inputs_total", "Inputs folded, by type and outcome.", ["type", "outcome"], **made
        )
        self.batch = Histogram("lianyi_lane_batch_inputs", "Inputs in a batch.", ["key"], buckets=_BATCH, **made)
        self.commit_seconds = Histogram(
            "lianyi_lane_commit_seconds", "One transaction of a batch.", ["key"], buckets=_SECONDS, **made
        )
        self.publish_seconds = Histogram(
            "lianyi_lane_publish_seconds",
            "Sending a batch until acknowledged.",
            ["key"],
            buckets=_SECONDS,
            **made,
        )
        self.effect_seconds = Histogram(
            "lianyi_lane_effect_seconds",
            "From an input's time to its commit here.",
            ["key"],
            buckets=_EFFECT_SECONDS,
            **made,
        )
        self.dead_letters = Counter("lianyi_lane_dead_letters_total", "Dead letters by reason.", ["reason"], **made)
        for reason in get_args(DeadReason):
            self.dead_letters.labels(reason)  # from zero on, or the first letter would be no increase
        self.trouble = Counter(
            "lianyi_lane_trouble_total",
            "Conflicts, fences, unknown commits, transient faults, alarms and failures met by lanes.",
            ["key", "kind"],
            **made,
        )
        self.build = Gauge("lianyi_service_up", "1 while the process runs.", ["service"], **made)
        self.build.labels(service).set(1)
        self.ready = Gauge("lianyi_service_ready", "1 while /readyz finds nothing missing; 0 until the start.", **made)
        ProcessCollector(registry=self.registry)  # memory, CPU, open files, start: `process_…`, on Linux


@dataclass(frozen=True, slots=True)
class LaneReport:
    """How a lane stands now: phase, seconds since it last moved, lag, age of its oldest unsent batch, rebuild."""

    name: str
    phase: str
    idle_seconds: float
    lag_records: int
    lag_seconds: float
    outbox_seconds: float
    held: str
    rebuild_records: int = 0


class LaneGauges(Collector):
    """Gauges of the lanes, read at the scrape. ``partitions`` is how many lanes each key has, whoever owns them."""

    def __init__(self, reports: Callable[[], Iterable[LaneReport]], partitions: Mapping[str, int]) -> None:
        self._reports = reports
        self._partitions = partitions

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a lane and gauge."""
        lag = GaugeMetricFamily("lianyi_lane_lag_records", "Records waiting in the lane.", labels=["lane"])
        late = GaugeMetricFamily(
            "lianyi_lane_lag_seconds", "Time for which a record has waited, or may have.", labels=["lane"]
        )
        unsent = GaugeMetricFamily(
            "lianyi_lane_outbox_seconds", "Age of the oldest unsent batch, of ops commands too.", labels=["lane"]
        )
        held = GaugeMetricFamily("lianyi_lane_held", "1 while an operator or an alarm holds the lane.", labels=["lane"])
        idle = GaugeMetricFamily("lianyi_lane_idle_seconds", "Time since the lane last moved.", labels=["lane"])
        part = GaugeMetricFamily(
            "lianyi_lane_partial", "1 while this process holds only some of the lane's topics.", labels=["lane"]
        )
        again = GaugeMetricFamily(
            "lianyi_lane_rebuild_records", "Records that a rebuild has still to fold again, at most.", labels=["lane"]
        )
        every = GaugeMetricFamily("lianyi_lane_partitions", "Lanes that a key has, whoever owns them.", labels=["key"])
        for key, count in self._partitions.items():
            every.add_metric([key], count)
        for report in self._reports():
            lag.add_metric([report.name], report.lag_records)
            late.add_metric([report.name], report.lag_seconds)
            unsent.add_metric([report.name], report.outbox_seconds)
            held.add_metric([report.name], 1.0 if report.held else 0.0)
            idle.add_metric([report.name], report.idle_seconds)
            part.add_metric([report.name], 1.0 if report.phase == "partial" else 0.0)
            again.add_metric([report.name], report.rebuild_records)
        yield from (lag, late, unsent, held, idle, part, again, every)


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What a text model has learned: texts, and the chance from which it hides alone; None while it does not."""

    lessons: int
    bar: float | None


class ModelGauges(Collector):
    """Gauges of the text model by which this process judges, read at the scrape."""

    def __init__(self, report: Callable[[], ModelReport]) -> None:
        self._report = report

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """No sample of a bar that there is not."""
        report = self._report()
        yield GaugeMetricFamily("lianyi_model_lessons", "Texts that the text model has learned.", report.lessons)
        bar = GaugeMetricFamily("lianyi_model_bar", "Chance above which the text model hides alone; none at first.")
        if report.bar is not None:
            bar.add_metric([], report.bar)
        yield bar


class GateMetrics:
    """What the gate before publishing says and how long it takes; counted from the start, registered by the service."""

    outcomes = ("passed", "held", "off", "untold", "behind", "resting", "failed")

    def __init__(self) -> None:
        self.looks = Counter(
            "lianyi_gate_looks_total",
            "Texts before they are published, by what the gate said or why it did not look.",
            ["outcome"],
            registry=None,
        )
        for outcome in self.outcomes:
            self.looks.labels(outcome)
        self.seconds = Histogram(
            "lianyi_gate_look_seconds", "Time of one look of the gate.", buckets=_LOOK_SECONDS, registry=None
        )


def configure_logging(service: str, level: str = "INFO") -> None:
    """JSON lines on standard output: ``event``, ``service``, ``level``, ``time`` and what the call adds."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.ExceptionRenderer(_where),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    # Libraries log through the standard module; their warnings join our lines.
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)


_traced = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def _where(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Types and places of an exception and its causes; its message may quote a text, as local variables do."""
    return [{"exc_type": one["exc_type"], "frames": one["frames"]} for one in _traced(exc_info)]


class _Bridge(logging.Handler):
    """Lines of libraries; a client whose broker is away repeats itself hundreds of times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        key = (record.name, str(record.msg)[:80])
        if record.created - self._told.get(key, 0.0) < _REPEAT_SECONDS:
            return
        if len(self._told) > 1_000:
            self._told.clear()
        self._told[key] = record.created
        # Of a task that failed unseen asyncio tells all on the second line, the message of its exception too.
        message = record.getMessage().partition("\n")[0][:500]
        structlog.get_logger().warning("library", logger=record.name, message=message, exc_info=record.exc_info)
