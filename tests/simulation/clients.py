"""Who asks: clients of the api, with patience, with keys or without, that come again or do not."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from shared.errors import Rejected, Transient
from shared.flow.router import Command
from tests.simulation import kinds
from tests.simulation.end import Answered
from tests.simulation.operator import Operator
from tests.simulation.plan import Ask
from tests.simulation.world import SimulatedWorld

PATIENCE = 20.0
"""Seconds that a client waits once all is healed."""


class Clients:
    """All that a world's clients do; what they know in the end stands in their ``Answered``."""

    def __init__(
        self, world: SimulatedWorld, operator: Operator, tell: Callable[[str], None], rng: random.Random
    ) -> None:
        self._world = world
        self._operator = operator
        self._tell = tell
        self._rng = rng
        self.healed = False
        self._cut = asyncio.Event()

    def cut(self) -> None:
        """All connections end."""
        self._cut.set()
        self._cut = asyncio.Event()

    async def ask(self, answered: Answered) -> None:
        """One client, until it has its answer, or does not ask any more."""
        ask = answered.ask
        await asyncio.sleep(ask.at)
        key = f"{ask.kind}-{ask.id}" if ask.keyed else None
        before = self._operator.restores("notes")
        while await self._try(answered, key):
            if key is None and self._operator.restores("notes") != before:
                break  # what it had done, and was told, may be lost: done again without a key it is told as another
        if ask.misuses and key and answered.outcome == "accepted":
            await self._misuse(answered, key)
        self._tell(f"{ask.kind} {ask.id} {ask.note_id} {ask.text!r} is {answered.outcome} {answered.body}")

    async def _try(self, answered: Answered, key: str | None) -> bool:
        """Ask once; returns whether to ask again."""
        ask, loop = answered.ask, asyncio.get_running_loop()
        try:
            reply = await self._submit(_command(ask), key, b"d", PATIENCE if self.healed else ask.patience)
        except Rejected as refused:
            if answered.tries and key is None and refused.type == "exists":  # by one of its own tries
                answered.outcome, answered.at = "accepted", loop.time()
            elif answered.tries and self._operator.forgets(ask.person):  # its reply under the key is gone
                return False
            else:
                answered.outcome = "refused"
            answered.last, answered.body = loop.time(), {"type": refused.type}
            return False
        except (Transient, TimeoutError, ConnectionError) as error:
            answered.tries += not isinstance(error, ConnectionError)
            if key is None and not ask.insists:
                return False
            await asyncio.sleep(self._rng.choice([0.0, 0.1, 1.0]))
            return True
        answered.last = loop.time()
        if answered.outcome == "accepted":
            answered.repeated = {"status": reply.status, **reply.body}
            return False
        answered.tries += 1
        answered.outcome, answered.body = "accepted", {"status": reply.status, **reply.body}
        answered.at = answered.last
        if ask.again and key:
            await asyncio.sleep(self._rng.choice([0.0, 1.0, 5.0]))
            return True
        return False

    async def _misuse(self, answered: Answered, key: str) -> None:
        """Use the key once more, for what has no effect if a restore has taken the key's reply away."""
        other = kinds.Answer(person_id="p", need_id="nobody's")
        while not answered.misused:
            try:
                reply = await self._submit(other, key, b"other", PATIENCE)
                answered.misused = f"{reply.status}"
            except Rejected as refused:
                answered.misused = refused.type
            except (Transient, TimeoutError, ConnectionError):
                await asyncio.sleep(0.1)

    async def _submit(self, command: Command, key: str | None, digest: bytes, patience: float) -> Any:
        living = [n for n in self._world.nodes if n.service == "notes" and n.process.slots.ready]
        if not living:
            await asyncio.sleep(0.1)
            raise ConnectionError
        node = self._rng.choice(living)
        asked = asyncio.ensure_future(node.process.slots.submit(command, correlation="test", key=key, digest=digest))
        died, cut = (asyncio.ensure_future(event.wait()) for event in (node.crashed, self._cut))
        await asyncio.wait({asked, died, cut}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        done = asked.done()
        for future in (asked, died, cut):
            future.cancel()
        await asyncio.gather(asked, died, cut, return_exceptions=True)
        if not done or asked.cancelled():
            raise TimeoutError
        return asked.result()


def _command(ask: Ask) -> Command:
    match ask.kind:
        case "post":
            return kinds.Post(person_id=ask.person, comment_id=ask.id, note_id=ask.note_id, text=ask.words)
        case "edit":
            return kinds.Edit(person_id="p", note_id=ask.note_id)
        case "take":
            return kinds.Take(person_id=ask.id, note_id=ask.note_id)
        case "shut":
            return kinds.Shut(person_id="p", note_id=ask.note_id)
        case _:
            return kinds.Answer(person_id="p", need_id=ask.id)
