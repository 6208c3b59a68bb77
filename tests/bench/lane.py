"""What an event costs a service, from its bytes to the bytes of what it changes, without network and database.

Records are decoded, the documents that a batch declares are read from BSON, folded and written as BSON, and the views
take them up: all that a lane does but wait. What is emitted is heard in its turn, but for own decisions, which a lane
skips. Of recommend the events a second of one core are told by type: notes and relays are those of the files of notes,
joins those of the files of memberships; everybody who has joined a group is heard there and answers a suggestion.
"""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

import bson
from bson.codec_options import CodecOptions

from services.recommend.handlers import router
from services.recommend.settings import Settings
from services.recommend.view import CirclesView, ProfilesView, PulsesView
from shared.contracts import KEYS, TOPICS, Envelope, Event
from shared.contracts.groups import Charter, GroupOpened, MemberJoined
from shared.contracts.notes import NotePosted, NoteRelayed
from shared.contracts.recommend import CircleTurned, FeedbackGiven, MembershipHeard, ProfileTaught
from shared.contracts.talk import MessagePosted
from shared.flow.documents import Document, from_mongo
from shared.flow.fold import Limits, fold
from shared.flow.inputs import Input, of_record
from shared.flow.ports import Incoming, Insert, Record, Replace, View
from shared.flow.router import Router
from shared.flow.work import Scope, Work
from tests.bench import people, placement
from tests.fakes.database import FakeDatabase, Server

