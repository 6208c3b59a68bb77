"""Headers to envelope and back, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import BadEnvelope, Envelope
from shared.contracts.envelope import format_time

GOOD = Envelope(
    id="8f0f7a56-5a8e-5f0c-8d2f-5a6a1c9b7e11",
    type="lianyi.notes.example.v1",
    source="/lianyi/notes",
    time=datetime(2026, 3, 14, 1, 0, 0, 123_000, tzinfo=UTC),
    subject="n-4b1d",
    sequence=7,
    correlation="first-cause",
    causation="last-cause",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
REQUIRED = [name for name, _ in GOOD.headers() if name not in {"content-type", "traceparent"}]

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=256).filter(lambda s: len(s.encode()) <= 256)


def times_of(zone: timezone) -> st.SearchStrategy[datetime]:
    return st.datetimes(timezones=st.just(zone)).filter(lambda t: 1 < t.year < 9999)


times = times_of(UTC).map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
envelopes = st.builds(
    Envelope,
    id=words,
    type=words,
    source=words,
    time=times,
    subject=words,
    sequence=st.integers(0, 10**18 - 1),
    correlation=words,
    causation=words,
    traceparent=st.just("") | st.from_regex(r"\A00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z"),
)


def headers(**changed: bytes) -> list[tuple[str, bytes]]:
    return list({**dict(GOOD.headers()), **changed}.items())


@given(envelopes)
def test_an_envelope_survives_its_headers(envelope: Envelope) -> None:
    """Envelope to headers to envelope is identity, and so are the headers written again."""
    again = Envelope.of(envelope.headers())
    assert again == envelope
    assert again.headers() == envelope.headers()


@given(envelopes, st.randoms(), st.dictionaries(words.map("x-{}".format), st.binary()))
def test_order_of_headers_and_strangers_do_not_matter(
    envelope: Envelope, random: Random, others: dict[str, bytes]
) -> None:
    """Headers may come in any order and among others that are not ours."""
    mixed = envelope.headers() + list(others.items())
    random.shuffle(mixed)
    assert Envelope.of(mixed) == envelope


@given(times_of(timezone(timedelta(hours=8))))
def test_time_is_utc_in_milliseconds(time: datetime) -> None:
    """A time of any zone is written in UTC, cut to milliseconds, with three digits and Z."""
    text = format_time(time)
    assert text.endswith("Z")
    assert len(text) == len("2026-01-31T08:00:00.123Z")
    read = Envelope.of(headers(ce_time=text.encode())).time
    assert timedelta(0) <= time - read < timedelta(milliseconds=1)
    assert read.utcoffset() == timedelta(0)


@pytest.mark.parametrize("tail", [b"Z", b"+00:00", b".5Z", b".123Z", b".123456Z", b".123999+00:00"])
def test_finer_and_coarser_times_are_read(tail: bytes) -> None:
    """From none to six digits of a second are read, and the result has milliseconds."""
    time = Envelope.of(headers(ce_time=b"2026-03-14T01:00:00" + tail)).time
    assert time.replace(microsecond=0) == datetime(2026, 3, 14, 1, tzinfo=UTC)
    assert time.microsecond % 1000 == 0


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_header_is_refused_by_name(name: str) -> None:
    """Without any one of the nine there is no envelope, and the error says which is missing."""
    with pytest.raises(BadEnvelope, match=f"^{name} is missing$"):
        Envelope.of([pair for pair in GOOD.headers() if pair[0] != name])


@pytest.mark.parametrize("name", [*REQUIRED, "traceparent"])
def test_a_header_without_a_value_is_none(name: str) -> None:
    """Kafka lets a header have no value: that is refused by its name, or as if there were no trace, and never a bug."""
    headers = [(n, None if n == name else value) for n, value in GOOD.headers()]
    if name == "traceparent":
        assert Envelope.of(headers) == GOOD._replace(traceparent="")
    else:
        with pytest.raises(BadEnvelope, match=name):
            Envelope.of(headers)


def test_a_record_without_headers_is_refused() -> None:
    """No headers, no envelope."""
    with pytest.raises(BadEnvelope):
        Envelope.of([])


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize(
    "value", [b"", b"leak" * 65, b"leak\xff", b"\xed\xa0\x80leak"], ids=["empty", "long", "ff", "surrogate"]
)
def test_a_header_that_is_no_text_is_refused_without_its_value(name: str, value: bytes) -> None:
    """Empty, over 256 bytes or not UTF-8: the error names the header and tells nothing of what it held."""
    refused_without(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3-leak"),
        ("ce_specversion", b"1.0leak"),
        ("ce_sequence", b"-987"),
        ("ce_sequence", b"+987"),
        ("ce_sequence", b"98.7"),
        ("ce_sequence", b" 987"),
        ("ce_sequence", "９８７".encode()),
        ("ce_sequence", "²³".encode()),
        ("ce_sequence", b"98765432109876543210"),
        ("ce_time", b"leak"),
        ("ce_time", b"1773450000"),
        ("ce_time", b"2026-03-14"),
        ("ce_time", b"2026-03-14 01:00:00Z"),
        ("ce_time", b"2026-03-14T01:00:00"),
        ("ce_time", b"2026-03-14T01:00:00z"),
        ("ce_time", b"2026-03-14T09:00:00+08:00"),
        ("ce_time", b"2026-03-14T01:00:00.1234567Z"),
        ("ce_time", b"2026-02-30T01:00:00Z"),
        ("ce_time", b"2026-03-14T25:00:00Z"),
        ("ce_time", b"2026-03-14T01:00:00Z\n"),
        ("ce_time", "２０２６-03-14T01:00:00Z".encode()),
    ],
)
def test_a_malformed_header_is_refused_without_its_value(name: str, value: bytes) -> None:
    """A wrong version, sequence or time is an error that names the header and not its content."""
    refused_without(name, value)


def refused_without(name: str, value: bytes) -> None:
    with pytest.raises(BadEnvelope) as error:
        Envelope.of(headers(**{name: value}))
    told = str(error.value)
    assert told.partition(" ")[0] == name
    assert "leak" not in told
    assert not value or value.decode(errors="replace").strip() not in told
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize("value", [b"leak", b"01-" + b"0" * 52, GOOD.headers()[-1][1].upper() + b"\n"])
def test_a_malformed_trace_is_dropped(value: bytes) -> None:
    """A trace context that is not ours to read costs the trace, never the event."""
    assert Envelope.of(headers(traceparent=value)).traceparent == ""
