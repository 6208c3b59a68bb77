"""(c) Quix Streams with its own state, in an environment of its own (requirements-bench.txt).

Judgements and the notes' counts are state under the record's key; authors are counted behind ``group_by``, which takes
a topic of its own, as its documents say for any other key. State is RocksDB with changelog topics, at least once.
"""

from typing import Any

from quixstreams import Application, State

from shared.contracts import Envelope
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE, NOTE_VERDICT
from tests.bench.peers.workload import answered, author_key, job, judge, judgement


def main() -> None:
    """Works until it is told to stop."""
    told = job()
    app = Application(
        broker_address=told.kafka,
        consumer_group=told.group,
        auto_offset_reset="earliest",
        state_dir=told.state,
        loglevel="WARNING",
        producer_extra_config={"enable.idempotence": True},
    )
    read = app.topic(NOTE.name, value_deserializer="bytes", key_deserializer="str")
    tell = app.topic(NOTE_VERDICT.name, value_serializer="bytes", key_serializer="str")

    def of_note(value: bytes, key: Any, timestamp: int, headers: Any, state: State) -> dict[str, Any]:
        comment = CommentPosted.model_validate_json(value)
        verdict = judge(comment, told.group)
        state.set("comments", state.get("comments", 0) + 1)
        state.set(f"judgement {verdict.content_id}", judgement(verdict))
        return {"verdict": verdict, "author": author_key(comment, told.partitions)}

    def of_author(value: dict[str, Any], state: State) -> None:
        state.set("comments", state.get("comments", 0) + 1)

    judged = app.dataframe(read).apply(of_note, stateful=True, metadata=True)
    judged.set_headers(lambda value, key, timestamp, before: answered(value["verdict"], Envelope.of(before)).headers())
    judged.apply(lambda value: value["verdict"].model_dump_json().encode()).to_topic(tell)
    judged[["author"]].group_by("author").update(of_author, stateful=True)
    app.run()


if __name__ == "__main__":
    main()
