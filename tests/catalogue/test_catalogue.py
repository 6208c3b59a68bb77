"""The pages of docs/events: made from the contracts, whole, and up to date."""

import json
import re
from pathlib import Path

import pytest

from shared.contracts import TOPICS, Event, Topic, dead_topic
from shared.contracts.catalogue import FOLDER, main, render, stale, subject
from shared.contracts.generate import schema
from shared.contracts.notes import NoteReacted
from shared.contracts.samples import all_examples, examples, published
from shared.contracts.words import FIELDS, HEADERS, ORDERS, described

EACH_EVENT = pytest.mark.parametrize("model", published().values(), ids=published().keys())
SUBJECTS_OF_THEIR_OWN = {"lianyi.moderation.content_flagged.v1", "lianyi.moderation.message_flagged.v1"}
"""Their subject is the report or the counter, which is nobody else's business."""


def section(model: type[Event]) -> str:
    """What the page of its topic says of an event."""
    page = (FOLDER / f"{model.TOPIC.name}.md").read_text("utf-8")
    (found,) = re.findall(rf"^## {re.escape(model.TYPE)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    return str(found)


def test_the_catalogue_of_the_tree_is_not_stale() -> None:
    """docs/events is what the contracts say today; if not: python -m shared.contracts.catalogue."""
    assert stale() == []
    assert main(["--check"]) == 0


def test_a_stale_page_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check names a page that is missing, altered or of no topic, writes nothing, and exits with 1."""
    assert main([], tmp_path) == 0
    gone, altered = sorted(render())[:2]
    (tmp_path / gone).unlink()
    (tmp_path / altered).write_text("\n")
    (tmp_path / "stray.md").write_text("\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["--check"], tmp_path) == 1
    told = sorted(capsys.readouterr().err.splitlines())
    assert told == sorted([f"{gone}: missing", f"{altered}: out of date", "stray.md: of no topic"])
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_making_it_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Writing mends what is stale, and depends on nothing but the contracts."""
    (tmp_path / "stray.md").write_text("\n")
    assert main([], tmp_path) == main([], tmp_path) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in FOLDER.iterdir()
    }


