"""Views of several processes, while these die, lose replies and change places: on the fakes alone."""

import asyncio
import random
from typing import Any

import pytest

from shared.errors import Transient
from shared.flow.ports import Json
from tests.fakes.faults import CommitFault
from tests.fakes.world import FakeWorld
from tests.suites.toy import EditNote, Note
from tests.suites.view import NotesView, Watched
from tests.suites.world import Node

pytestmark = pytest.mark.jumping
FAULTS: tuple[CommitFault, ...] = ("refused", "conflict", "applied, reply lost", "not applied, reply lost")
SLOTS = 3


class Slow(Watched):
    """Its replies take their time, so that others commit between two reads of one look."""

    def __init__(self, world: FakeWorld) -> None:
        super().__init__(world.database("notes"))
        self._rng = random.Random(world.rng.getrandbits(64))

    async def _given(self, collection: str, found: list[Json]) -> list[Json]:
        await asyncio.sleep(self._rng.choice([0.0, 0.01, 0.05]))
        return found


async def start(world: FakeWorld) -> tuple[Node, NotesView]:
    source: Any = Slow(world)
    view = NotesView(source, Note, 0.05)
    return await world.start("notes", slots=SLOTS, views=(view,)), view


async def edit(world: FakeWorld, node: Node, note_id: str) -> None:
    try:
        await world.submit(node, EditNote(person_id="p", note_id=note_id))
    except (Transient, TimeoutError):
        return  # whatever became of it, the views must show it


@pytest.mark.parametrize("seed", range(12))
async def test_no_view_misses_what_another_process_did(seed: int) -> None:
    """After any mix of edits, faults and deaths each view holds what is stored, and all say one version."""
    rng = random.Random(seed)
    world = FakeWorld(seed)
    world.patience = 20.0
    living = [await start(world) for _ in range(SLOTS)]
    for _ in range(40):
        node, _ = rng.choice(living)
        await world.until(lambda n=node: n.process.slots.ready, "a slot")  # type: ignore[misc]
        if rng.random() < 0.3:
            node.database.commits.append(rng.choice(FAULTS))
        looking = asyncio.gather(*(view.refresh() for _, view in living))
        edits = [edit(world, node, f"n{rng.randrange(9)}") for _ in range(rng.randint(1, 4))]
        asked = asyncio.gather(*edits)
        if rng.random() < 0.15:
            await asyncio.sleep(rng.choice([0.0, 0.001, 0.01]))
            await world.kill(node)
            living = [(n, v) for n, v in living if n is not node]
            living.append(await start(world))
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        else:
            await asked
        await looking
        await asyncio.sleep(rng.choice([0.0, 0.03, 0.1]))
    await asyncio.sleep(0.3)
    stored = {i: (d["v"], d["edits"]) for i, d in (await world.documents("notes", "notes")).items()}
    for _, view in living:
        await view.refresh()
        assert {i: (d.v, d.edits) for i, d in view.documents.items()} == stored
    assert len({view.version for _, view in living}) == 1
    await world.close()
