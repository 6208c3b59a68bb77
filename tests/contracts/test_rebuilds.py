"""Every service folds its story again as a rebuild does, and nothing comes out otherwise."""

import random
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from shared.app import documents_of
from shared.contracts.samples import Sample
from shared.flow.inputs import of_record
from shared.flow.rebuild import defaults
from tests.contracts.test_handlers import EACH_SERVICE, after, heard, record
from tests.unit.support import World, wire


def others(service: str) -> list[Sample]:
    """The story as the others tell it; what the service itself would say of it, it says."""
    return [sample for sample in heard(service) if sample.event.TOPIC.owner != service]


def reset(world: World) -> None:
    """What the command does to the documents, and to the inbox."""
    world.marks.clear()
    for place, document in list(world.documents.items()):
        if document.REBUILT is True:
            del world.documents[place]
        elif document.REBUILT:
            world.documents[place] = msgspec.structs.replace(document, **defaults(type(document), document.REBUILT))


def interleaved(world: World, service: str, seed: int) -> list[Any]:
    """All records that the service has read, topic by topic in their order, the topics shuffled into each other."""
    topics: dict[str, deque[Any]] = {}
    own = [wire(record_) for record_ in world.records if record_.topic in world._reads]
    for raw in [*map(record, others(service)), *own]:
        topics.setdefault(raw.topic, deque()).append(raw)
    rng = random.Random(seed)
    found = []
    while left := [queue for _, queue in sorted(topics.items()) if queue]:
        queue = rng.choice(left)
        found += [queue.popleft() for _ in range(min(len(queue), rng.randint(1, 8)))]
    return found


def again(world: World, records: Iterable[Any]) -> None:
    """Fold as a mute lane does."""
    for raw in records:
        if (input_ := of_record(raw, world.router, world.now, world._scope.lanes)) is not None:
            world.fold([replace(input_, past=True)])


def shown(world: World) -> dict[Any, Any]:
    """The documents, versions too but for those that are kept in part: these count on."""
    return {
        place: document if document.REBUILT is True else msgspec.structs.replace(document, v=0)
        for place, document in world.documents.items()
    }


@EACH_SERVICE
@pytest.mark.parametrize("seed", range(12))
def test_a_rebuild_changes_nothing(service: str, seed: int) -> None:
    """Projections come out equal, what is kept is untouched, nothing is told, however the topics are interleaved."""
    world = after(service, others(service))
    world.settle()
    assert world.documents
    before, count = shown(world), len(world.records)
    reset(world)
    again(world, interleaved(world, service, seed))
    assert shown(world) == before
    assert len(world.records) == count


@EACH_SERVICE
def test_every_kind_of_document_says_what_it_is(service: str) -> None:
    """In its own words: rebuilt whole, in part, or kept; and what is reset has a value to begin with."""
    kinds = documents_of(service)
    assert [kind.__name__ for kind in kinds if "REBUILT" not in vars(kind)] == []
    for kind in kinds:
        assert isinstance(kind.REBUILT, bool) or defaults(kind, kind.REBUILT)


@EACH_SERVICE
def test_texts_are_fields(service: str) -> None:
    """Every field named in ``TEXTS`` exists, and whatever is called title or text is named there."""
    for kind in documents_of(service):
        fields = set(kind.__struct_fields__)
        named = {name for who, names in kind.TEXTS.items() if "." not in who for name in (who, *names)}
        assert named <= fields
        assert fields & {"title", "text"} <= named, kind
