"""Whether a process can do its work: one list for the probe and for the scrape."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from prometheus_client import Gauge

from shared.errors import Transient

PATIENCE = 2.0
"""Seconds in which the database must answer."""


class Working(Protocol):
    """What has been started: ``shared.flow.process.Process``."""

    def ready(self) -> list[str]:
        """What is missing before traffic makes sense."""
        ...


class Readiness:
    """What is missing, in words. The gauge is 0 until a look has found nothing missing."""

    def __init__(
        self, gauge: Gauge, ping: Callable[[], Awaitable[None]], reachable: Callable[[], Awaitable[bool]]
    ) -> None:
        self._gauge = gauge
        self._ping = ping
        self._reachable = reachable
        self.waiting = "starting"
        """What a start waits for; it is all that is said until there is a process."""
        self.process: Working | None = None

    async def missing(self) -> list[str]:
        """Look now, at database and broker too; empty when ready."""
        found = [self.waiting] if self.process is None else [*self.process.ready(), *await self._away()]
        self._gauge.set(0 if found else 1)
        return found

    def before(self, scrape: Any) -> Any:
        """The ASGI application of a scrape, which says how it stands now and not when a probe last asked."""

        async def looked(scope: Any, receive: Any, send: Any) -> None:
            await self.missing()
            await scrape(scope, receive, send)

        return looked

    async def _away(self) -> list[str]:
        database, broker = await asyncio.gather(self._answers(), self._reachable())
        told = {"the database does not answer": database, "the broker does not answer": broker}
        return [what for what, there in told.items() if not there]

    async def _answers(self) -> bool:
        try:
            await asyncio.wait_for(self._ping(), PATIENCE)
        except (Transient, TimeoutError):
            return False
        return True
