"""What ties and sources weigh, from a file that an operator changes while everything runs (a ConfigMap, say)."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from services.recommend.core import Source, Weights

log = structlog.get_logger()
_MOST = 10_000
"""Bytes of the file."""


_MOST_BLEND = 1_000.0


class Blend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sources of a list weigh beside each other; a source of weight 0 is not asked.

    Raises ValueError for what is no number from 0 to 1,000.
    """

    search: float = 1.0
    intent: float = 0.4
    place: float = 0.3
    algorithm: float = 0.2

    def __post_init__(self) -> None:
        if not all(0 <= value <= _MOST_BLEND for value in msgspec.structs.astuple(self)):  # false for NaN
            raise ValueError("a source weighs from 0 to 1,000")

    def by_source(self) -> dict[Source, float]:
        """The weights by the name of the source."""
        return {"search": self.search, "intent": self.intent, "place": self.place, "algorithm": self.algorithm}


class _Ties(Weights, frozen=True, forbid_unknown_fields=True):
    """The weights as a file has them: what it leaves out is as it was in the release."""


class Held(NamedTuple):
    """What holds now, for ties and for sources."""

    ties: Weights = Weights()
    blend: Blend = Blend()


class LiveWeights:
    """The weights of the file, as it was when last looked at; those of the release where there is no name of one.

    A file that cannot be used changes nothing: the weights before hold, and a line says why, once for each change.
    Raises ValueError when it cannot be used at first.
    """

    def __init__(self, name: str) -> None:
        self._path = Path(name) if name else None
        self._seen = _stamp(self._path) if self._path else None
        self._weights = weights_of(name)

    def now(self) -> Held:
        """The weights, read anew if the file is another one."""
        if self._path is not None and (seen := _stamp(self._path)) != self._seen:
            self._seen = seen
            try:
                self._weights = weights_of(str(self._path))
                log.info("weights_changed", **msgspec.to_builtins(self._weights._asdict()))
            except ValueError as error:
                log.warning("weights_refused", why=str(error))
        return self._weights


def weights_of(name: str) -> Held:
    """The weights of a file, or of the release without a name. Raises ValueError with what is wrong with the file."""
    if not name:
        return Held()
    try:
        with Path(name).open("rb") as file:
            raw = file.read(_MOST + 1)
        if len(raw) > _MOST:
            raise ValueError(f"more than {_MOST} bytes")
        told = msgspec.json.decode(raw, type=dict[str, Any])
        blend = msgspec.convert(told.pop("blend", {}), Blend)
        return Held(Weights(**msgspec.structs.asdict(msgspec.convert(told, _Ties))), blend)
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from None
    except (ValueError, msgspec.MsgspecError) as error:
        raise ValueError(f"{name}: {error}") from None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino
