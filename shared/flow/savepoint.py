"""What a working set takes back when a handler fails."""

from dataclasses import dataclass, field

from .documents import Document
from .ports import Delete, Upsert


@dataclass(slots=True)
class Savepoint:
    """How things stood before the current handler, so that a failing one takes back only its own."""

    documents: dict[tuple[str, str], Document | None] = field(default_factory=dict)
    timers: dict[str, Upsert | Delete | None] = field(default_factory=dict)
    records: int = 0
    bytes: int = 0
