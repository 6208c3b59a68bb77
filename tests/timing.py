"""What a piece of work takes of the processor."""

from collections.abc import Callable
from time import thread_time


def within(seconds: float, work: Callable[[], object]) -> bool:
    """Whether one of three tries takes less than so many seconds of this thread's processor time.

    Of three, as others' work only ever adds: a collection of all that the tests before have left counts to
    whoever makes the next object, and takes seconds where the work itself takes a tenth of one.
    """
    return any(taken(work) < seconds for _ in range(3))


def taken(work: Callable[[], object]) -> float:
    """Seconds of this thread's processor time."""
    began = thread_time()
    work()
    return thread_time() - began
