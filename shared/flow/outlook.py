"""What a process asks of database and broker beside its work, so that it can say how all stands."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from shared.errors import Transient
from shared.telemetry import LaneReport

from .control import Control, read_control
from .documents import LANES
from .keylane import KeyLane
from .ports import Json, Source
from .replay import replay_lanes
from .runtime import Runtime
from .states import REPUBLISH

log = structlog.get_logger()

PATIENCE = 5.0
"""Seconds in which the broker must tell the ends of a key's topics."""


class Outlook:
    """How the lanes of a process stand beyond its memory, and those of commands that nobody runs any more."""

    def __init__(
        self, runtime: Runtime, lanes: Callable[[str], Sequence[KeyLane]], sources: Mapping[str, Source]
    ) -> None:
        self._runtime = runtime
        self._lanes = lanes
        self._sources = sources
        """By key, as soon as there is an assignment."""
        self._commands = [REPUBLISH, *replay_lanes(runtime.scope)]
        self._left: list[Control] = []

    async def owners(self) -> None:
        """Tell lanes that somebody else has claimed them."""
        lanes = {lane.name: lane for key in self._sources for lane in self._lanes(key)}
        where: Json = {"_id": {"$in": sorted(lanes)}}
        for stored in await self._runtime.database.find(LANES, where, fields=("epoch",)) if lanes else []:
            lanes[stored["_id"]].look(stored["epoch"])

    async def left(self) -> None:
        """See what replays and republications have not sent: of one that was killed nobody else tells it."""
        found = await self._runtime.database.load(LANES, self._commands)
        lanes = (read_control(stored["_id"], stored) for stored in found)
        self._left = [lane for lane in lanes if lane.outbox or lane.held]

    async def ends(self) -> None:
        """Ask the broker, once for each key, how far its topics reach."""
        await asyncio.gather(*(self._ends(key, source) for key, source in self._sources.items()))

    async def _ends(self, key: str, source: Source) -> None:
        if not (lanes := self._lanes(key)):
            return
        ends: Mapping[tuple[str, int], int] | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                ends = await source.ends([(topic, lane.partition) for lane in lanes for topic in lane.topics])
        except (Transient, TimeoutError):
            log.warning("ends_not_told", key=key)  # its lanes count from the first of these
        for lane in lanes:
            known = {topic: ends.get((topic, lane.partition), 0) for topic in lane.topics} if ends else None
            lane.backlog.told(self._runtime.now(), lane.done, known)

    def reports(self) -> list[LaneReport]:
        """The lanes of commands that have something left, with its age."""
        return [LaneReport(lane.lane, "left", 0, 0, 0, self._age(lane), lane.held) for lane in self._left]

    def _age(self, lane: Control) -> float:
        if not lane.outbox:
            return 0.0
        first = lane.outbox[0]
        at = first.at or first.records[0].envelope.time  # a batch that was released has no time of its own
        return max(0.0, (self._runtime.now() - at).total_seconds())
