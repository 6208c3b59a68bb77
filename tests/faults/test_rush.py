"""A thousand people at one door of ten seats, through two processes that die meanwhile."""

import asyncio
from typing import Any

import httpx

from local.client import Client, Wire, minted
from local.fleet import Service
from local.processes import together, wait_for
from tests.faults.deaths import killed
from tests.faults.round import ON_REAL_PARTS, Round, Rounds
from tests.faults.system import PATIENCE, System

pytestmark = ON_REAL_PARTS
CROWD, FEW = 1_000, 400
SEATS = 10
LEAVERS = 5
SOON = 300
"""Accepted commands and records, at most, until both processes die together; then each dies once more by itself."""
CHARTER = dict.fromkeys(("purpose", "audience", "rules", "rewards", "service", "exit"), "x")
OWNER = "owner-of-the-rush"


async def counts(client: Client, group: str) -> tuple[int, int]:
    """Members and people waiting."""
    told = await client.read("groups", f"groups/{group}", OWNER) or {}
    return told["members"], told["waiting"]


async def row(client: Client, group: str) -> list[str]:
    """The whole waiting list, page by page."""
    found: list[str] = []
    params = {"limit": "100"}
    while True:
        told = await client.read("groups", f"groups/{group}/waiting", OWNER, params=params) or {}
        found += [item["person_id"] for item in told["items"]]
        if told["next"] is None:
            return found
        params["cursor"] = told["next"]


async def rushed(client: Client, group: str, people: list[str]) -> list[dict[str, Any]]:
    """All of them at once; each is told a seat or a place in the row."""
    told = await asyncio.gather(*(client.join(person, group) for person in people))
    assert [len([t for t in told if name in t]) for name in ("tier", "position")] == [SEATS, len(people) - SEATS]
    assert await counts(client, group) == (SEATS, len(people) - SEATS)
    waiting = sorted((t["position"], t["person_id"]) for t in told if "position" in t)
    assert waiting == list(enumerate(await row(client, group), start=1))
    return told


async def freed(client: Client, group: str, inside: list[str]) -> None:
    """Some leave; the seats go to the head of the row."""
    waiting = await row(client, group)
    await asyncio.gather(*(client.leave(person, group) for person in inside[:LEAVERS]))

    async def taken() -> bool:
        return await counts(client, group) == (SEATS, len(waiting) - LEAVERS)

    await wait_for(taken, 120.0, "the freed seats are taken")
    about = (*inside, *waiting[: LEAVERS + 1])
    there = [await client.read("groups", f"groups/{group}/members/{person}", OWNER) is not None for person in about]
    assert there == [False] * LEAVERS + [True] * SEATS + [False]
    assert await row(client, group) == waiting[LEAVERS:]


async def both_killed(round_: Round, second: Service) -> None:
    """Returns when no process of groups is left."""
    processes = (round_.system["groups"], second)
    await round_.sometime(SOON)
    await together(*(service.child.kill() for service in processes))
    round_.faults += len(processes)


async def test_a_thousand_joins_for_ten_seats_while_processes_die_end_with_ten_members(
    system: System, rounds: Rounds
) -> None:
    """Ten get in, all others wait in one row in which each has the place they were told; freed seats go to its head."""
    async with rounds(system) as round_:
        crowd = CROWD if round_.scale else FEW
        second = system.another("groups")
        await second.start()
        system.doors.open(second)
        transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=crowd))
        token = minted(system.world.issuer.token)
        async with Wire(system.doors, token, system.journal, PATIENCE, transport) as wire:
            client = Client(wire)
            for n in round_.times(1, 10):
                body = {"name": f"G{n}", "charter": CHARTER, "seats": SEATS}
                group = await client.open_group(OWNER, body)
                rush = asyncio.create_task(rushed(client, group, [f"rush-{n}-{m:03}" for m in range(crowd)]))
                await both_killed(round_, second)
                assert not rush.done(), "all were told before anybody died"
                with round_.recovery():
                    await together(system["groups"].start(), second.start())
                await together(*(killed(round_, service, crowd) for service in (system["groups"], second)))
                told = await rush
                await freed(client, group, [t["person_id"] for t in told if "tier" in t])
        system.doors.close(second)
