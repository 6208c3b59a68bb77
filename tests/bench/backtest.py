"""How fast days of the topics are judged again: `python -m tests.bench.backtest DATA_DIR [--texts 60000]`.

DATA_DIR holds spam/*.jsonl.gz and ham/*.jsonl.gz with a field `text`. A stack of its own is started; the texts, rows
of all files in turn, are written to the topic of notes as comments of 5,000 people under 3,000 notes, three seconds
apart, each with a verdict as moderation tells it and with one like of its note. Then the command of the service reads
both topics and judges, one process, and says how many events it took a second of its processor, the reading from Kafka
included: a third of them are texts. Fails below 20,000. The rows are read and forgotten: nothing of them is printed or
kept.
"""

import argparse
import asyncio
import gzip
import json
import os
import random
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, zip_longest
from pathlib import Path

from aiokafka import AIOKafkaProducer

from local.fleet import PARTITIONS, topics
from local.stack import pick, running
from shared.contracts import Envelope, Event, partition_of
from shared.contracts.moderation import ContentJudged
from shared.contracts.notes import CommentPosted, NoteReacted
from shared.release import BASE

LEAST_RATE = 20_000
"""The bar: events a second of the processor."""
PEOPLE, NOTES, APART = 5_000, 3_000, timedelta(seconds=3)
LONGEST = 4_000


def texts(folder: Path) -> Iterator[str]:
    """The rows of all files in turn."""

    def of(path: Path) -> Iterator[str]:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"][:LONGEST].encode("utf-8", "replace").decode()

    files = sorted(path for part in ("spam", "ham") for path in (folder / part).glob("*.jsonl.gz"))
    return (text for row in zip_longest(*map(of, files)) for text in row if text)


def events(written: Iterator[str], many: int) -> Iterator[tuple[Event, Envelope]]:
    """Each text with its verdict, one in ten of which hides, and a like."""
    rng, at = random.Random(1), datetime.now(UTC) - APART * many
    for number, text in enumerate(islice(written, many)):
        at += APART
        id_, note, person = f"c{number}", f"n{rng.randrange(NOTES)}", f"p{rng.randrange(PEOPLE)}"
        posted = CommentPosted(comment_id=id_, note_id=note, author_id=person, note_author_id="ann", text=text)
        about = {"content_id": id_, "kind": "comment", "note_id": note, "author_id": person}
        judged = ContentJudged(**about, hidden=number % 10 == 0, score=0.0, reasons=(), rules="bench", model="bench")
        liked = NoteReacted(note_id=note, author_id="ann", person_id=person, kind="like", change=1)
        for event in (posted, judged, liked):
            yield event, Envelope(f"{event.TYPE}-{id_}", event.TYPE, event.source, at, id_, 1, "chain", "cause")


async def write(servers: str, folder: Path, many: int) -> int:
    """All of it to the broker; how many records."""
    producer, sent = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=20, max_batch_size=1 << 18), 0
    await producer.start()
    try:
        for event, envelope in events(chain.from_iterable(iter(lambda: texts(folder), None)), many):
            place = partition_of(event.key, PARTITIONS)
            value, headers = event.model_dump_json().encode(), envelope.headers()
            await producer.send(event.TOPIC.name, value, event.key.encode(), place, headers=headers)
            sent += 1
        await producer.flush()
    finally:
        await producer.stop()
    return sent


async def main(folder: Path, many: int) -> int:
    kind, why = pick("local")
    async with running(kind, why) as stack:
        await topics(stack)
        sent = await write(stack.kafka, folder, many)
        print(f"{sent:,} events written", flush=True)
        command = [sys.executable, "-m", "services.moderation", "backtest", "--rules", str(BASE), "--days", "30"]
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, "LIANYI_KAFKA": stack.kafka}, stdout=asyncio.subprocess.PIPE
        )
        told = (await process.communicate())[0].decode()
    print(told)
    found = re.search(r": ([\d,]+) events, ([\d,]+) a second", told)
    if process.returncode or found is None:
        return 1
    read, rate = (int(number.replace(",", "")) for number in found.groups())
    return 0 if read == sent and rate >= LEAST_RATE else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DATA_DIR")
    parser.add_argument("--texts", type=int, default=60_000)
    chosen = parser.parse_args()
    sys.exit(asyncio.run(main(chosen.folder, chosen.texts)))
