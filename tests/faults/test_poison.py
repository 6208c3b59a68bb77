"""Records that nobody can take: a few among good ones, and nothing else."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import httpx

from local.processes import together, wait_for
from shared.contracts import Envelope, Topic
from shared.contracts.notes import CommentPosted
from shared.contracts.topics import NOTE, NOTE_VERDICT
from tests.faults.planting import Headers, Planter, planting
from tests.faults.round import ON_REAL_PARTS, Round, Rounds
from tests.faults.system import Place, System, told_by

pytestmark = ON_REAL_PARTS
HUNDREDTH = 100
"""Accepted commands and records for each record that is bad."""
ALL = frozenset({"notes", "groups", "recommend", "moderation"})
TAKE_COMMENTS = ALL - {"groups"}
FLOOD = 400
"""Bad records in a row: a lane is held when half of what it has folded within a minute has died."""
SOON = 180.0


@dataclass(frozen=True, slots=True)
class Poison:
    """A bad record, and which services cannot take it; the others pass it over."""

    name: str
    value: bytes
    headers: Headers
    die: frozenset[str]
    key: str
    topic: Topic = NOTE


def poisons(correlation: str, number: int) -> Iterator[Poison]:
    """Of each sort one; a key is of a note that there is not, so that nobody waits for what it should have told."""
    key = f"poisoned-{number}"
    event = CommentPosted(comment_id=key, note_id=key, author_id="x", note_author_id="y", text="?")
    good = event.model_dump_json().encode()

    def typed(name: str) -> Headers:
        time = datetime.now(UTC)
        return Envelope(uuid4().hex, name, event.source, time, key, 1, correlation, "a-test").headers()

    deep = b'{"text":' * 10_000 + b"1" + b"}" * 10_000
    mine = event.TYPE
    yield Poison("malformed", good[:-1], typed(mine), TAKE_COMMENTS, key)
    yield Poison("oversized", good.replace(b"?", b"?" * 900_000), typed(mine), TAKE_COMMENTS, key)
    yield Poison("deep", deep, typed(mine), TAKE_COMMENTS, key)
    yield Poison("no UTF-8", good.replace(b"?", b"\xff\xfe"), typed(mine), TAKE_COMMENTS, key)
    yield Poison("no headers", good, (), ALL, key)
    yield Poison("of another's key", good, typed(mine), TAKE_COMMENTS, "somebody's")
    yield Poison("of another's topic", good, typed(mine), frozenset({"notes", "moderation"}), key, NOTE_VERDICT)
    yield Poison("unknown type", good, typed("lianyi.notes.comment_hummed.v1"), frozenset(), key)
    yield Poison("unknown version", good, typed("lianyi.notes.comment_posted.v9"), frozenset(), key)


def letters(round_: Round) -> list[tuple[str, Place]]:
    """Which service has written a letter of which record."""
    return sorted((one.TOPIC.owner, (one.topic, one.partition, one.offset)) for one in round_.letters)


async def planted(planter: Planter, poison: Poison) -> list[tuple[str, Place]]:
    """The letters that must come of it."""
    place = await planter.plant(poison.topic, poison.key, poison.value, poison.headers)
    return [(service, place) for service in poison.die]


async def test_one_bad_record_in_a_hundred_dies_alone(system: System, rounds: Rounds) -> None:
    """Each bad record becomes one letter in each service that wants its type, and no good one does."""
    must: list[tuple[str, Place]] = []
    async with rounds(system) as round_, planting(round_) as planter:
        for number in round_.times(1, 40):
            for poison in poisons(system.journal.correlation(), number):
                await round_.loaded(HUNDREDTH if round_.scale else HUNDREDTH // 4)
                must += await planted(planter, poison)
                round_.faults += 1
    assert letters(round_) == sorted(must)


async def alarmed(system: System, lane: str) -> bool:
    """Whether every service says by its metric that this lane is held."""
    told = [await told_by([service]) for service in system.services]
    mark = f'lane="{lane}"'
    return all(any(n.startswith("lianyi_lane_held{") and mark in n and v for n, v in some) for some in told)


async def test_a_lane_of_nothing_but_bad_records_is_held_until_it_is_released(system: System, rounds: Rounds) -> None:
    """The lane stops and says so in every service, alone and alive; released, it comes to the good ones again."""
    must: list[tuple[str, Place]] = []
    async with rounds(system) as round_, planting(round_) as planter:
        for number in round_.times(1, 5):
            poison = next(p for p in poisons(system.journal.correlation(), number) if p.die == ALL)
            lane = ""
            while not lane or not await alarmed(system, lane):
                for letters_of_one in await asyncio.gather(*(planted(planter, poison) for _ in range(FLOOD))):
                    must += letters_of_one
                _, partition, _ = must[-1][1]
                lane = f"{NOTE.key}:{partition}"
                await round_.loaded(2 * FLOOD)  # the letters are records too
                round_.faults += FLOOD
            await round_.loaded(HUNDREDTH)  # the others go on
            async with httpx.AsyncClient() as http:
                assert {(await http.get(f"{s.url}/livez")).status_code for s in system.services} == {200}
            with round_.recovery():
                await together(*(released(system, service.name, must[-1][1]) for service in system.services))
                await round_.flows()
    assert letters(round_) == sorted(must)


async def released(system: System, name: str, last: Place) -> None:
    """As often as the lane stops again, until it is past the last of what is bad; no other one has stopped."""
    topic, partition, offset = last
    lane = f"{NOTE.key}:{partition}"

    async def past() -> bool:
        told = {line["lane"]: line for line in map(json.loads, (await system.operate(name, "lanes")).splitlines())}
        assert {other for other, line in told.items() if line["held"]} <= {lane}
        if told[lane]["held"]:
            await system.operate(name, "release", lane)
        return bool(told[lane]["next"][topic] > offset)

    await wait_for(past, SOON, f"{lane} of {name} goes on")
