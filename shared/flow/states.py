"""Current state, told again: to new subscribers (republish), and hourly on a compacted topic (repeat)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from shared.contracts import Event
from shared.errors import Transient

from . import control
from .control import Control
from .documents import Document
from .fold import Folded
from .inputs import Input
from .lane import Lane, Runtime
from .ports import Fenced
from .router import Handler, Reminder, Router
from .work import Cause, Work

log = structlog.get_logger()

HOURLY = timedelta(hours=1)
REPUBLISH = "republish:0"
"""The lane of a republication."""


@dataclass(frozen=True, slots=True)
class State:
    """How the public state of one kind of document is told: a state event that holds all of it, or None."""

    kind: type[Document]
    tell: Callable[[Any], Event | None]


class Restate(Reminder, frozen=True, kw_only=True):
    """Tell the state of a document: entry ``state`` of the service's list."""

    state: int
    id: str


class Repeat(Reminder, frozen=True, kw_only=True):
    """Tell the state of a document again, an hour after it was told last."""

    collection: str
    id: str


async def republish(runtime: Runtime, states: Sequence[State]) -> dict[str, int]:
    """Send the current state of every document that has a state event; returns how many came to what.

    The events have the sequences of the documents and ids made of document and sequence: told again unchanged
    they are doubles, and whoever knows a higher sequence drops them. One that was cut short is run again and
    goes on where it stood.

    Raises:
        Transient: another republication, or a rebuild or erasure, took over, or its lane is held, or the broker does
            not take what is to be sent.
    """
    lane = RepublishLane(runtime, states)
    try:
        await lane.run()
    except Fenced as error:
        raise Transient("another command took over, or the lane is held") from error
    if not lane.finished:
        raise Transient("not all of it is told again and sent yet")
    return lane.counts


class RepublishLane(Lane):
    """Documents of one kind after the other, in the order of their ids; its position is the last of them."""

    def __init__(self, runtime: Runtime, states: Sequence[State]) -> None:
        super().__init__(REPUBLISH, runtime)
        self._states = states
        self._state, self._after = 0, ""
        self.counts: dict[str, int] = {}

    async def taken_over(self, before: Control) -> None:
        """Go on behind the last document that was committed."""
        place: Mapping[str, Any] = before.next
        for state, after in place.items():
            self._state, self._after = int(state), after

    def reclaims(self) -> bool:
        """Two at once: the later one goes on."""
        return False

    async def next_inputs(self) -> Sequence[Input]:
        """The next page of documents; at the end of all the lane stops by itself."""
        while self._state < len(self._states):
            kind = self._states[self._state].kind
            found = await self.runtime.database.find(
                kind.COLLECTION,
                {"_id": {"$gt": self._after}},
                sort=[("_id", 1)],
                limit=self.runtime.limits.inputs,
                fields=("_id",),
            )
            if found:
                return [self._input(stored["_id"]) for stored in found]
            self._state, self._after = self._state + 1, ""
        self.stopping.set()
        return []

    def position(self, taken: Sequence[Input]) -> Mapping[str, Any]:
        """The last document of these, by the number of its kind."""
        last = taken[-1].payload if taken else None
        return {str(last.state): last.id} if isinstance(last, Restate) else {}

    def settled(self, folded: Folded, inputs: Sequence[Input]) -> None:
        """Go on behind these documents."""
        for state, after in self.position(inputs).items():
            self._state, self._after = int(state), after
        for _, outcome, _ in folded.outcomes:
            self.counts[outcome] = self.counts.get(outcome, 0) + 1

    async def drain(self) -> None:
        """Send all, then forget the position: the next run begins anew."""
        await super().drain()
        if self._state >= len(self._states) and self.own is not None:
            await control.move(self.runtime.database, self.own, self.batch, {})

    def _input(self, id_: str) -> Input:
        state = self._states[self._state]
        payload = Restate(state=self._state, id=id_)
        name = f"{state.kind.COLLECTION}/{id_}"
        handler = Handler(f"state{self._state}", self._tell, lambda _: ())
        return Input(Cause(name, self.runtime.now(), name), payload, (handler,), refs=((state.kind, id_),))

    def _tell(self, restate: Restate, work: Work) -> str:
        state = self._states[restate.state]
        document = work.get(state.kind, restate.id)
        # Of version 0 is what a rebuild has made, and whose decision it has not read yet.
        event = state.tell(document) if document is not None and document.v else None
        if event is None or document is None:
            return "nothing"
        try:
            work.emit(event, document)
        except Exception:
            log.exception("state_not_told", collection=state.kind.COLLECTION, id=restate.id)
            return "failed"
        return "told"


def tell_hourly(document: Document, event: Event, work: Work) -> None:
    """Tell the state of a compacted topic's subject now, and again every hour.

    On such a topic the broker keeps what came last, which after a crash may be the older one: the next repeat
    puts that right.
    """
    work.emit(event, document)
    name = f"repeat:{document.COLLECTION}:{document.id}"
    repeat = Repeat(collection=document.COLLECTION, id=document.id)
    work.remind(name, work.now + HOURLY, repeat, (event.TOPIC.key, event.key))


def on_repeat(table: Router, *states: State) -> None:
    """Add the entry that tells these states every hour, once ``tell_hourly`` has told them."""
    by_collection = {state.kind.COLLECTION: state for state in states}

    def repeat(reminder: Repeat, work: Work) -> str | None:
        state = by_collection[reminder.collection]
        document = work.get(state.kind, reminder.id)
        event = state.tell(document) if document is not None else None
        if document is None or event is None:
            return "gone"
        tell_hourly(document, event, work)
        return None

    table.on(Repeat, repeat, lambda r: [(by_collection[r.collection].kind, r.id)])
