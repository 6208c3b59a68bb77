"""How many requests a process sends to the database and to the broker."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka.client import AIOKafkaClient
from pymongo import monitoring

from tests.bench.peers.workload import Job


class Commands(monitoring.CommandListener):
    """Counts what the driver sends, by name."""

    def __init__(self, seen: Counter[str]) -> None:
        self._seen = seen

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """One more."""
        self._seen[f"mongo {event.command_name}"] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Counted already."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Counted already."""


@contextmanager
def counted(told: Job) -> Iterator[None]:
    """Counts all requests of the block, if the job wants it: clients must be made inside of it."""
    if not told.trips:
        yield
        return
    seen: Counter[str] = Counter()
    monitoring.register(Commands(seen))
    send = AIOKafkaClient.send

    async def sent(self: Any, node: Any, request: Any, **more: Any) -> Any:
        seen[f"kafka {type(request).__name__}"] += 1
        return await send(self, node, request, **more)

    AIOKafkaClient.send = sent
    try:
        yield
    finally:
        Path(told.trips).write_text(json.dumps(seen))
