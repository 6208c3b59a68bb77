"""Every example of every event version through every handler that subscribes to it, by the real decode and fold."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from services.groups.handlers import router as groups
from services.groups.settings import Settings as GroupsSettings
from services.moderation.core import blank
from services.moderation.handlers import router as moderation
from services.moderation.settings import Settings as ModerationSettings
from services.moderation.view import BarView, ModelView, RulesView, ShadowView
from services.notes.handlers import router as notes
from services.notes.settings import Settings as NotesSettings
from services.recommend.handlers import router as recommend
from services.recommend.placed import Suggestions
from services.recommend.settings import Settings as RecommendSettings
from services.recommend.view import ProfilesView, PulsesView
from shared.contracts import TOPICS, Event, Topic, event_type, partition_of, topics_read_by
from shared.contracts.samples import Sample, all_examples
from shared.flow.ports import Incoming, View
from shared.flow.router import Handler, Router
from shared.release import base_rules
from tests.fakes.database import FakeDatabase, Server
from tests.unit.support import PARTITIONS, World, told

EDGE: dict[str, Any] = {"kafka": "k:1", "mongo": "mongodb://x", "jwks": "http://x", "issuer": "i"}
ROUTERS: dict[str, Router] = {
    "notes": notes(NotesSettings(**EDGE)),
    "groups": groups(GroupsSettings(**EDGE)),
    "recommend": recommend(RecommendSettings(**EDGE)),
    "moderation": moderation(ModerationSettings(**EDGE)),
}
VIEWS: dict[str, Callable[[], list[View]]] = {
    "recommend": lambda: [view(FakeDatabase(Server()), 1.0) for view in (ProfilesView, PulsesView)],
    "moderation": lambda: [
        RulesView(FakeDatabase(Server()), 1.0, base_rules()),
        ShadowView(FakeDatabase(Server()), 1.0),
        *(view(FakeDatabase(Server()), 1.0, blank()) for view in (ModelView, BarView)),
    ],
}
SUBSCRIPTIONS: list[tuple[str, type[Event], Handler]] = [
    (service, kind, handler)
    for service, router in ROUTERS.items()
    for kind, handler in router.table()
    if issubclass(kind, Event)
]
EACH_SERVICE = pytest.mark.parametrize("service", ROUTERS)
EACH_SUBSCRIPTION = pytest.mark.parametrize(
    ("service", "kind", "handler"), SUBSCRIPTIONS, ids=[f"{s}-{h.name}" for s, _, h in SUBSCRIPTIONS]
)
STORY = sorted(all_examples(), key=lambda sample: (sample.envelope.time, sample.envelope.sequence))


def world(service: str) -> World:
    return World(ROUTERS[service], VIEWS[service]() if service in VIEWS else [])


def record(sample: Sample) -> Incoming:
    """An example as it stands on its topic."""
    topic = sample.event.TOPIC
    partition = partition_of(sample.key.decode(), PARTITIONS)
    return Incoming(topic.name, partition, 0, sample.key, sample.value, sample.headers)


def heard(service: str) -> list[Sample]:
    """The examples on topics that the service reads, in the order of the story."""
    return [sample for sample in STORY if service in sample.event.TOPIC.readers]


def after(service: str, samples: list[Sample]) -> World:
    """The service when it has folded these."""
    made = world(service)
    made.take(map(record, samples))
    return made


def dead(outcomes: list[str]) -> list[str]:
    return [outcome for outcome in outcomes if outcome.startswith("dead")]


@EACH_SUBSCRIPTION
def test_examples_fold_into_an_empty_service(service: str, kind: type[Event], handler: Handler) -> None:
    """A handler takes every example of its event though it has nothing loaded: no dead letter."""
    samples = [sample for sample in STORY if sample.type == kind.TYPE]
    assert len(samples) >= 2
    for sample in samples:
        made = world(service)
        outcomes = made.take([record(sample)])
        assert len(outcomes) >= 1
        assert dead(outcomes) == []


@EACH_SUBSCRIPTION
def test_examples_fold_into_a_service_that_knows_the_story(service: str, kind: type[Event], handler: Handler) -> None:
    """A handler takes every example of its event, under a new id, after all examples were folded: no dead letter."""
    for sample in (s for s in STORY if s.type == kind.TYPE):
        made = after(service, heard(service))
        assert dead(made.outcomes) == []
        made.marks.clear()  # as if it were another event: the inbox knows these
        assert dead(made.take([record(sample)])) == []


@EACH_SERVICE
def test_the_story_twice_is_the_story_once(service: str) -> None:
    """Every example again is a double: no document changes and nothing is told."""
    made = after(service, heard(service))
    documents, records = dict(made.documents), list(made.records)
    assert set(made.take(map(record, heard(service)))) == {"double"}
    assert (made.documents, made.records) == (documents, records)


@EACH_SERVICE
def test_what_a_service_tells_of_the_story_can_be_read(service: str) -> None:
    """The events that the examples cause are valid, belong to the service, and keep the chain of their cause."""
    made = after(service, heard(service))
    causes = {sample.envelope.id: sample.envelope for sample in STORY}
    assert len(told(made.records)) == len(made.records)
    for record_ in made.records:
        envelope = record_.envelope
        assert (TOPICS[record_.topic].owner, event_type(envelope.type).TOPIC.name) == (service, record_.topic)
        cause = causes[envelope.causation]
        assert (envelope.correlation, envelope.time) == (cause.correlation, cause.time)


@EACH_SERVICE
def test_state_events_may_swap(service: str) -> None:
    """Two state events of one subject end in the same state in either order, versions apart: the higher sequence."""
    samples = heard(service)
    state = [s for s in samples if s.event.ORDER == "state" and ROUTERS[service].event(s.type)]
    pairs = [(a, b) for a, b in combinations(state, 2) if a.envelope.subject == b.envelope.subject and a.type == b.type]
    assert pairs or service in ("groups", "moderation")
    for one, other in pairs:
        rest = [s for s in samples if s not in (one, other)]
        ends = [after(service, [*rest, *order]).state() for order in ((one, other), (other, one))]
        # What was decided by a view is a fact of its moment: of another order, another moment.
        for end in ends:
            for place in [place for place in end if place[0] == Suggestions.COLLECTION]:
                del end[place]
        assert ends[0] == ends[1], (one.name, other.name)


@pytest.mark.parametrize(
    ("topic", "reader"), [(t, r) for t in TOPICS.values() for r in t.readers], ids=lambda x: getattr(x, "name", x)
)
def test_a_reader_of_a_topic_has_a_handler_for_it(topic: Topic, reader: str) -> None:
    """The table names no reader that would drop everything on the topic."""
    assert [kind.TYPE for service, kind, _ in SUBSCRIPTIONS if service == reader and kind.TOPIC is topic]


@EACH_SUBSCRIPTION
def test_a_handler_is_of_a_reader(service: str, kind: type[Event], handler: Handler) -> None:
    """A handler's topic names its service as a reader; else its lane would never see the event."""
    assert kind.TOPIC in topics_read_by(service)
    assert ROUTERS[service].service == service


@EACH_SUBSCRIPTION
def test_a_handler_reads_what_is_in_the_lane_of_its_key(service: str, kind: type[Event], handler: Handler) -> None:
    """What a handler declares is a function of the event alone; one that only hands it on declares nothing."""
    for sample in (s for s in STORY if s.type == kind.TYPE):
        assert list(handler.reads(sample.event)) == list(handler.reads(sample.event))
