"""How long to wait before the world is tried again."""

from shared.errors import Transient

MOST_PATIENCE = 0.5


def patience(error: Transient, tries: int, took: float = 0.0) -> float:
    """Seconds until the next try after so many in vain, from its beginning: more each time, half a second at most.

    The last try took some of them already: the clients wait by themselves while a server is away, and who waited as
    long again beside them would be the last to see it back. What the error itself asks for is waited in any case.
    """
    return max(error.retry_after, min(0.1 * 2.0 ** min(tries - 1, 6), MOST_PATIENCE) - took)
