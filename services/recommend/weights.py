"""What ties weigh, from a file that an operator changes while everything runs (a ConfigMap, say)."""

from pathlib import Path

import msgspec
import structlog

from services.recommend.core import Weights

log = structlog.get_logger()
_MOST = 10_000
"""Bytes of the file."""


class _File(Weights, frozen=True, forbid_unknown_fields=True):
    """The weights as a file has them: what it leaves out is as it was in the release."""


class LiveWeights:
    """The weights of the file, as it was when last looked at; those of the release where there is no name of one.

    A file that cannot be used changes nothing: the weights before hold, and a line says why, once for each change.
    Raises ValueError when it cannot be used at first.
    """

    def __init__(self, name: str) -> None:
        self._path = Path(name) if name else None
        self._seen = _stamp(self._path) if self._path else None
        self._weights = weights_of(name)

    def now(self) -> Weights:
        """The weights, read anew if the file is another one."""
        if self._path is not None and (seen := _stamp(self._path)) != self._seen:
            self._seen = seen
            try:
                self._weights = weights_of(str(self._path))
                log.info("weights_changed", **msgspec.structs.asdict(self._weights))
            except ValueError as error:
                log.warning("weights_refused", why=str(error))
        return self._weights


def weights_of(name: str) -> Weights:
    """The weights of a file, or of the release without a name. Raises ValueError with what is wrong with the file."""
    if not name:
        return Weights()
    try:
        with Path(name).open("rb") as file:
            raw = file.read(_MOST + 1)
        if len(raw) > _MOST:
            raise ValueError(f"more than {_MOST} bytes")
        return Weights(**msgspec.structs.asdict(msgspec.json.decode(raw, type=_File)))
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
