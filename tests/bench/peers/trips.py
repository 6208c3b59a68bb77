"""How many requests a process sends to the database and to the broker."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka.client import AIOKafkaClient
from pymongo import monitoring

from tests.bench.peers.workload import Job

ASK = signal.SIGUSR1


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
    """Counts all requests of the block, if the job wants it: clients must be made inside of it.

    What was counted is written down at its end, and whenever the process is sent `ASK`.
    """
    if not told.trips:
        yield
        return
    seen: Counter[str] = Counter()
    monitoring.register(Commands(seen))
    send = AIOKafkaClient.send

    async def sent(self: Any, node: Any, request: Any, **more: Any) -> Any:
        seen[f"kafka {type(request).__name__}"] += 1
        return await send(self, node, request, **more)

    def tell(*_: object) -> None:
        part = Path(f"{told.trips}.part")
        part.write_text(json.dumps(dict(seen)))
        part.replace(told.trips)  # whole at once: somebody waits for it

    AIOKafkaClient.send = sent
    signal.signal(ASK, tell)
    try:
        yield
    finally:
        tell()
