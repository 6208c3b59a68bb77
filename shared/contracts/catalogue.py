"""The catalogue of topics and events, docs/events: ``python -m shared.contracts.catalogue`` writes it, ``--check``
compares.

An index, a page for each topic and ``asyncapi.yaml``, all from the table of topics, the models and their examples.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from . import asyncapi
from .event import Event
from .generate import schema
from .samples import Sample, examples, published
from .topics import TOPICS, Topic, dead_topic
from .values import fields, prose
from .words import HEADERS, ORDERS

FOLDER = Path(__file__).parents[2] / "docs" / "events"
CONTRACTS = "../../shared/contracts"
MADE = "<!-- Made by `python -m shared.contracts.catalogue`; do not edit. -->"

_INDEX = """# Topics and events

{made}

What Lianyi tells, for whoever subscribes: a page for each topic, with every event, field and an example.
[asyncapi.yaml](asyncapi.yaml) says the same to tools (AsyncAPI 3.0), and so do the [schemas]({contracts}/schemas): JSON
Schema, one for each event version. How to read, and what may change: [shared/contracts]({contracts}/README.md); a
whole reader to copy: [samples/consumer.py](../../samples/consumer.py).

## Topics

{topics}

## Events

{events}

## Order and doubles

Delivery is at least once. The same event again has the same `ce_id`, and after a crash older news may come after newer.
All that concerns one key is in one partition of a topic; between topics there is no order.

{orders}

## Headers

CloudEvents 1.0 in Kafka's binary mode: all that is known of an event without its body. Values are UTF-8, at most 256
bytes.

{headers}

## Values

