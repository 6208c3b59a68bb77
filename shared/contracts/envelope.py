"""CloudEvents 1.0 over Kafka in binary mode: the record's headers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

SPECVERSION = "1.0"
_MAX_HEADER = 256
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)\Z")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


class BadEnvelope(ValueError):
    """The headers are not those of an event of ours; the message says which one, never its content."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of an event without parsing its body.

    ``id`` is the same however often the event is sent. ``time`` is UTC in milliseconds. ``subject`` is the id
    of the document the event is about and ``sequence`` that document's version, which jumps when the service's
    database was restored: of two state events with one subject the higher sequence holds, whatever their offsets;
    0 where there is no document of its own. Below 10^16.
    ``causation`` is the id of the input that made it, ``correlation`` that of the first cause of all.
    """

    id: str
    type: str
    source: str
    time: datetime
    subject: str
    sequence: int
    correlation: str
    causation: str
    traceparent: str = ""

    def headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers, in a fixed order."""
        pairs = [
            ("ce_specversion", SPECVERSION),
            ("ce_id", self.id),
            ("ce_type", self.type),
            ("ce_source", self.source),
            ("ce_time", format_time(self.time)),
            ("ce_subject", self.subject),
            ("ce_sequence", str(self.sequence)),
            ("ce_correlationid", self.correlation),
            ("ce_causationid", self.causation),
            ("content-type", "application/json"),
        ]
        if self.traceparent:
            pairs.append(("traceparent", self.traceparent))
        return [(name, value.encode()) for name, value in pairs]

    @classmethod
    def of(cls, headers: Iterable[tuple[str, bytes | None]]) -> "Envelope":
        """Read the headers of a record; unknown ones are ignored, and one without a value is none.

        Raises:
            BadEnvelope: one is missing, too long, not UTF-8 or malformed.
        """
        got = {name: value for name, value in headers if value is not None}
        if _text(got, "ce_specversion") != SPECVERSION:
            raise BadEnvelope("ce_specversion")
        sequence = _text(got, "ce_sequence")
        if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 18):
            raise BadEnvelope("ce_sequence")
        trace = got.get("traceparent", b"").decode(errors="replace")
        return cls(
            id=_text(got, "ce_id"),
            type=_text(got, "ce_type"),
            source=_text(got, "ce_source"),
            time=_time(_text(got, "ce_time")),
            subject=_text(got, "ce_subject"),
            sequence=int(sequence),
            correlation=_text(got, "ce_correlationid"),
            causation=_text(got, "ce_causationid"),
            traceparent=trace if is_traceparent(trace) else "",
        )


def is_traceparent(text: str) -> bool:
    """Whether a text is a W3C trace context of version 00."""
    return _TRACEPARENT.match(text) is not None


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as ``2026-01-31T08:00:00.123Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(headers: dict[str, bytes], name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise BadEnvelope(f"{name} is missing")
    if not value or len(value) > _MAX_HEADER:
        raise BadEnvelope(f"{name} is empty or too long")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadEnvelope(f"{name} is not UTF-8") from None


def _time(text: str) -> datetime:
    if not _TIME.match(text):
        raise BadEnvelope("ce_time")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadEnvelope("ce_time") from None
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
