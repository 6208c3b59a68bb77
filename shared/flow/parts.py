"""Large inputs: what is left to do is cut into parts, and every part is an input of its own."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

PART = 200
"""Effects of one part, at most: documents changed, or events told."""


def cut(items: Sequence[T], size: int = PART) -> Iterator[Sequence[T]]:
    """The items in their order, ``size`` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
