"""Every peer does the same work: all at once, each with a database and a group of its own, over few comments."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import AsyncMongoClient

from local import kafka
from shared.contracts.moderation import ContentJudged
from tests.bench.peers.stage import PEERS, Running, Stage, here, stage, verdicts
from tests.bench.peers.workload import comments, expected, judge

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(kafka.missing()), reason=f"no Apache Kafka: {kafka.missing()}"),
]
MANY = 120
EACH = pytest.mark.parametrize("name", PEERS)
STORING = pytest.mark.parametrize(
    "name", [n for n, p in PEERS.items() if p.module in ("ours", "single", "loop", "boxes")]
)


@dataclass(frozen=True, slots=True)
class Done:
    """What the peers have left behind."""

    stage: Stage
    runs: Mapping[str, Running]
    told: Mapping[str, list[ContentJudged]]

    async def stored(self, name: str, collection: str) -> list[dict[str, Any]]:
        async with AsyncMongoClient[dict[str, Any]](self.stage.stack.mongo) as client:
            return await client[self.runs[name].job.database][collection].find().to_list()

    def skip_without(self, name: str) -> None:
        if name not in self.runs:
            pytest.skip("not installed: `make bench` makes the environment of requirements-bench.txt")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def done() -> AsyncIterator[Done]:
    async with stage(many=MANY) as made:
        async with AsyncExitStack() as ends:
            peers = [peer for peer in PEERS.values() if here(peer)]
            runs = {peer.name: await ends.enter_async_context(made.at_work(peer)) for peer in peers}
            await next(iter(runs.values())).reach(MANY * len(runs))
        told: dict[str, list[ContentJudged]] = {name: [] for name in runs}
        names = {run.job.group: name for name, run in runs.items()}
        for record in await verdicts(made):
            verdict = ContentJudged.model_validate_json(record.value)
            told[names[verdict.model]].append(verdict)
        yield Done(made, runs, told)


@EACH
async def test_every_comment_has_its_verdict(done: Done, name: str) -> None:
    """One event a comment, of the same content whoever tells it."""
    done.skip_without(name)
    by = done.runs[name].job.group
    wanted = [judge(comment, by) for comment in comments(MANY, "uniform")]
    assert sorted(done.told[name], key=lambda v: v.content_id) == wanted


@STORING
async def test_every_judgement_is_stored_and_counted(done: Done, name: str) -> None:
    """Judgements, and the counts of notes and of authors, come to what is counted apart from all peers."""
    if PEERS[name].variant == "stub":
        assert await done.stored(name, "judgements") == []
        return
    wanted = expected(MANY, "uniform", done.stage.partitions)
    judgements = {
        d["_id"]: {k: v for k, v in d.items() if k not in ("_id", "v")} for d in await done.stored(name, "judgements")
    }
    assert judgements == wanted.judgements
    for collection, counts in (("notes", wanted.notes), ("authors", wanted.authors)):
        assert {d["_id"]: d["comments"] for d in await done.stored(name, collection)} == counts


async def test_quix_streams_counts_the_same(done: Done) -> None:
    """Its state, as its changelog topics have it, holds every judgement, and counts each comment on note and author."""
    done.skip_without("c")
    group = done.runs["c"].job.group
    async with AIOKafkaConsumer(bootstrap_servers=done.stage.stack.kafka, auto_offset_reset="earliest") as reader:
        topics = [topic for topic in await reader.topics() if topic.startswith("changelog__") and group in topic]
        places = [TopicPartition(topic, number) for topic in topics for number in range(done.stage.partitions)]
        reader.assign(places)
        left, last = sum((await reader.end_offsets(places)).values()), dict[tuple[str, bytes], Any]()
        while left > 0:
            for place, records in (await reader.getmany(timeout_ms=200)).items():
                left -= len(records)
                last |= {(place.topic, record.key): json.loads(record.value) for record in records}
    counts = Counter[str]()
    for (topic, key), value in last.items():
        if b"comments" in key:
            counts[topic] += value
    assert list(counts.values()) == [MANY, MANY]
    assert sum(b"judgement" in key for _, key in last) == MANY
