"""Services die while the gates before publishing look, when they can; in all other rounds these look at none."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local.stack import running
from tests.faults.conftest import kept
from tests.faults.deaths import killed
from tests.faults.round import LONGEST, ON_REAL_PARTS, Rounds
from tests.faults.system import System, inhabited

pytestmark = ON_REAL_PARTS
HELD = {"LIANYI_GATE_SECONDS": str(LONGEST)}
"""No gate gives up waiting for a verdict while moderation is down."""


@pytest_asyncio.fixture(scope=kept("module"), loop_scope="package")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Its own stack: these gates look."""
    async with running("local") as stack, inhabited(stack, tmp_path_factory.mktemp("guarded"), HELD) as made:
        yield made


async def test_what_the_gates_hold_has_its_verdict_whatever_dies(guarded: System, rounds: Rounds) -> None:
    """Whoever dies, the gate that holds or the service that judges: what was held has its verdict in the end and is
    shown or hidden by it, and nothing is lost or doubled."""
    ledger = guarded.witness.ledger
    before = Counter(ledger.gates.values())
    async with rounds(guarded) as round_:
        for _ in round_.times(2, 20):
            async with asyncio.TaskGroup() as group:
                for service in guarded.services:
                    group.create_task(killed(round_, service))
    said = Counter(ledger.gates.values()) - before
    assert min(said["held"], said["passed"]), f"the load does not reach what it must: {said}"
    assert not ledger.held
