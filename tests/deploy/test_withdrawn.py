"""A right that is taken away while a service runs: it lives, it is ready, and its lanes say that they lag."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from local.database import Database
from local.fleet import Service, World
from local.issuer import Issuer
from local.kafka import missing
from local.processes import wait_for
from local.stack import Stack
from shared.admin import make_topics
from shared.brokers import Brokers
from shared.contracts.topics import NOTE_VERDICT
from tests.deploy.secured import PASSWORD, Secured, secure

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.stack,
    pytest.mark.skipif(missing() is not None, reason=f"no Apache Kafka: {missing()}"),
]
SOON = 60.0


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[Service, str]]:
    """notes, ready, under its principal's rights; and where one may do all at the broker."""
    kafka, database = Secured(directory / "broker"), Database(directory / "database")
    more = {
        "LIANYI_KAFKA": kafka.users,
        "LIANYI_KAFKA_USER": "lianyi-notes",
        "LIANYI_KAFKA_PASSWORD": PASSWORD,
    }
    async with Issuer() as issuer:
        stack = Stack("local", "a test's", directory, kafka, database)
        notes = Service("notes", World(stack, issuer, more=more), directory)
        try:
            await kafka.start()
            await database.start()
            await make_topics(Brokers(kafka.address), partitions=1)
            await asyncio.to_thread(secure, kafka.address)
            await notes.migrate()
            await notes.start()
            yield notes, kafka.address
        finally:
            for part in (notes.child, kafka, database):
                await part.kill()


def withdraw(address: str, user: str, topic: str) -> int:
    """Take all rights on a topic away; returns how many there were."""
    rights = AclBindingFilter(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.ANY,
        f"User:{user}",
        None,  # type: ignore[arg-type]  # from any host: its annotation forgets it
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    admin = AdminClient({"bootstrap.servers": address})  # without a name it would end before its answer
    (gone,) = admin.delete_acls([rights]).values()
    return len(gone.result(10))


async def lags(service: Service, least: float) -> bool:
    """Whether its lane of notes lags by so many seconds, while it is ready."""
    async with httpx.AsyncClient(timeout=10.0) as http:
        told = (await http.get(service.metrics)).text
    (lag,) = re.findall(r'^lianyi_lane_lag_seconds\{lane="note:0"\} (\S+)$', told, re.M)
    return float(lag) >= least and "\nlianyi_service_ready 1.0\n" in told


async def test_a_right_to_read_that_is_withdrawn_is_seen_as_lag(tmp_path: Path) -> None:
    """The broker no longer tells how far the topic reaches: the lane counts from then on."""
    async with serving(tmp_path) as (notes, address):
        assert await lags(notes, 0.0)
        assert not await lags(notes, 0.1)
        assert await asyncio.to_thread(withdraw, address, "lianyi-notes", NOTE_VERDICT.name)
        await wait_for(partial(lags, notes, 10.0), SOON, "the lane lags", notes.child)
