"""Records that the consumer has handed over to a lane and that wait to be folded."""

from collections import deque

from .ports import Incoming

MOST_BYTES = 8_000_000


class Waiting:
    """In the order they came; ``over`` and ``under`` say when to pause the partition and when to resume it."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._records: deque[Incoming] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def first(self) -> Incoming:
        """The record that has waited longest."""
        return self._records[0]

    @property
    def over(self) -> bool:
        """More than two batches, or too many bytes."""
        return len(self._records) > 2 * self._batch or self._bytes > MOST_BYTES

    @property
    def under(self) -> bool:
        """Less than a batch, and half of the bytes."""
        return len(self._records) < self._batch and self._bytes < MOST_BYTES // 2

    def put(self, record: Incoming) -> None:
        """Add the next one."""
        self._records.append(record)
        self._bytes += len(record.value or b"")

    def take(self) -> Incoming:
        """Take out the first."""
        record = self._records.popleft()
        self._bytes -= len(record.value or b"")
        return record

    def clear(self) -> None:
        """Drop all."""
        self._records.clear()
        self._bytes = 0
