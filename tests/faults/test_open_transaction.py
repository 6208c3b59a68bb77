"""What a process that was killed in the middle of a transaction leaves in the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from motor.motor_asyncio import AsyncIOMotorClient

from local.client import Client, Wire, minted
from local.fleet import PARTITIONS, Service, World
from local.issuer import Issuer
from local.journal import Journal
from local.processes import wait_for
from local.stack import running
from local.texts import CIRCLES
from local.witness import Witness, reading
from shared.contracts import Envelope, partition_of
from shared.contracts.groups import ContributionMade

# One loop for the package: a system that sleeps beside it would find all its requests overdue.
pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="package")]
STANDS = 6.0
"""Seconds that the transaction stands; a MongoDB server ends one by itself only after a minute."""
SOON = 30.0


@asynccontextmanager
async def transaction_of_the_dead(mongo: str, group: str, person: str) -> AsyncIterator[None]:
    """A member is changed in a transaction that nobody goes on with, as after kill -9 of an api lane."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongo)
    try:
        async with await client.start_session() as session:
            id_: Any = session.session_id
            dead = {"session": bytes(id_["id"]), "epoch": 9, "lease": datetime.now(UTC)}
            slot = {"$set": dead | {"batch": 0, "next": [], "outbox": []}}
            await client.lianyi_groups.lanes.update_one({"_id": "api:7"}, slot, upsert=True)
            session.start_transaction()
            changed = await client.lianyi_groups.members.update_one(
                {"_id": f"{group}:{person}"}, {"$inc": {"v": 1}}, session=session
            )
            assert changed.matched_count == 1
            yield
    finally:
        client.close()


async def tell(servers: str, event: ContributionMade, journal: Journal) -> None:
    """Sends an event as its owner would."""
    time = datetime.now(UTC)
    envelope = Envelope("e-1", event.TYPE, event.source, time, event.key, 0, journal.correlation(), "a-test")
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.send_and_wait(
            event.TOPIC.name,
            event.model_dump_json().encode(),
            key=event.key.encode(),
            partition=partition_of(event.key, PARTITIONS),
            headers=envelope.headers(),
        )


async def test_an_event_waits_for_the_transaction_of_a_dead_process(tmp_path: Path) -> None:
    """Whatever needs a document that the transaction has changed is late, and neither lost nor dead."""
    journal = Journal()
    witness = Witness(journal, PARTITIONS)
    async with running("embedded") as stack, Issuer() as issuer:
        groups = Service("groups", World(stack, issuer), tmp_path)
        try:
            await groups.migrate()
            await groups.start()
            async with (
                Wire({"groups": groups.url}, minted(issuer.token), journal) as wire,
                reading(stack.kafka, witness),
            ):
                client = Client(wire)
                body = {"name": "A group", "charter": CIRCLES[0].charter, "seats": 5}
                group = await client.open_group("ann", body)
                await client.join("bob", group)
                made = ContributionMade(
                    group_id=group, person_id="bob", note_id="n", source_id="c", kind="advice_taken"
                )
                async with transaction_of_the_dead(stack.mongo, group, "bob"):
                    await tell(stack.kafka, made, journal)
                    await witness.until(lambda: bool(witness.ledger.dead), STANDS)
                    assert not witness.ledger.dead

                async def counted() -> bool:
                    told = await client.read("groups", f"groups/{group}/members/bob", "ann") or {}
                    return bool(told["contributions"]["advice_taken"] == 1)

                await wait_for(counted, SOON, "the contribution counts", groups.child)
        finally:
            await groups.child.kill()
