"""The in-memory view of all group profiles: what lanes of this process commit at once, others' within moments."""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.recommend.core import GroupProfile, Profiles
from shared.flow.documents import from_mongo
from shared.flow.ports import Database


class ProfilesView:
    """``shared.flow.ports.View`` of the profiles. A suggestion names its ``model``, because a replay sees another."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._looked: float | None = None
        self._versions: dict[str, int] = {}
        self._looking = asyncio.Lock()
        self.profiles = Profiles()

    async def refresh(self) -> None:
        """Read the profiles that changed elsewhere, if the last look is too old."""
        async with self._looking:
            time = asyncio.get_running_loop().time()
            if self._looked is not None and time - self._looked < self._seconds:
                return
            found = await self._database.find(GroupProfile.COLLECTION, {}, fields=("v",))
            changed = [d["_id"] for d in found if self._versions.get(d["_id"], -1) < d["v"]]
            for stored in await self._database.load(GroupProfile.COLLECTION, changed) if changed else []:
                self._take(from_mongo(GroupProfile, stored))
            self._looked = time

    def committed(self, documents: Mapping[tuple[str, str], Any]) -> None:
        """Take up what a lane of this process has just committed."""
        for document in documents.values():
            if isinstance(document, GroupProfile):
                self._take(document)

    def _take(self, profile: GroupProfile) -> None:
        if self._versions.get(profile.id, -1) < profile.v:
            self._versions[profile.id] = profile.v
            self.profiles.put(profile)
