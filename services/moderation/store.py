"""All that moderation keeps in MongoDB, and the reads that are not by key."""

from datetime import datetime, timedelta

from services.moderation.core import (
    Bar,
    Content,
    Counter,
    Draft,
    ModelState,
    Policy,
    Report,
    Reporter,
    RuleChange,
    Shadow,
    ToldModel,
    Trial,
    counter_of,
)
from shared.flow.documents import FOLLOW_KEYS, D, from_mongo
from shared.flow.ports import Database, Json
from shared.migrations import LONG_AGO, Index

COLLECTIONS = (
    Content.COLLECTION,
    Report.COLLECTION,
    Reporter.COLLECTION,
    Counter.COLLECTION,
    ModelState.COLLECTION,
    Bar.COLLECTION,
    Policy.COLLECTION,
    Draft.COLLECTION,
    RuleChange.COLLECTION,
    Shadow.COLLECTION,
    ToldModel.COLLECTION,
    Trial.COLLECTION,
)
INDEXES = (
    Index(Content.COLLECTION, (("review_since", 1), ("_id", 1)), timed=True),
    Index(Reporter.COLLECTION, (("at", 1),), expire=timedelta(days=1)),
    Index(Counter.COLLECTION, (("last", 1),), expire=timedelta(days=90)),
    Index(Policy.COLLECTION, FOLLOW_KEYS),
    Index(Shadow.COLLECTION, FOLLOW_KEYS),
    Index(Trial.COLLECTION, (("last", 1),), expire=timedelta(days=90)),
    Index(Draft.COLLECTION, (("at", 1),), expire=timedelta(days=30)),
    Index(Draft.COLLECTION, (("at", -1), ("_id", -1))),
    Index(RuleChange.COLLECTION, (("at", -1), ("_id", -1))),
)
"""Content and reports stay as long as what they are about. When a person has reported is needed for an hour; what
was counted decides for seven days, and who has not written for 90 is new again. A draft waits 30 days, and
a trial is told of for 90 days after its last label."""


class Store:
    """Reads for the API."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def content(self, content_id: str) -> Content | None:
        """A note, comment or message with its verdict; None also for what its author has deleted."""
        stored = await self._database.load(Content.COLLECTION, [content_id])
        content = from_mongo(Content, stored[0]) if stored else None
        return content if content is not None and not content.deleted else None

    async def under_review(self, after: tuple[datetime, str] | None, limit: int) -> list[Content]:
        """What waits for staff, the longest wait first, after a place in that order."""
        since, id_ = after or (LONG_AGO, "")
        later: list[Json] = [{"review_since": {"$gt": since}}, {"review_since": since, "_id": {"$gt": id_}}]
        where: Json = {"review_since": {"$gte": since}, "$or": later}
        order = [("review_since", 1), ("_id", 1)]
        found = await self._database.find(Content.COLLECTION, where, sort=order, limit=limit)
        return [from_mongo(Content, stored) for stored in found]

    async def trial(self, trial_id: str) -> Trial | None:
        """What staff have said of a draft, or model, that is or was on trial."""
        stored = await self._database.load(Trial.COLLECTION, [counter_of(trial_id)])
        return from_mongo(Trial, stored[0]) if stored else None

    async def drafts(self, after: tuple[datetime, str] | None, limit: int) -> list[Draft]:
        """Proposed sets of rules, the last first, after a place in that order."""
        return await self._latest(Draft, after, limit)

    async def changes(self, after: tuple[datetime, str] | None, limit: int) -> list[RuleChange]:
        """Changes of the rules, the last first, after a place in that order."""
        return await self._latest(RuleChange, after, limit)

    async def _latest(self, kind: type[D], after: tuple[datetime, str] | None, limit: int) -> list[D]:
        where: Json = {}
        if after is not None:
            at, id_ = after
            where = {"at": {"$lte": at}, "$or": [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": id_}}]}
        found = await self._database.find(kind.COLLECTION, where, sort=[("at", -1), ("_id", -1)], limit=limit)
        return [from_mongo(kind, stored) for stored in found]