NOW = datetime(2026, 5, 4, tzinfo=UTC)
BATCH, NOTES, JOINS = 200, 2_000, 5_000
LANES = dict.fromkeys(KEYS, 1)
SETTINGS = Settings(kafka="k:1", mongo="mongodb://x", jwks="http://x", issuer="i")
AWARE: CodecOptions[Mapping[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)
SLOW = (NotePosted, NoteRelayed, ProfileTaught)
"""Of these an event has hundreds of terms: they are told, and there is no bar on them."""


class Lane:
    """All lanes of a service in one, and what its database would hold."""

    def __init__(self, router: Router, views: tuple[View, ...]) -> None:
        self._router, self._scope = router, Scope(router.service, dict.fromkeys(TOPICS, 1), LANES, views)
        self._stored: dict[tuple[str, str], bytes] = {}
        self._heard = 0
        self._emitted: list[Record] = []
        self._many, self._spent = Counter[str](), defaultdict[str, float](float)

    @property
    def spent(self) -> float:
        """Seconds of the processor."""
        return sum(self._spent.values())

    def rate(self, kind: type[Event]) -> float:
        """Events of a type a second, where they came in batches of their own."""
        return self._many[kind.TYPE] / self._spent[kind.TYPE]

    def hear(self, events: Iterable[Event]) -> None:
        """Events, and then what they make the service tell itself."""
        records = [self._incoming(event) for event in events]
        while records:
            for start in range(0, len(records), BATCH):
                self._batch(records[start : start + BATCH])
            told, self._emitted = self._emitted, []
            records = [
                Incoming(one.topic, 0, n, one.key.encode(), one.value, tuple(one.envelope.headers()))
                for n, one in enumerate(told)
                if not self._router.owns(one.envelope.type)
            ]

    def _incoming(self, event: Event) -> Incoming:
        self._heard += 1
        id_ = f"e-{self._heard}"
        envelope = Envelope(id_, event.TYPE, event.source, NOW, event.key, self._heard, id_, id_)
        value = event.model_dump_json().encode()
        return Incoming(event.TOPIC.name, 0, self._heard, event.key.encode(), value, tuple(envelope.headers()))

    def _batch(self, records: Sequence[Incoming]) -> None:
        began = process_time()
        found = (of_record(record, self._router, NOW, LANES) for record in records)
        inputs: Sequence[Input] = [one for one in found if one is not None]
        kinds = {one.payload.TYPE for one in inputs if isinstance(one.payload, Event)}
        while inputs:
            inputs = inputs[self._through(inputs) :]
        kind = " ".join(sorted(kinds))
        self._spent[kind] += process_time() - began
        self._many[kind] += len(records)

    def _through(self, inputs: Sequence[Input]) -> int:
        """Fold a first part of the inputs; returns how many."""
        refs = {(kind.COLLECTION, id_): kind for one in inputs for kind, id_ in one.refs}
        loaded: dict[tuple[str, str], Document | None] = dict.fromkeys(refs)
        for key, kind in refs.items():
            if raw := self._stored.get(key):
                loaded[key] = from_mongo(kind, bson.decode(raw, AWARE))
        work = Work(self._scope, loaded)
        folded = fold(self._router.service, work, inputs, (), Limits())
        if folded.died:
            raise RuntimeError(f"{len(folded.died)} events could not be taken")
        for write in work.writes("lane", 1):
            if isinstance(write, Insert | Replace):
                self._stored[write.collection, write.document["_id"]] = bson.encode(write.document)
        for view in self._scope.views:
            view.committed(work.changed())
        self._emitted += work.records
        return folded.taken


def recommend() -> Lane:
    """The lanes of recommend."""
    database = FakeDatabase(Server())
    views = (ProfilesView(database, 1.0), CirclesView(database, 1.0), PulsesView(database, 1.0))
    return Lane(router(SETTINGS), views)


def measure(data: Path) -> Iterator[tuple[str, float]]:
    """Events a second of each type, for each file."""
    gc.set_threshold(50_000, 50, 100)  # as shared.app does
    for path in sorted(data.glob("notes/*.jsonl.gz")):
        nodes = path.with_name(path.name.replace(".jsonl", "_nodes.jsonl"))
        if nodes.exists():
            lane = recommend()
            _relays(lane, placement.read(nodes), placement.read(path))
            yield from _rates(path.name, lane, (NotePosted, NoteRelayed, ProfileTaught))
    for path in sorted(data.glob("memberships/*.jsonl.gz")):
        lane = recommend()
        _joins(lane, [(who, group) for who, groups in people.read(path, 3).items() for group in groups][:JOINS])
        yield from _rates(path.name, lane, (MemberJoined, MembershipHeard, CircleTurned, FeedbackGiven, MessagePosted))


def _rates(name: str, lane: Lane, kinds: Iterable[type[Event]]) -> Iterator[tuple[str, float]]:
    for kind in kinds:
        what = "a second, no bar" if kind in SLOW else "events/s"
        yield f"{name}, through the lane: {kind.__name__}, {what}", lane.rate(kind)


def _relays(lane: Lane, nodes: list[dict[str, str]], notes: list[dict[str, str]]) -> None:
    """Every node is a group; each note is posted, and relayed to its own."""
    names = {row["node"]: row["title"] for row in nodes}
    known = (row for row in sorted(notes, key=lambda row: float(row["created"])) if row["node"] in names)
    rows = list(enumerate(islice(known, NOTES)))
    charter = Charter(purpose="x", audience="x", rules="x", rewards="x", service="x", exit="x")
    lane.hear(
        GroupOpened(group_id=node, owner_id="o", name=title[:100] or node, charter=charter, seats=9)
        for node, title in names.items()
    )
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        lane.hear(
            NotePosted(note_id=f"n{n}", author_id=f"a{n}", title=row["title"][:100] or "x", text=row.get("text") or "")
            for n, row in some
        )
        lane.hear(NoteRelayed(note_id=f"n{n}", group_id=row["node"], by_id="r") for n, row in some)


def _joins(lane: Lane, joins: list[tuple[str, str]]) -> None:
    """Each is a join, an answer and a message."""
    lane.hear(MemberJoined(group_id=group, person_id=who, tier="t") for who, group in joins)
    lane.hear(FeedbackGiven(person_id=who, group_id=f"other-{group}", kind="not_for_me") for who, group in joins)
    said = ((f"m{n}", who, group) for n, (who, group) in enumerate(joins))
    lane.hear(MessagePosted(message_id=id_, group_id=group, author_id=who, text="x") for id_, who, group in said)
