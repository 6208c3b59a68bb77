"""The bus over a real broker: what an outage leaves in the process."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from local.places import free_port
from local.processes import wait_for
from local.stack import running
from shared.brokers import Brokers
from shared.bus import Bus
from shared.contracts import Envelope
from shared.contracts.topics import NOTE
from shared.errors import Transient
from shared.flow.ports import Record

pytestmark = pytest.mark.stack
SOON = 30.0


async def test_an_outage_leaves_no_producer_behind() -> None:
    """A producer that could not send is given up, and with the bus it ends: no task of it is left to send later."""
    envelope = Envelope("e-1", "a-test", "/a-test", datetime.now(UTC), "n", 0, "c", "c")
    record = Record(NOTE.name, 0, "n", b"x" * 200_000, envelope)  # four are more than the client takes at once
    async with running("embedded") as stack:
        bus = Bus(Brokers(stack.kafka), "notes")
        await bus.connect({NOTE.name})
        await bus.publish([record])
        stack.broker.pause()
        with pytest.raises(Transient):
            await asyncio.wait_for(bus.publish([record] * 4), SOON)
        stack.broker.resume()

        async def sends() -> bool:
            try:
                await bus.publish([record])
            except Transient:
                return False
            return True

        await wait_for(sends, SOON, "the bus sends again")
        await asyncio.wait_for(bus.stop(), SOON)
        assert asyncio.all_tasks() == {asyncio.current_task()}


class Idle:
    """A process that reads nothing."""

    keys: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


async def test_of_several_servers_one_is_enough() -> None:
    """Publishing and consuming begin though the first server that is named does not answer."""
    async with running("embedded") as stack:
        bus = Bus(Brokers(f"127.0.0.1:{free_port()},{stack.kafka}"), "notes")
        process: Any = Idle()
        await asyncio.wait_for(bus.connect({NOTE.name}), SOON)
        await asyncio.wait_for(bus.consume(process), SOON)
        await asyncio.wait_for(bus.stop(), SOON)