An **id** is opaque: 1 to 128 of `A-Z a-z 0-9 _ . : -`. A **time** is RFC 3339 with an offset. What an enumeration lists
is all there is, in that version. Fields and types that you do not know are to be ignored: a version may grow.
"""

Json = Mapping[str, Any]


def render() -> dict[str, str]:
    """Text of every file of the catalogue by its name, the same on every machine."""
    pages = {f"{name}.md": _lines(_page(topic)) + "\n" for name, topic in TOPICS.items()}
    return {"README.md": _index(), "asyncapi.yaml": asyncapi.text(), **pages}


def stale(folder: Path = FOLDER) -> list[str]:
    """Files of ``folder`` that are not what the contracts say, each with what is wrong; empty when all agree."""
    wanted = render()
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    missing = [f"{name}: missing" for name in wanted.keys() - found.keys()]
    orphaned = [f"{name}: of no topic" for name in found.keys() - wanted.keys()]
    both = wanted.keys() & found.keys()
    return sorted(missing + orphaned + [f"{n}: out of date" for n in both if wanted[n].encode() != found[n]])


def write(folder: Path = FOLDER) -> None:
    """Make ``folder`` hold exactly the catalogue."""
    wanted = render()
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_bytes(text.encode())


def subject(samples: Sequence[Sample]) -> tuple[str, ...]:
    """The fields whose values, joined by colons, are ``ce_subject`` in all these examples; none where it has an id
    of its own."""
    plain = [name for name, value in samples[0].data.items() if isinstance(value, str | int)]
    forms = (form for count in (1, 2, 3) for form in permutations(plain, count))
    return next((form for form in forms if all(_named(sample, form) for sample in samples)), ())


def _named(sample: Sample, form: tuple[str, ...]) -> bool:
    return sample.envelope.subject == ":".join(str(sample.data.get(name)) for name in form)


def _index() -> str:
    topics = _table(["topic", "key", "owner", "readers here", "what it is about"], map(_topic_row, TOPICS.values()))
    rows = ((_link(model), model.ORDER, _first(schema(model))) for model in published().values())
    return _INDEX.format(
        made=MADE,
        contracts=CONTRACTS,
        topics=_lines(topics),
        events=_lines(_table(["event", "order", "what happened"], rows)),
        orders=_lines(_table(["order", "the event", "what you do"], ((o, *says) for o, says in ORDERS.items()))),
        headers=_lines(_table(["header", "meaning"], ((f"`{name}`", says) for name, says in HEADERS.items()))),
    )


def _topic_row(topic: Topic) -> tuple[str, ...]:
    return f"[{topic.name}]({topic.name}.md)", topic.key, topic.owner, _services(topic.readers), topic.about


def _link(model: type[Event]) -> str:
    return f"[{model.TYPE}]({model.TOPIC.name}.md#{model.TYPE.replace('.', '')})"


def _page(topic: Topic) -> Iterator[str]:
    yield from (f"# {topic.name}", "", MADE, "", topic.about, "")
    yield from _table(["", ""], _facts(topic))
    for model in published().values():
        if topic == model.TOPIC:
            yield ""
            yield from _event(model)


def _facts(topic: Topic) -> Iterator[tuple[str, str]]:
    kept = {"delete": f"{topic.retention_days} days", "compact": f"compacted: the last event of each {topic.key} stays"}
    yield "owner", f"[{topic.owner}](../../services/{topic.owner}/README.md), the only one that writes it"
    yield "key", f"`{topic.key_field}` of the event, in UTF-8"
    yield "partitions", f"{topic.partitions}, for the topic's life; a key's partition is its CRC-32 modulo their number"
    yield "retention", kept[topic.cleanup]
    yield "texts", "carries what people wrote" if topic.carries_text else "carries nothing that people wrote"
    yield "readers here", _services(topic.readers)
    if topic.followers:
        yield "read whole by each process of", _services(topic.followers)
    if topic.readers:
        dead = (dead_topic(reader).name for reader in topic.readers)
        yield "dead letters", ", ".join(f"[{name}]({name}.md)" for name in dead)


def _event(model: type[Event]) -> Iterator[str]:
    told, samples = schema(model), examples(model.TYPE)
    of = subject(samples)
    form = f"`{':'.join(f'<{name}>' for name in of)}`" if of else "an id of its own"
    yield from (f"## {model.TYPE}", "", prose(told["description"]), "")
    yield f"- **{model.ORDER}**: it {ORDERS[model.ORDER][0]}. {ORDERS[model.ORDER][1]}"
    yield f"- `ce_subject` is {form}.{_shared(model, of)}"
    yield f"- Version {model.TYPE.rpartition('.v')[2]}; [JSON Schema]({CONTRACTS}/schemas/{model.TYPE}.json),"
    yield f"  [examples]({CONTRACTS}/examples/{model.TYPE}.json)."
    yield ""
    yield from _table(["field", "value", "meaning"], fields(told))
    yield from ("", f"As “{samples[0].name}”:", "", "```")
    yield from (f"{name}: {value.decode()}" for name, value in samples[0].headers)
    yield from ("", *json.dumps(samples[0].data, ensure_ascii=False, indent=2).splitlines(), "```")


def _shared(model: type[Event], of: tuple[str, ...]) -> str:
    """The other states of the same subject: one sequence counts for them all."""
    if model.ORDER != "state":
        return ""
    others = [
        _link(other)
        for other in published().values()
        if other is not model and other.ORDER == "state" and other.TOPIC == model.TOPIC
        if subject(examples(other.TYPE)) == of
    ]
    return f" It shares its sequence with {', '.join(others)}." if others else ""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _services(names: Sequence[str]) -> str:
    return ", ".join(names) or "none; `ops replay` of its owner"


def _first(told: Json) -> str:
    """The first paragraph of what an event is."""
    return prose(told["description"].partition("\n\n")[0])


def _table(head: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Exit code 0, or 1 when a file is not what the contracts say."""
    parser = argparse.ArgumentParser(prog="catalogue", description="The pages of docs/events.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if files are stale")
    chosen = parser.parse_args(argv)
    if not folder.is_dir():
        parser.error(f"{folder} is not there: the catalogue is made in a checkout of the repository")
    if not chosen.check:
        write(folder)
        return 0
    problems = stale(folder)
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
