"""The three kinds of error. The kind, not the place of the raise, decides what happens next.

| kind | an HTTP caller sees | an event or a timer becomes |
| --- | --- | --- |
| `Rejected` | problem+json with its status and stable type, at once | a dead letter, at once |
| `Transient` | 503 problem+json with `Retry-After` | nothing: it is held and tried again |
| anything else: a bug | 500 problem+json with an id, also logged | a dead letter, counted against the limit |
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


class Rejected(Exception):
    """The fault of the caller or of the event: trying again with the same input fails again.

    An HTTP caller sees problem+json with `status`, `urn:lianyi:problem:<type>`, `title`, `detail` and the
    members of `extra`; an event becomes a dead letter. All of it is public: no texts, no secrets.

    `type` is a slug that clients branch on ("unknown-note"); it never changes its meaning.
    `title` is the same for every occurrence of a type, `detail` speaks of this one.
    Raises ValueError for a slug or a status (400..499) that no caller could be told.
    """

    def __init__(
        self,
        type: str,
        status: int = 422,
        *,
        title: str = "",
        detail: str = "",
        extra: Mapping[str, object] | None = None,
    ) -> None:
        if not _SLUG.fullmatch(type):
            raise ValueError(f"a problem's type is a slug, not {type!r}")
        if not 400 <= status <= 499:
            raise ValueError(f"a rejection is the caller's fault: 400..499, not {status}")
        self.type = type
        self.status = status
        self.title = title or type.replace("-", " ").capitalize()
        self.detail = detail
        self.extra: dict[str, object] = dict(extra or {})
        super().__init__(type, status, detail)

    def __str__(self) -> str:
        return f"{self.type}: {self.detail}" if self.detail else self.type


class Transient(Exception):
    """Nobody's fault and it passes: the same input may well succeed after `retry_after` seconds.

    An HTTP caller sees 503 with `Retry-After` (whole seconds, rounded up) and not `reason`, which is for
    the log; a lane waits with jitter and holds its offset; it never becomes a dead letter.
    """

    def __init__(self, reason: str = "", *, retry_after: float = 1.0) -> None:
        if not (math.isfinite(retry_after) and retry_after > 0):
            raise ValueError(f"retry_after is a positive number of seconds, not {retry_after!r}")
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(reason)
