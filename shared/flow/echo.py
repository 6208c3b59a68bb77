"""A lane's own decisions on their way back: what it has told itself holds nothing new for it."""

from collections import OrderedDict
from collections.abc import Iterable

from .ports import Incoming, Record
from .router import Router

MOST = 50_000
"""Decisions that are remembered until they come back; of more the oldest are forgotten, and then folded as others'."""


class Echo:
    """The ids of decisions that this owner of a lane has committed and its own topic will bring back to it.

    Each was committed with the document that it is about, by an owner that nobody has fenced since, so the document is
    as new or newer. Whoever takes the lane over begins with nothing: after a rebuild, a restore or a crash every
    decision is folded. So is what another lane has told, and a double of what has come back already.
    """

    def __init__(self, router: Router, partition: int) -> None:
        self._router, self._partition = router, partition
        self._told: OrderedDict[bytes, None] = OrderedDict()  # a dict looks for its first past all that have gone

    def told(self, records: Iterable[Record]) -> None:
        """These are committed, and will be published."""
        for record in records:
            if record.partition == self._partition and self._router.owns(record.envelope.type):
                self._told[record.envelope.id.encode()] = None
        while len(self._told) > MOST:
            self._told.popitem(last=False)

    def heard(self, record: Incoming) -> bool:
        """Whether a record is one of them. It is asked once for each: a double is not known any more."""
        if not self._told:
            return False
        id_ = next((value for name, value in record.headers if name == "ce_id"), b"")
        return self._told.pop(id_, self) is None
