"""CloudEvents 1.0 over Kafka in binary mode: the record's headers."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

SPECVERSION = "1.0"
_MAX_HEADER = 256
_NEEDED = (
    "ce_specversion",
    "ce_sequence",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_time",
    "ce_subject",
    "ce_correlationid",
    "ce_causationid",
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)\Z")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


class BadEnvelope(ValueError):
    """The headers are not those of an event of ours; the message says which one, never its content."""


class Envelope(NamedTuple):
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
            ("ce_specversion", SPECVERSION.encode()),
            ("ce_id", self.id.encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
            ("ce_time", format_time(self.time).encode()),
            ("ce_subject", self.subject.encode()),
            ("ce_sequence", b"%d" % self.sequence),
            ("ce_correlationid", self.correlation.encode()),
            ("ce_causationid", self.causation.encode()),
            ("content-type", b"application/json"),
        ]
        if self.traceparent:
            pairs.append(("traceparent", self.traceparent.encode()))
        return pairs

    @classmethod
    def of(cls, headers: Iterable[tuple[str, bytes | None]]) -> "Envelope":
        """Read the headers of a record; unknown ones are ignored, and one without a value is none.

        Raises:
            BadEnvelope: one is missing, too long, not UTF-8 or malformed.
        """
        got = {name: value for name, value in headers if value is not None}
        version, sequence, id_, type_, source, time, subject, correlation, causation = map(
            _text, map(got.get, _NEEDED), _NEEDED
        )
        if version != SPECVERSION:
            raise BadEnvelope("ce_specversion")
        if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 18):
            raise BadEnvelope("ce_sequence")
        trace = got["traceparent"].decode(errors="replace") if "traceparent" in got else ""
        kept = trace if trace and is_traceparent(trace) else ""
        return cls(id_, type_, source, _time(time), subject, int(sequence), correlation, causation, kept)


def is_traceparent(text: str) -> bool:
    """Whether a text is a W3C trace context of version 00."""
    return _TRACEPARENT.match(text) is not None


@lru_cache(maxsize=1024)
def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as ``2026-01-31T08:00:00.123Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: bytes | None, name: str) -> str:
    if not value or len(value) > _MAX_HEADER:
        raise BadEnvelope(f"{name} is {'missing' if value is None else 'empty or too long'}")
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
    rest = time.microsecond % 1000
    return time.replace(microsecond=time.microsecond - rest) if rest else time
