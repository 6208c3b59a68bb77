"""Safeguards of the lane, each with a way to take it away: a simulation that still passes then checks nothing.

The fence and the comparison after an unknown commit are not here: without them 3,500 worlds each still ended well,
since the killed session, compare-and-set and inbox stand behind them. Directed schedules in the suites show them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shared.flow import fold, keylane, process
from shared.flow.due import DueTimers
from shared.flow.outbox import Outbox
from shared.flow.ports import Replace, Upsert, Write
from shared.flow.step import Steps
from shared.flow.work import Work
from tests.simulation import services


@contextmanager
def replaced(where: Any, name: str, by: Any) -> Iterator[None]:
    """Something else stands under a name for a while."""
    before = getattr(where, name)
    setattr(where, name, by)
    try:
        yield
    finally:
        setattr(where, name, before)


def _inbox() -> Any:
    async def seen(self: Steps, inputs: Sequence[Any]) -> set[bytes]:
        return set()

    return replaced(Steps, "_seen", seen)


def _doubles_in_a_batch() -> Any:
    deliver = fold._deliver
    return replaced(fold, "_deliver", lambda s, f, i, known: deliver(s, f, i, set(known)))


def _resend_at_claim() -> Any:
    restore = Outbox.restore
    return replaced(Outbox, "restore", lambda self, batches: restore(self, ()))


def _compare_and_set() -> Any:
    writes = Work.writes

    def blind(self: Work) -> list[Write]:
        return [Upsert(w.collection, w.document) if isinstance(w, Replace) else w for w in writes(self)]

    return replaced(Work, "writes", blind)


def _guard() -> Any:
    return replaced(Work, "guard", Work.get)


def _order_by_sequence() -> Any:
    return replaced(services, "BY_SEQUENCE", False)


def _claim_after_a_fence() -> Any:
    return replaced(keylane.KeyLane, "reclaims", lambda self: False)


def _timers_wait_for_the_topic() -> Any:
    made = DueTimers
    return replaced(process, "DueTimers", lambda timers, ends: made(timers, {}))


def _timers_wait_for_the_outbox() -> Any:
    async def nothing(self: process.Process, names: Sequence[str]) -> dict[str, Any]:
        return {}

    return replaced(process.Process, "_oldest_unsent", nothing)


def _rollback() -> Any:
    return replaced(Work, "rollback", lambda self: None)


SAFEGUARDS: dict[str, Callable[[], Any]] = {
    "inbox": _inbox,
    "doubles in a batch": _doubles_in_a_batch,
    "resend at claim": _resend_at_claim,
    "compare and set": _compare_and_set,
    "guard": _guard,
    "order by sequence": _order_by_sequence,
    "claim after a fence": _claim_after_a_fence,
    "timers wait for the topic": _timers_wait_for_the_topic,
    "timers wait for the outbox": _timers_wait_for_the_outbox,
    "rollback": _rollback,
}
"""By name: what takes it away, as a context manager."""
