"""Every example of every event version: valid, readable, lossless, and part of one story."""

import json
from base64 import b64decode
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contracts import EVENTS, TOPICS, Envelope, Event, event_type, partition_of
from shared.contracts.dead import DEAD_LETTERS, DeadLetter, DeadReason
from shared.contracts.generate import FOLDER
from shared.contracts.groups import GroupOpened
from shared.contracts.moderation import ContentJudged, MessageJudged
from shared.contracts.notes import CommentEdited, CommentPosted, NeedOpened, NoteEdited, NotePosted
from shared.contracts.samples import Sample, all_examples, examples, published
from shared.contracts.talk import GroupNeedOpened, MessagePosted
from tests.contracts.drafts import problems

SAMPLES = all_examples()
EACH = pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.type}-{examples(s.type).index(s)}")


@pytest.mark.parametrize("type_", published())
def test_an_event_has_two_examples_under_different_names(type_: str) -> None:
    """Every event version has at least two examples, each with a name of its own."""
    names = [sample.name for sample in examples(type_)]
    assert len(names) >= 2
    assert len(set(names)) == len(names)


def test_every_file_of_examples_belongs_to_an_event() -> None:
    """No examples are left over from a type that is gone."""
    found = {path.name for path in (FOLDER.parent / "examples").iterdir()}
    assert found == {f"{type_}.json" for type_ in published()}


def test_examples_of_an_unknown_type_are_a_key_error() -> None:
    """Asking for a type that this release lacks fails by its name, and reads no file."""
    with pytest.raises(KeyError):
        examples("../pyproject")


@EACH
def test_an_example_validates_against_its_schema(sample: Sample) -> None:
    """What the published schema says holds for every example, formats included."""
    schema = json.loads((FOLDER / f"{sample.type}.json").read_text("utf-8"))
    assert problems(schema, sample.data) == []


@EACH
def test_a_model_survives_its_own_json(sample: Sample) -> None:
    """Model to JSON to model is identity, and every field of the example is written as it stood."""
    event = sample.event
    assert event_type(sample.type).model_validate_json(event.model_dump_json()) == event
    again = event.model_dump(mode="json", exclude_unset=True)
    assert again == sample.data


@EACH
def test_headers_survive_the_envelope(sample: Sample) -> None:
    """An example's headers are what Envelope writes: same names, same values, same order."""
    assert Envelope.of(sample.headers).headers() == list(sample.headers)


@EACH
def test_headers_and_body_agree(sample: Sample) -> None:
    """ce_type names the model, ce_source its producer; the key is there; a state event has a sequence."""
    envelope, event = sample.envelope, sample.event
    assert (envelope.type, envelope.source) == (sample.type, event.source)
    assert sample.key == str(sample.data[event.TOPIC.key_field]).encode() != b""
    assert envelope.sequence > 0 or event.ORDER != "state"


def with_field_everywhere(data: Any, name: str, value: object) -> Any:
    """A copy of a JSON value with one more member in each of its objects."""
    if isinstance(data, dict):
        return {**{k: with_field_everywhere(v, name, value) for k, v in data.items()}, name: value}
    if isinstance(data, list):
        return [with_field_everywhere(v, name, value) for v in data]
    return data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(SAMPLES), st.text(max_size=20).map("x_{}".format), JSON)
def test_unknown_fields_are_ignored(sample: Sample, name: str, value: object) -> None:
    """A field that a later release adds, at any depth, changes nothing for a reader of today."""
    grown = with_field_everywhere(sample.data, name, value)
    assert event_type(sample.type).model_validate(grown) == sample.event


def test_an_event_id_stands_once() -> None:
    """No two examples share a ce_id."""
    ids = [sample.envelope.id for sample in SAMPLES]
    assert len(set(ids)) == len(ids)


def test_state_events_of_a_subject_are_ordered_by_their_sequence() -> None:
    """No two state examples share source, subject and sequence, and the later of two has the higher one."""
    seen: dict[tuple[str, str], list[Envelope]] = {}
    for sample in SAMPLES:
        if sample.event.ORDER == "state":
            seen.setdefault((sample.envelope.source, sample.envelope.subject), []).append(sample.envelope)
    for chain in seen.values():
        assert len({e.sequence for e in chain}) == len(chain)
        by_sequence = sorted(chain, key=lambda e: e.sequence)
        assert by_sequence == sorted(by_sequence, key=lambda e: e.time)


