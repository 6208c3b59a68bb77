"""`make trace`: the path of one comment, or of whatever else has an id, through all topics, in order, with times.

Reads the topics twice from their beginning: which chains of causes mention the id, then these chains. In memory are
the headers of what is shown and nothing else.
"""

import argparse
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress

from local.live import find
from local.play import terminal
from local.processes import CannotStartError, run_until_signal
from local.witness import assigned
from shared.contracts import TOPICS, BadEnvelope, Envelope

ROUTES = ("ce_id", "ce_subject", "ce_correlationid", "ce_causationid")


@dataclass(frozen=True, slots=True)
class Step:
    """One event on the path, and when its record was sent (epoch milliseconds)."""

    at: int
    topic: str
    envelope: Envelope


class Trace:
    """The path of an id. `look` at all records first, then `take` all of them again."""

    def __init__(self, id_: str) -> None:
        self._id, self._quoted = id_.encode(), b'"%s"' % id_.encode()
        self._chains: set[bytes] = set()
        self._steps: dict[str, Step] = {}

    def look(self, record: Any) -> None:
        """Notes the chain of a record that mentions the id, in its headers or anywhere in its body."""
        headers = dict(record.headers)
        named = self._id in [headers.get(name) for name in ROUTES]
        if named or self._id == record.key or self._quoted in (record.value or b""):
            self._chains.add(headers.get("ce_correlationid", b""))

    def take(self, record: Any) -> None:
        """Keeps a record of a chain, a double once."""
        if dict(record.headers).get("ce_correlationid") in self._chains:
            try:
                envelope = Envelope.of(record.headers)
            except BadEnvelope:  # a stranger: it has no place on a path
                return
            self._steps.setdefault(envelope.id, Step(record.timestamp, record.topic, envelope))

    def steps(self) -> list[Step]:
        """In the order of their sending; a cause before its effect also within a millisecond."""
        return sorted(self._steps.values(), key=lambda step: (step.at, self._depth(step)))

    def _depth(self, step: Step) -> int:
        depth, met = 0, {step.envelope.id}
        while (cause := step.envelope.causation) in self._steps and cause not in met:
            depth, step = depth + 1, self._steps[cause]
            met.add(cause)
        return depth


def told(steps: Iterable[Step]) -> Iterator[str]:
    """A line for each: number, time, milliseconds since the first, topic, type, subject and sequence, cause."""
    numbers: dict[str, int] = {}
    first = None
    for number, step in enumerate(steps, 1):
        first = step.at if first is None else first
        envelope = step.envelope
        numbers[envelope.id] = number
        time = datetime.fromtimestamp(step.at / 1000, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        names = f"{_short(step.topic):<28} {_short(envelope.type):<36}"
        cause = numbers.get(envelope.causation)
        cause_told = f"#{cause}" if cause else envelope.causation
        yield (
            f"{f'#{number}':>5}  {time}  {f'+{step.at - first}':>8} ms  {names} "
            f"{envelope.subject} v{envelope.sequence} ← {cause_told}"
        )


def _short(name: str) -> str:
    return name.removeprefix("lianyi.")


async def show(id_: str, kafka: str) -> int:
    """Prints the path; 1 when nothing mentions the id, or the topics cannot be read."""
    console, trace = terminal(), Trace(id_)
    try:
        async with _read(kafka, console) as everything:
            await everything(trace.look)
            await everything(trace.take)
    except (CannotStartError, KafkaError) as error:
        print(f"the topics at {kafka} cannot be read: {error or type(error).__name__}", file=sys.stderr)
        return 1
    lines = list(told(trace.steps()))
    if not lines:
        print(f"no event in the topics mentions {id_}", file=sys.stderr)
    for line in lines:
        print(line)
    return 0 if lines else 1


@asynccontextmanager
async def _read(kafka: str, console: Console) -> AsyncIterator[Callable[[Callable[[Any], None]], Any]]:
    """Gives a function that hands over every record there is now, from the oldest, behind a bar on a terminal."""
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await assigned(consumer)
        places = consumer.assignment()
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:

            async def everything(hand: Callable[[Any], None]) -> None:
                task = bar.add_task("reading", total=sum(ends[place] - starts[place] for place in places))
                left = {place for place in places if starts[place] < ends[place]}
                await consumer.seek_to_beginning()
                while left:
                    for records in (await consumer.getmany(timeout_ms=200, max_records=1_000)).values():
                        for record in records:
                            hand(record)
                        bar.advance(task, len(records))
                    left = {place for place in left if await consumer.position(place) < ends[place]}

            yield everything
    finally:
        await consumer.stop()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="local.trace", description=__doc__)
    parser.add_argument("id", help="of a comment, note, need, group, person or event, or a correlation id")
    parser.add_argument("--kafka", default="", help="bootstrap servers; default: the system that runs here")
    asked = parser.parse_args()
    live = None if asked.kafka else find()
    if not (asked.kafka or live):
        print("no system runs here: start `make run`, or name KAFKA=host:port", file=sys.stderr)
        return 1
    return run_until_signal(show(asked.id, asked.kafka or (live.kafka if live else "")))


if __name__ == "__main__":
    sys.exit(main())
