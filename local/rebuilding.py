"""Every service's projections taken away and folded again, at the end of a feed, with the time that it took."""

import asyncio
from collections.abc import AsyncIterator

from local.processes import CannotStartError, Child
from local.report import Row
from local.session import Session

LONGEST = 1_800.0
TRY_AGAIN = 75


async def rebuilt(session: Session) -> AsyncIterator[Row]:
    """A row for each service of ours: the seconds until all its lanes were where they had been, or why it refused."""
    clock = asyncio.get_running_loop().time
    for child in session.children:
        if child.name not in session.live.urls:  # the broker, the database
            continue
        log = child.log.with_suffix(".rebuild.log")
        rebuild = Child(f"{child.name} rebuild", [*child.argv[:-1], "ops", "rebuild", "--wait"], child.env, log)
        start = clock()
        try:
            await _insist(rebuild)
            yield Row(f"rebuild of {child.name}", f"{clock() - start:.1f} s")
        except CannotStartError:
            said = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
            yield Row(f"rebuild of {child.name}", f"not done, status {rebuild.status}: {' '.join(said[-1:])[:200]}")


async def _insist(rebuild: Child, tries: int = 5) -> None:
    """The command, run again as it asks for. Raises CannotStartError when it fails otherwise or too often."""
    try:
        await rebuild.finish(LONGEST)
    except CannotStartError:
        if rebuild.status != TRY_AGAIN or tries == 1:
            raise
        await _insist(rebuild, tries - 1)
