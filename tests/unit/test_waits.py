"""How soon whoever met a server that is away tries again."""

from typing import NoReturn

import pymongo.errors as driver
import pytest

from shared.errors import Transient
from shared.flow.patience import MOST_PATIENCE, patience
from shared.mongo_faults import reached

AWAY = (driver.AutoReconnect, driver.NetworkTimeout, driver.ServerSelectionTimeoutError, driver.NotPrimaryError)


@pytest.mark.parametrize("kind", AWAY)
async def test_a_database_that_did_not_answer_is_asked_again_at_once(kind: type[driver.PyMongoError]) -> None:
    """The driver has waited for it already: a lane that waited as long again would be the last to see it back."""

    async def asked() -> NoReturn:
        raise kind("away")

    with pytest.raises(Transient) as told:
        await reached(asked())
    assert patience(told.value, 1) == 0.1


@pytest.mark.parametrize(
    "error", [driver.CursorNotFound("", 43), *(driver.OperationFailure("", code) for code in (175, 237))]
)
async def test_a_read_that_a_restart_cuts_short_is_tried_again(error: driver.PyMongoError) -> None:
    """The server that is back knows no cursor of before: that is no bug of ours, and nothing ends by it."""

    async def asked() -> NoReturn:
        raise error

    with pytest.raises(Transient, match="cut short"):
        await reached(asked())


def test_tries_become_rarer_up_to_two_in_a_second() -> None:
    """However often it was in vain: the wait grows, and ends growing; who asks for more gets more."""
    passing = Transient(retry_after=0.05)
    waits = [patience(passing, tries) for tries in range(1, 2_000)]
    assert waits[0] < waits[1] < waits[-1] == max(waits) == MOST_PATIENCE
    assert patience(Transient(retry_after=2.0), 1) == 2.0


def test_a_try_that_waited_itself_is_followed_by_the_next_one() -> None:
    """Where the client has looked for its server for seconds, nobody sleeps when the server comes back."""
    away = Transient(retry_after=0.1)
    assert patience(away, 9) == MOST_PATIENCE
    assert patience(away, 9, took=3.0) == away.retry_after
    assert patience(away, 9, took=0.2) == pytest.approx(MOST_PATIENCE - 0.2)