def test_outside_of_a_checkout_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who has installed the contracts alone is told so, and no folder is made beside their packages."""
    with pytest.raises(SystemExit) as ended:
        main([], tmp_path / "docs" / "events")
    assert ended.value.code == 2
    assert "checkout" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())
def test_a_page_says_what_the_table_of_topics_says(topic: Topic) -> None:
    """Owner, key, partitions, retention, readers and their dead-letter topics stand on the page of the topic."""
    head = (FOLDER / f"{topic.name}.md").read_text("utf-8").partition("\n## ")[0]
    told = dict(re.findall(r"^\| ([a-z ]+) \| (.*) \|$", head, re.M))
    assert told["owner"].startswith(f"[{topic.owner}]")
    assert f"`{topic.key_field}`" in told["key"]
    assert told["partitions"].startswith(f"{topic.partitions},")
    assert told["retention"].startswith(f"{topic.retention_days} days" if topic.cleanup == "delete" else "compacted")
    assert told["texts"].startswith("carries what") is topic.carries_text
    if topic.readers:
        assert told["readers here"] == ", ".join(topic.readers)
        assert re.findall(r"\[(.+?)\]", told["dead letters"]) == [dead_topic(name).name for name in topic.readers]


@EACH_EVENT
def test_a_page_says_what_the_event_is(model: type[Event]) -> None:
    """Order and what to do about it, subject, each field with its meaning, and an example as it stands on the wire."""
    said = section(model)
    assert f"- **{model.ORDER}**: it {'. '.join(ORDERS[model.ORDER])}" in said
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+) \|$", said, re.M)
    assert {name for name, _, _ in rows if not re.search(r"[.\[]", name)} == set(model.model_fields)
    assert all(meaning.strip() for _, _, meaning in rows)
    (wire,) = re.findall(r"^```\n(.*?)\n```$", said, re.M | re.S)
    headers, _, body = wire.partition("\n\n")
    first = examples(model.TYPE)[0]
    assert [tuple(line.split(": ", 1)) for line in headers.splitlines()] == [(n, v.decode()) for n, v in first.headers]
    assert json.loads(body) == first.data


@EACH_EVENT
def test_the_subject_of_an_event_is_known(model: type[Event]) -> None:
    """The ids that its page gives as subject are those of every example, or it is an id of its own."""
    form = subject(examples(model.TYPE))
    assert (form == ()) is (model.TYPE in SUBJECTS_OF_THEIR_OWN)
    said = f"`{':'.join(f'<{name}>' for name in form)}`" if form else "an id of its own"
    assert f"- `ce_subject` is {said}." in section(model)


def test_a_subject_is_read_from_all_examples() -> None:
    """Of two ids that are equal in one example only the one that is the subject in every example is taken."""
    assert subject(examples(NoteReacted.TYPE)) == ("note_id", "person_id", "kind")


def test_states_of_one_subject_name_each_other() -> None:
    """Whoever keeps the highest sequence is told which other types count on it."""
    told = {type_: set(re.findall(r"shares its sequence with (.*)\.$", section(m), re.M)) for type_, m in _states()}
    linked = {type_: set(re.findall(r"\[([a-z_.0-9]+)\]", " ".join(found))) for type_, found in told.items()}
    need = {f"lianyi.notes.need_{what}.v1" for what in ("opened", "answered", "escalated", "withdrawn")}
    assert linked["lianyi.notes.need_opened.v1"] == need - {"lianyi.notes.need_opened.v1"}
    assert all(type_ in linked[other] for type_, others in linked.items() for other in others)
    subjects: dict[tuple[str, str], set[str]] = {}
    for sample in all_examples():
        if sample.event.ORDER == "state":
            subjects.setdefault((sample.event.TOPIC.name, sample.envelope.subject), set()).add(sample.type)
    assert all(types - {type_} <= linked[type_] for types in subjects.values() for type_ in types)


def _states() -> list[tuple[str, type[Event]]]:
    return [(type_, model) for type_, model in published().items() if model.ORDER == "state"]


def test_every_event_and_topic_is_in_the_index() -> None:
    """The index links each topic's page and each event's section, and every link of the catalogue has its heading."""
    index = (FOLDER / "README.md").read_text("utf-8")
    links = set(re.findall(r"\]\(([\w.]+)\.md(?:#([\w-]+))?\)", index))
    assert {page for page, _ in links} == set(TOPICS)
    assert sum(bool(anchor) for _, anchor in links) == len(published())
    for page in FOLDER.glob("*.md"):
        for target, anchor in re.findall(r"\]\(([\w.]+\.md)#([\w-]+)\)", page.read_text("utf-8")):
            headings = re.findall(r"^#+ (.+)$", (FOLDER / target).read_text("utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


@EACH_EVENT
def test_every_field_of_a_schema_has_its_meaning(model: type[Event]) -> None:
    """Who reads the JSON Schema alone is told what each field means, those of parts too, in a sentence."""
    told = schema(model)
    for part in (told, *told.get("$defs", {}).values()):
        for field in part["properties"].values():
            assert re.fullmatch(r"\S.*\.", field["description"], re.S)


def test_a_field_without_words_is_refused() -> None:
    """A new name comes with its meaning, or no schema is made."""
    with pytest.raises(KeyError, match="unheard_of"):
        described({"properties": {"unheard_of": {"type": "string"}}})


def test_every_word_is_used() -> None:
    """The table of words explains no field that is gone, and the headers are those of an envelope."""
    used = set()
    for model in published().values():
        bare = model.model_json_schema()
        for part in (bare, *bare.get("$defs", {}).values()):
            used |= {name for name, field in part["properties"].items() if "description" not in field}
    assert used == set(FIELDS)
    assert {name for sample in all_examples() for name, _ in sample.headers} == set(HEADERS)
