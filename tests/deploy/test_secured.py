"""The main job, with a broker and a database that ask who comes, under the rights of the manifests and no others."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from local.client import Client, Wire, minted
from local.database import Database
from local.fleet import PARTITIONS, World, as_process, fleet
from local.issuer import Issuer
from local.journal import Journal
from local.kafka import missing
from local.processes import together
from local.scenario import NEED_STEPS, Scenario
from local.stack import Stack
from local.witness import Witness, reading
from shared.admin import make_topics
from shared.brokers import Brokers
from tests.deploy.secured import Secured, environment, guard, secure

pytestmark = [
    pytest.mark.stack,
    pytest.mark.kafka,
    pytest.mark.skipif(missing() is not None, reason=f"no Apache Kafka: {missing()}"),
]


async def test_the_main_job_runs_under_the_rights_of_the_manifests(tmp_path: Path) -> None:
    """Four services, each by its own principal and its own database user: every effect comes, once, and is checked."""
    broker, database = Secured(tmp_path / "kafka"), Database(tmp_path / "database")

    def under_its_own_name(service: str, variables: Iterable[str]) -> list[str]:
        return ["env", *environment(broker, database, service), *as_process(service, variables)]

    journal = Journal()
    witness = Witness(journal, PARTITIONS)
    try:
        await together(broker.start(), database.start())
        await make_topics(Brokers(broker.address), partitions=PARTITIONS)
        secure(broker.address)
        await guard(database)
        stack = Stack("local", "a test's", tmp_path, broker, database)
        async with Issuer() as issuer:
            world = World(stack, issuer, NEED_STEPS, launch=under_its_own_name)
            async with (
                reading(broker.address, witness),
                fleet(world, print) as ships,
                Wire(ships.urls, minted(issuer.token), journal) as wire,
            ):
                story = await Scenario(Client(wire), witness).play()
                verdict = await witness.settle(20.0)
        assert [check for check in story.checks if not check.holds] == []
        assert verdict.clean, verdict
    finally:
        await together(broker.kill(), database.kill())
