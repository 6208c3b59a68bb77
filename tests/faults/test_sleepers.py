"""Processes that are stopped for longer than their sessions and leases last, and go on as if nothing had been."""

from local.fleet import PARTITIONS, Service
from local.processes import together, wait_for
from tests.faults.deaths import passed
from tests.faults.round import ON_REAL_PARTS, Rounds
from tests.faults.system import System, told_by

pytestmark = ON_REAL_PARTS
SLEEP = 12.0
"""Seconds: longer than the session of a group's member and the lease of a slot, 10 s each."""
AWAKE = 180.0


async def fenced(services: list[Service]) -> float:
    """How often lanes of these processes have found that they are another's."""
    return sum([value for name, value in await told_by(services) if 'kind="fenced"' in name])


async def lanes(service: Service) -> set[str]:
    """The key lanes that run in this process, by what it says of them."""
    told = await told_by([service])
    named = {
        name.partition('lane="')[2].rstrip('"}') for name, _ in told if name.startswith("lianyi_lane_lag_records{")
    }
    return {name for name in named if not name.startswith("api:")}


def whole(names: set[str]) -> set[str]:
    """All lanes of the keys that these are of: some may be on their way from one process to the other."""
    return {f"{name.partition(':')[0]}:{number}" for name in names for number in range(PARTITIONS)}


async def test_a_process_that_sleeps_is_taken_over_and_changes_nothing_when_it_wakes(
    system: System, rounds: Rounds
) -> None:
    """SIGSTOP past session and lease: another process takes the lanes; at SIGCONT the old owners are fenced."""
    async with rounds(system) as round_:
        one, two = list(system.services), [system.another(service.name) for service in system.services]
        await together(*(service.start() for service in two))
        for service in two:
            system.doors.open(service)
        for _ in round_.times(1, 10):
            every = [whole(await lanes(a) | await lanes(b)) for a, b in zip(one, two, strict=True)]
            before = [await fenced([service]) for service in one]
            await together(*(service.child.pause() for service in one))
            for service in one:
                system.doors.close(service)
            with round_.recovery():
                await passed(SLEEP)
                await round_.flows()

            async def taken(successors: list[Service] = two, all_: list[set[str]] = every) -> bool:
                return [await lanes(service) for service in successors] == all_

            await wait_for(taken, AWAKE, "every lane is another's")
            for service in one:
                service.child.resume()
            round_.faults += len(one)

            async def noticed(sleepers: list[Service] = one, times: list[float] = before) -> bool:
                return all([await fenced([s]) > past for s, past in zip(sleepers, times, strict=True)])

            await wait_for(noticed, AWAKE, "each that slept has found that lanes are others'")
            for service in one:
                await wait_for(service.ready, AWAKE, f"{service.name} is ready again", service.child)
                system.doors.open(service)
            one, two = two, one
