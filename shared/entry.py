"""How a process of ours begins. An entry imports this before anything else: it saves a third of the start."""

import gc
from collections.abc import Sequence

gc.disable()  # while modules are imported: all of it stays

from shared import app  # noqa: E402


def started() -> None:
    """Everything is imported: from here on garbage is looked for, seldom, and never in what is there now.

    The default thresholds scan all live objects many times a second: half of a lane's processor time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    gc.enable()


def main(service: app.App, words: Sequence[str] | None = None) -> int:
    """The command line of a service, once all of it is imported; returns the exit status."""
    started()
    return app.main(service, words)
