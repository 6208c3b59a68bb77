"""How long to wait before the world is tried again."""

from shared.errors import Transient

MOST_PATIENCE = 0.5


def patience(error: Transient, tries: int) -> float:
    """Seconds until the next try after so many in vain: longer each time, and half a second at most.

    The clients wait by themselves while a server is away; a lane that waited long beside them would be the last to
    see it back.
    """
    return max(error.retry_after, min(0.1 * 2.0 ** min(tries - 1, 6), MOST_PATIENCE))
