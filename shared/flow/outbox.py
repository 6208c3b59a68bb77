"""Publishing, apart from the step: batch k is sent when all of k-1 is acknowledged."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

import structlog

from shared.errors import Transient

from .alarms import expired
from .control import Batch
from .patience import patience
from .runtime import Runtime

log = structlog.get_logger()
Told = Callable[[str], None]


class Outbox:
    """Batches on their way out, oldest first. A batch counts as sent only when the broker has all of it.

    A crash anywhere leaves the batch in the control document, so the next owner sends it with the same ids:
    a reader may see an event twice, never not at all. A batch older than what readers remember is not sent.
    """

    def __init__(self, runtime: Runtime, at: Told, observe: Callable[[float], None]) -> None:
        self._publisher = runtime.publisher
        self._rng = runtime.rng
        self._now = runtime.now
        self._at = at
        self._observe = observe
        self._pending: deque[tuple[Batch, float]] = deque()
        self._moved = asyncio.Event()
        self._more = asyncio.Event()
        self.acknowledged = 0
        self.size = 0

    def restore(self, batches: Iterable[Batch]) -> None:
        """Start over with what the control document holds."""
        self._pending.clear()
        self.acknowledged = self.size = 0
        for batch in batches:
            self.add(batch)
        self._moved.set()

    def add(self, batch: Batch) -> None:
        """Hand over a committed batch."""
        self._pending.append((batch, asyncio.get_running_loop().time()))
        self.size += batch.size
        self._more.set()

    def unsent(self) -> list[Batch]:
        """Batches not acknowledged yet, oldest first."""
        return [batch for batch, _ in self._pending]

    @property
    def age(self) -> float:
        """Seconds since the commit of the oldest unsent batch, also when another process has made it."""
        if not self._pending:
            return 0.0
        batch, added = self._pending[0]
        if batch.at is None:
            return asyncio.get_running_loop().time() - added
        return max(0.0, (self._now() - batch.at).total_seconds())

    async def below(self, size: int, within: float) -> bool:
        """Wait until less than ``size`` bytes are unsent; False if they are not ``within`` seconds."""
        try:
            async with asyncio.timeout(within):
                while self.size >= size:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Send for ever. Faults of the broker are waited out with jitter."""
        loop = asyncio.get_running_loop()
        tries = 0
        while True:
            while not self._pending:
                self._more.clear()
                await self._more.wait()
            batch, _ = self._pending[0]
            if expired(batch, self._now()):
                await asyncio.sleep(1.0)  # the lane is about to be held
                continue
            began = loop.time()
            self._at("publish:before")
            try:
                await self._publisher.publish(batch.records)
            except Transient as error:
                if tries == 0:
                    log.warning("publish_waits", batch=batch.number, reason=error.reason)
                tries += 1
                await asyncio.sleep(patience(error, tries, loop.time() - began) * self._rng.uniform(0.5, 1.0))
                continue
            except Exception:
                # A record that the client itself refuses is a bug; it must be seen, and nothing may be skipped.
                log.exception("publish_failed", batch=batch.number)
                await asyncio.sleep(self._rng.uniform(1.0, 2.0))
                continue
            tries = 0
            self._at("publish:acknowledged")
            self._observe(loop.time() - began)
            if not (self._pending and self._pending[0][0] is batch):
                continue  # the lane was claimed anew meanwhile, and its outbox restored
            self._pending.popleft()
            self.size -= batch.size
            self.acknowledged = batch.number
            self._moved.set()
