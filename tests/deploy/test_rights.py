"""The rights of the manifests, put on a real broker: each service can do its work under them, and nothing else."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from local.kafka import Kafka, missing
from local.places import free_port
from shared.admin import make_topics
from shared.brokers import Brokers
from shared.bus import Bus, group_of
from shared.contracts import TOPICS, dead_topic, topics_read_by
from tests.deploy.built import K8S, SERVICES

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(missing() is not None, reason=f"no Apache Kafka: {missing()}"),
    pytest.mark.asyncio(loop_scope="module"),
]
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)
PASSWORD = "of-a-test"
# Who comes by the first listener is nobody and may do all; who comes by the other says who they are.
SECURED = """listeners=CLIENT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}},USERS://127.0.0.1:{users}
advertised.listeners=CLIENT://127.0.0.1:{{port}},USERS://127.0.0.1:{users}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.users.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


def secure(address: str) -> None:
    """Make the principals of users.yaml, with their rights."""
    admin = AdminClient({"bootstrap.servers": address})
    users = list(yaml.safe_load_all((K8S / "base/kafka/users.yaml").read_text("utf-8")))
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    names = [user["metadata"]["name"] for user in users]
    made: list[UserScramCredentialAlteration] = []
    made += [UserScramCredentialUpsertion(name, scram, PASSWORD.encode()) for name in names]
    for done in admin.alter_user_scram_credentials(made).values():
        done.result(10)
    rules = [binding for user in users for binding in bindings(user)]
    for done in admin.create_acls(rules).values():
        done.result(10)


def bindings(user: dict[str, Any]) -> list[AclBinding]:
    """Rules of Strimzi as the broker's own: one for each operation."""
    return [
        AclBinding(
            ResourceType[rule["resource"]["type"].upper()],
            rule["resource"]["name"],
            ResourcePatternType[rule["resource"]["patternType"].upper()],
            f"User:{user['metadata']['name']}",
            rule["host"],
            AclOperation[operation.upper()],
            AclPermissionType.ALLOW,
        )
        for rule in user["spec"]["authorization"]["acls"]
        for operation in rule["operations"]
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A broker with topics, principals and rights; where the principals come in."""
    directory: Path = tmp_path_factory.mktemp("secured")
    users = free_port()
    kafka = Kafka(directory, more=SECURED.format(users=users))
    await kafka.start()
    try:
        await make_topics(Brokers(kafka.address), partitions=1)
        await asyncio.to_thread(secure, kafka.address)
        yield f"127.0.0.1:{users}"
    finally:
        await kafka.kill()


def principal(address: str, service: str) -> Brokers:
    """A service's own way in."""
    return Brokers(address, f"lianyi-{service}", PASSWORD)


async def written(brokers: Brokers, topic: str) -> bool:
    """Whether a record was taken, by a producer as the bus makes it."""
    producer = AIOKafkaProducer(**brokers.client, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"{}", key=b"k")
    except TopicAuthorizationFailedError:
        return False
    finally:
        await producer.stop()
    return True


async def read(brokers: Brokers, topic: str, group: str | None) -> bool:
    """Whether a topic could be read, in a group or in none."""
    consumer = AIOKafkaConsumer(topic, **brokers.client, group_id=group, auto_offset_reset="earliest")
    try:
        async with asyncio.timeout(20):
            await consumer.start()
            await consumer.getmany(timeout_ms=200)
            if group is not None:
                await consumer.commit()
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError):
        return False
    finally:
        await consumer.stop()
    return True


@EACH_SERVICE
async def test_a_service_finds_its_topics(address: str, service: str) -> None:
    """The bus of a service sees all topics that it needs, and may ask the broker whether it is there."""
    needed = {t.name for t in (*topics_read_by(service), dead_topic(service))}
    needed |= {t.name for t in TOPICS.values() if t.owner == service}
    bus = Bus(principal(address, service), service)
    try:
        assert await asyncio.wait_for(bus.connect(needed), 20) == dict.fromkeys(needed, 1)
        assert await bus.reachable()
    finally:
        await bus.stop()


@EACH_SERVICE
async def test_a_service_writes_what_it_owns(address: str, service: str) -> None:
    """Its own topics take its records, every other refuses them."""
    brokers = principal(address, service)
    taken = {name: await written(brokers, name) for name in TOPICS}
    assert taken == {name: topic.owner == service for name, topic in TOPICS.items()}


@EACH_SERVICE
async def test_a_service_reads_what_it_is_a_reader_of(address: str, service: str) -> None:
    """In the group of the key it reads its topics, without a group its dead letters; nothing else, nor elsewhere."""
    brokers = principal(address, service)
    for topic in topics_read_by(service):
        assert await read(brokers, topic.name, group_of(service, topic.key)), topic.name
    assert await read(brokers, dead_topic(service).name, None)
    stranger = next(name for name in SERVICES if name != service)
    first = topics_read_by(service)[0]
    assert not await read(brokers, first.name, group_of(stranger, first.key))
    for topic in TOPICS.values():
        if topic not in topics_read_by(service) and topic != dead_topic(service):
            assert not await read(brokers, topic.name, None), topic.name


async def test_a_wrong_password_is_refused(address: str) -> None:
    """Nobody gets in by a name alone."""
    producer = AIOKafkaProducer(**Brokers(address, "lianyi-notes", uuid.uuid4().hex).client)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()
