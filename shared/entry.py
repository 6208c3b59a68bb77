"""How a process of ours begins. An entry imports this before anything else: it saves a third of the start.

Nothing but an entry may import it, as until ``main`` no garbage is looked for.
"""

import gc

gc.disable()  # while modules are imported: all of it stays

from shared import app  # noqa: E402


def main(service: app.App) -> int:
    """The command line of a service, once all of it is imported; returns the exit status."""
    gc.freeze()  # never looked through again
    gc.enable()
    return app.main(service)
