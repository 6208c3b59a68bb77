"""A thousand people at one door of ten seats, through two processes: on Apache Kafka and an on-disk database."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from local.fleet import Service, World, topics
from local.issuer import Issuer
from local.processes import together, wait_for
from local.stack import running
from tests.faults.round import ON_REAL_PARTS

pytestmark = ON_REAL_PARTS
PEOPLE = [f"p{n:03}" for n in range(1_000)]
SEATS = 10
LEAVERS = 5
CHARTER = dict.fromkeys(("purpose", "audience", "rules", "rewards", "service", "exit"), "x")


class Door:
    """One group, asked through several processes in turn."""

    def __init__(self, http: httpx.AsyncClient, urls: list[str], issuer: Issuer) -> None:
        self._http, self._urls, self._issuer = http, urls, issuer
        self.path = "/v1/groups"
        self.retries = 0

    async def ask(self, method: str, path: str, person: str, place: int = 0, **body: Any) -> httpx.Response:
        """A request, again under the same key for as long as the answer is 503 or its connection breaks.

        A thousand connections at once are more than a listener takes in; the key makes asking again safe.
        """
        headers = {"Authorization": f"Bearer {self._issuer.token(person)}", "Idempotency-Key": f"{method}-{person}"}
        while True:
            url = self._urls[place % len(self._urls)] + self.path + path
            try:
                reply = await self._http.request(method, url, headers=headers, **body)
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                self.retries += 1
                continue
            if reply.status_code != 503:
                return reply
            self.retries += 1
            await asyncio.sleep(float(reply.headers["Retry-After"]))

    async def row(self) -> list[str]:
        """The whole waiting list, page by page."""
        found: list[str] = []
        cursor = ""
        while True:
            told = (await self.ask("GET", f"/waiting?limit=100{cursor}", "owner")).json()
            found += [item["person_id"] for item in told["items"]]
            if told["next"] is None:
                return found
            cursor = f"&cursor={told['next']}"

    async def counts(self) -> tuple[int, int]:
        """Members and people waiting."""
        told = (await self.ask("GET", "", "owner")).json()
        return told["members"], told["waiting"]


async def test_a_thousand_joins_for_ten_seats_over_two_processes_end_with_ten_members(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Ten get in, all others wait in one row in which each has the place they were told; freed seats go to its head."""
    async with running("local") as stack, Issuer() as issuer:
        world = World(stack, issuer)
        services = [Service("groups", world, tmp_path / name) for name in ("one", "two")]
        for number, service in enumerate(services):
            service.child.env["LIANYI_INSTANCE"] = f"groups-{number}"
        await topics(stack)
        await services[0].migrate()
        try:
            await together(*(service.start() for service in services))
            limits = httpx.Limits(max_connections=len(PEOPLE))
            async with httpx.AsyncClient(timeout=60.0, limits=limits) as http:
                door = Door(http, [service.url for service in services], issuer)
                body = {"name": "G", "charter": CHARTER, "seats": SEATS}
                door.path += "/" + (await door.ask("POST", "", "owner", json=body)).json()["group_id"]
                clock = asyncio.get_running_loop().time
                began = clock()
                replies = await asyncio.gather(*(door.ask("POST", "/members", p, n) for n, p in enumerate(PEOPLE)))
                seconds = clock() - began
                told = [reply.json() for reply in replies]
                assert Counter(reply.status_code for reply in replies) == {201: SEATS, 202: len(PEOPLE) - SEATS}
                assert await door.counts() == (SEATS, len(PEOPLE) - SEATS)
                row = await door.row()
                waiting = sorted((t["position"], t["person_id"]) for t in told if "position" in t)
                assert waiting == list(enumerate(row, start=1))
                inside = [t["person_id"] for t in told if "tier" in t]
                leaving = [door.ask("DELETE", "/members/me", p, n) for n, p in enumerate(inside[:LEAVERS])]
                assert {reply.status_code for reply in await asyncio.gather(*leaving)} == {204}
                now = (SEATS, len(PEOPLE) - SEATS - LEAVERS)
                await wait_for(lambda: _is(door, now), 30.0, "the freed seats are taken")
                members = [await door.ask("GET", f"/members/{p}", "owner") for p in (*inside, *row[: LEAVERS + 1])]
                there = [reply.status_code == 200 for reply in members]
                assert there == [False] * LEAVERS + [True] * SEATS + [False]
                assert await door.row() == row[LEAVERS:]
        finally:
            await together(*(service.child.stop(5.0) for service in services))
    line = f"{len(PEOPLE)} joins through 2 processes in {seconds:.1f} s, {door.retries} asked again"
    record_property("figures", line)
    print(line)


async def _is(door: Door, counts: tuple[int, int]) -> bool:
    return await door.counts() == counts