def test_effects_take_time_and_correlation_from_their_cause() -> None:
    """An example caused by another one bears its ce_time and its ce_correlationid."""
    by_id = {sample.envelope.id: sample.envelope for sample in SAMPLES}
    effects = [(e, by_id[e.causation]) for e in by_id.values() if e.causation in by_id]
    assert len(effects) >= 20
    assert all((e.time, e.correlation) == (cause.time, cause.correlation) for e, cause in effects)


def test_what_an_example_refers_to_is_in_the_story() -> None:
    """Every note, comment, message, need, group that an example names has its own first event among the examples."""
    heads: dict[str, tuple[type[Event], ...]] = {
        "note_id": (NotePosted,),
        "comment_id": (CommentPosted,),
        "group_id": (GroupOpened,),
        "message_id": (MessagePosted,),
        "need_id": (NeedOpened, GroupNeedOpened),
    }
    for field, firsts in heads.items():
        known = {sample.data[field] for first in firsts for sample in examples(first.TYPE)}
        assert {sample.data[field] for sample in SAMPLES if field in sample.data} == known


def test_a_verdict_points_into_the_text_it_judges() -> None:
    """The spans of a verdict's reasons lie inside the note, comment or message that the examples show."""
    written = [examples(kind.TYPE) for kind in (NotePosted, NoteEdited, CommentPosted, CommentEdited, MessagePosted)]
    texts = {}
    for sample in (sample for samples in written for sample in samples):
        data = sample.data
        id_ = data.get("message_id") or data.get("comment_id") or data["note_id"]
        texts[id_, data.get("revision", 0)] = f"{data.get('title', '')}\n{data['text']}"
    for sample in (*examples(ContentJudged.TYPE), *examples(MessageJudged.TYPE)):
        text = texts[sample.data["content_id"], sample.data.get("revision", 0)]
        assert all(0 <= reason["start"] <= reason["end"] <= len(text) for reason in sample.data["reasons"])


LETTERS = [(service, sample) for service, model in DEAD_LETTERS.items() for sample in examples(model.TYPE)]


@pytest.mark.parametrize(("service", "sample"), LETTERS)
def test_a_dead_letter_can_be_traced_to_its_input(service: str, sample: Sample) -> None:
    """A letter names a partition its key would take on a topic its service reads, and the input as its cause."""
    letter = sample.event
    assert isinstance(letter, DeadLetter)
    assert sample.envelope.subject == letter.letter_id
    if letter.topic in TOPICS:  # a dead timer has none
        topic = TOPICS[letter.topic]
        assert service in topic.readers
        assert letter.partition == partition_of(b64decode(letter.record_key).decode(), topic.partitions)
    headers = [(name, b64decode(value)) for name, value in letter.headers]
    input_id = Envelope.of(headers).id if headers else letter.letter_id.removesuffix(f":{letter.handler}")
    assert sample.envelope.causation == input_id


def test_every_reason_of_a_dead_letter_has_an_example() -> None:
    """The examples show each reason for which an input can die."""
    assert {sample.data["reason"] for _, sample in LETTERS} == set(get_args(DeadReason))


def test_a_reader_gets_data_of_its_own() -> None:
    """Changing the data of an example changes it for nobody else."""
    sample = SAMPLES[0]
    sample.data.clear()
    assert sample.data == examples(sample.type)[0].data != {}


def test_a_type_registered_by_a_test_is_not_published() -> None:
    """Only types of the package itself are part of the published language."""
    assert all(model is EVENTS[type_] for type_, model in published().items())
    assert {m.__module__.rpartition(".")[0] for m in published().values()} == {"shared.contracts"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_score_is_a_number(number: str) -> None:
    """What JSON cannot say is refused: it would be written as null and read by nobody."""
    sample = examples(ContentJudged.TYPE)[0]
    with pytest.raises(ValidationError):
        ContentJudged.model_validate_json(json.dumps({**sample.data, "score": float(number)}))


def test_a_deadline_has_its_offset() -> None:
    """A time without an offset is refused, as its schema says: nobody could compare it with a clock."""
    sample = examples(NeedOpened.TYPE)[0]
    with pytest.raises(ValidationError):
        NeedOpened.model_validate({**sample.data, "due_at": "2026-03-14T03:20:45"})


def test_a_refused_body_is_not_told() -> None:
    """The text of a validation error holds no value of the body, nested parts included."""
    grown = with_field_everywhere(examples(ContentJudged.TYPE)[1].data, "rule", ["leak"])
    with pytest.raises(ValidationError) as error:
        ContentJudged.model_validate({**grown, "kind": "leak", "note_id": "leak leak"})
    assert error.value.error_count() >= 3
    assert "leak" not in str(error.value)
