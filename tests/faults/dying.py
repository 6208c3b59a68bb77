"""A service that dies at a labelled step of its lanes, as at kill -9: python -m tests.faults.dying notes idle 3 run

The label and which time it is come first, then what the service itself is told. Nothing of it is in the services: the
hooks that lanes and database have for tests are set here.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module

from shared import app
from shared.bus import Bus
from shared.flow.fold import Limits
from shared.flow.lane import Runtime
from shared.flow.ports import Record
from shared.mongo import MongoDatabase

DIED = 77
"""The exit status of a process that has come to its step."""
FULL = "full"
"""A lane comes there only while the broker takes nothing."""


class Death:
    """Counts how often the step was passed, over all lanes."""

    def __init__(self, label: str, occurrence: int) -> None:
        self._label, self._left = label, occurrence

    def __call__(self, label: str) -> None:
        if label == self._label:
            self._left -= 1
            if self._left == 0:
                os._exit(DIED)  # no handler, no buffer, no farewell


class Mute(Bus):
    """What it is given to send is never acknowledged, as by a broker that is away."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Does not return."""
        await asyncio.Event().wait()


def main() -> int:
    """Runs the service with the hooks set."""
    service, label, occurrence, *words = sys.argv[1:]
    death = Death(label, int(occurrence))
    names = vars(app)
    names["Runtime"] = partial(Runtime, at=death)
    names["MongoDatabase"] = partial(MongoDatabase, at=death)
    if label == FULL:
        names["Bus"], names["Limits"] = Mute, partial(Limits, outbox=1)
    return app.main(import_module(f"services.{service}.app").APP, words)


if __name__ == "__main__":
    raise SystemExit(main())
