"""What the errors of MongoDB's driver mean to us: the faults of ``shared.flow.ports``."""

from collections.abc import Awaitable
from typing import TypeVar

import pymongo.errors as driver

from shared.errors import Transient
from shared.flow.ports import Conflict

T = TypeVar("T")

DUPLICATE = 11000
"""What the server says of a document that there is already."""
_WRITE_CONFLICT, _NO_SUCH_TRANSACTION = 112, 251
_REFUSALS = {13: "no right", 18: "no such user, or another password", 8000: "refused by Atlas"}
"""Codes of a server that does not let us in. Someone mends the user or the URL; meanwhile nothing is to be given up."""
_CUT = {43: "a server that was restarted knows no cursor", 175: "its plan was killed", 237: "its cursor was killed"}
"""Codes of a read that the server has not ended. Another one begins from the start."""
_PASSING = ("TransientTransactionError", "RetryableWriteError")
_AWAY = (driver.ConnectionFailure, driver.ExecutionTimeout, driver.WaitQueueTimeoutError, driver.ConfigurationError)


async def reached(waiting: Awaitable[T]) -> T:
    """Await the driver; its errors become ours."""
    try:
        return await waiting
    except driver.PyMongoError as error:
        raise translated(error) from error


def translated(error: BaseException) -> BaseException:
    """Driver errors as Conflict or Transient (a configuration was checked: DNS does not answer); others are bugs."""
    if not isinstance(error, driver.PyMongoError):
        return error
    code = getattr(error, "code", None)
    if isinstance(error, driver.BulkWriteError):
        codes = {e.get("code") for e in (error.details or {}).get("writeErrors", [])}
        code = next(iter(codes & {DUPLICATE, _WRITE_CONFLICT}), code)
    if code in (DUPLICATE, _WRITE_CONFLICT, _NO_SUCH_TRANSACTION):
        return Conflict(type(error).__name__)
    if code in _REFUSALS:  # the server's own words may name the user
        return Transient(f"the database refuses LIANYI_MONGO: {_REFUSALS[code]} ({code})")
    if code in _CUT:
        return Transient(f"a read was cut short: {_CUT[code]} ({code})", retry_after=0.1)
    if isinstance(error, _AWAY) or any(map(error.has_error_label, _PASSING)):
        return Transient(type(error).__name__, retry_after=0.1)  # the driver has waited already
    return error


def forgotten(error: driver.PyMongoError) -> bool:
    """Whether a commit was answered that there is no such transaction: it was aborted, or it is done.

    The driver itself tries a commit twice and tells of the second try alone. A server that has committed at the first,
    and died before its reply, knows nothing of it when it is back.
    """
    return getattr(error, "code", None) == _NO_SUCH_TRANSACTION
