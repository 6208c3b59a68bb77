"""What the answer to a commit says of the transaction."""

from typing import Any

import pytest
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from shared.errors import Transient
from shared.flow.ports import Conflict, UnknownCommit
from shared.mongo import MongoDatabase

AWAY = AutoReconnect("connection closed")
CONFLICT = OperationFailure("write conflict", 112, {"errorLabels": ["TransientTransactionError"]})
FORGOTTEN = OperationFailure("no such transaction", 251, {"errorLabels": ["TransientTransactionError"]})
REFUSED = OperationFailure("not authorized", 13)


class Answering:
    """A session of the driver whose commits are answered so, one after the other; at last all is well."""

    def __init__(self, *answers: PyMongoError) -> None:
        self._answers = list(answers)

    async def commit_transaction(self) -> None:
        if self._answers:
            raise self._answers.pop(0)


@pytest.mark.parametrize(
    ("answers", "meaning"),
    [
        ([CONFLICT], Conflict),
        ([REFUSED], Transient),
        ([FORGOTTEN], UnknownCommit),
        ([AWAY, FORGOTTEN], UnknownCommit),
        ([AWAY, CONFLICT], UnknownCommit),
        ([AWAY, AWAY, AWAY], UnknownCommit),
        ([AWAY, AWAY], None),
    ],
    ids=["conflict", "refused", "forgotten", "forgotten-later", "asked-again", "no-answer", "done-at-last"],
)
async def test_only_a_first_and_certain_no_is_a_no(
    answers: list[PyMongoError], meaning: type[Exception] | None
) -> None:
    """A commit is called undone only by an answer that no earlier try, the driver's own included, can have outrun."""
    database = MongoDatabase("mongodb://127.0.0.1:9/?directConnection=true", "nowhere")
    session: Any = Answering(*answers)
    if meaning is None:
        await database._finish(session)
    else:
        with pytest.raises(meaning):
            await database._finish(session)
    await database.close()
