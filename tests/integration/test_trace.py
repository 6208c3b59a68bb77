"""The path of an id through the topics: whole, in order, with the causes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaProducer

from local.stack import pick, running
from local.trace import Trace, show, told
from shared.contracts import event_type, partition_of
from shared.contracts.notes import CommentPosted
from shared.contracts.samples import Sample, all_examples, examples

COMMENT = examples(CommentPosted.TYPE)[0]
START = 1_790_000_000_000


@dataclass(frozen=True)
class Record:
    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


def record(sample: Sample, at: int) -> Record:
    return Record(event_type(sample.type).TOPIC.name, sample.key, sample.value, sample.headers, START + at)


def story() -> list[Record]:
    """All examples, as the broker may hand them over: topic by topic, and all sent within 3 ms."""
    return [record(sample, number % 3) for number, sample in enumerate(all_examples())]


def traced(id_: str, records: Sequence[Record]) -> Trace:
    trace = Trace(id_)
    for hand in (trace.look, trace.take):
        for each in records:
            hand(each)
    return trace


def test_a_path_holds_the_chains_that_mention_the_id() -> None:
    """All events of each chain of causes that mentions the id are on the path, and no others."""
    id_ = COMMENT.envelope.subject
    chains = {s.envelope.correlation for s in all_examples() if id_.encode() in s.value + s.key}
    expected = {s.envelope.id for s in all_examples() if s.envelope.correlation in chains}
    assert {step.envelope.id for step in traced(id_, story()).steps()} == expected
    assert 1 < len(expected) < len(all_examples())


@pytest.mark.parametrize("id_", [COMMENT.envelope.id, COMMENT.envelope.correlation, COMMENT.envelope.causation])
def test_headers_lead_to_the_path_too(id_: str) -> None:
    """The id of an event, of its chain or of its cause is enough."""
    assert COMMENT.envelope in [step.envelope for step in traced(id_, story()).steps()]


def test_a_cause_stands_before_its_effect() -> None:
    """Also when both were sent in one millisecond and the effect is read first; a double is told once."""
    records = [record(sample, 0) for sample in all_examples()]
    steps = traced(COMMENT.envelope.subject, [*reversed(records), *records]).steps()
    places = {step.envelope.id: number for number, step in enumerate(steps)}
    assert len(places) == len(steps)
    causes = [(places.get(step.envelope.causation, -1), number) for number, step in enumerate(steps)]
    assert all(cause < effect for cause, effect in causes)
    assert any(cause >= 0 for cause, _ in causes)


def test_an_id_is_not_found_in_a_longer_one() -> None:
    """A part of an id is another id."""
    assert traced(COMMENT.envelope.subject[:-1], story()).steps() == []


def test_a_stranger_is_no_step() -> None:
    """A record without our headers mentions nothing and breaks nothing."""
    id_ = COMMENT.envelope.subject
    stranger = Record("t", id_.encode(), b"\xff", [("ce_correlationid", COMMENT.envelope.correlation.encode())], 0)
    assert traced(id_, [*story(), stranger]).steps() == traced(id_, story()).steps()


def test_a_line_tells_time_topic_subject_and_cause() -> None:
    """Times count from the first; a cause on the path is told by its number, another one by its id."""
    effect = next(s for s in all_examples() if s.envelope.causation == COMMENT.envelope.id)
    steps = traced(COMMENT.envelope.subject, [record(COMMENT, 0), record(effect, 41)]).steps()
    first, second = list(told(steps))
    assert first.split()[2:] == _words(COMMENT, 0, COMMENT.envelope.causation)
    assert second.split()[2:] == _words(effect, 41, "#1")


def _words(sample: Sample, after: int, cause: str) -> list[str]:
    topic = event_type(sample.type).TOPIC.name.removeprefix("lianyi.")
    subject = [sample.envelope.subject, f"v{sample.envelope.sequence}"]
    return [f"+{after}", "ms", topic, sample.type.removeprefix("lianyi."), *subject, "←", cause]


@pytest.mark.stack
async def test_a_path_is_read_from_a_broker(capsys: pytest.CaptureFixture[str]) -> None:
    """From the topics of a running stack; an id that nothing mentions is said to be so, with status 1."""
    async with running(*pick("embedded")) as stack:
        async with AIOKafkaProducer(bootstrap_servers=stack.kafka) as producer:
            for each in story():
                place = partition_of(each.key.decode(), 4)
                await producer.send_and_wait(each.topic, each.value, each.key, place, headers=list(each.headers))
        id_ = COMMENT.envelope.subject
        assert await show(id_, stack.kafka) == 0
        assert len(capsys.readouterr().out.splitlines()) == len(traced(id_, story()).steps())
        assert await show("nobody", stack.kafka) == 1
        assert "nobody" in capsys.readouterr().err
