"""The rights of the manifests, put on a real broker: each service can do its work under them, and nothing else."""

import asyncio
import sqlite3
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from local.kafka import missing
from local.processes import ROOT, Child, until, wait_for
from shared.admin import DeadLetters, make_topics
from shared.brokers import Brokers
from shared.bus import Bus, group_of
from shared.contracts import TOPICS, dead_topic, topics_followed_by, topics_read_by
from shared.contracts.topics import NOTE
from shared.flow.ports import Letter
from tests.deploy.built import SERVICES
from tests.deploy.secured import PASSWORD, Secured, principal, secure

pytestmark = [
    pytest.mark.stack,
    pytest.mark.kafka,
    pytest.mark.skipif(missing() is not None, reason=f"no Apache Kafka: {missing()}"),
    pytest.mark.asyncio(loop_scope="module"),
]
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)
GROUPS = {group_of(service, topic.key): service for service in SERVICES for topic in topics_read_by(service)}
"""Every consumer group that there is, and whose it is."""
REFUSED = {"GROUP_AUTHORIZATION_FAILED", "TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A broker with topics, principals and rights; where the principals come in."""
    kafka = Secured(tmp_path_factory.mktemp("secured"))
    await kafka.start()
    try:
        await make_topics(Brokers(kafka.address), partitions=1)
        await asyncio.to_thread(secure, kafka.address)
        # The controller knows them; the broker may take a moment more, which this client waits out.
        await asyncio.to_thread(administrator(kafka.users, SERVICES[0]).list_topics, timeout=60)
        yield kafka.users
    finally:
        await kafka.kill()


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
        async with asyncio.timeout(60):
            await consumer.start()
            await consumer.getmany(timeout_ms=200)
            if group is not None:
                await consumer.commit()
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError):
        return False
    finally:
        await consumer.stop()
    return True


def administrator(address: str, service: str) -> AdminClient:
    """The tools of an administrator in the hands of a service."""
    told = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": f"lianyi-{service}", "sasl.password": PASSWORD}
    return AdminClient({"bootstrap.servers": address, "security.protocol": "SASL_PLAINTEXT", **told})


def allowed(attempts: Mapping[str, Callable[[], Mapping[Any, Future[Any]]]]) -> dict[str, bool]:
    """Which of the attempts are not refused; every other error than a refusal is raised."""
    return {name: _allowed(attempt) for name, attempt in attempts.items()}


def _allowed(attempt: Callable[[], Mapping[Any, Future[Any]]]) -> bool:
    try:
        for done in attempt().values():
            done.result(60)
    except KafkaException as error:
        if error.args[0].name() not in REFUSED:
            raise
        return False
    return True


def _positions(admin: AdminClient, group: str, topic: str) -> dict[str, Callable[[], Mapping[Any, Future[Any]]]]:
    asked = ConsumerGroupTopicPartitions(group)
    moved = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
    return {
        "look": lambda: admin.list_consumer_group_offsets([asked]),
        "move": lambda: admin.alter_consumer_group_offsets([moved]),
        "delete": lambda: admin.delete_consumer_groups([group]),
    }


def _administration(admin: AdminClient, topic: str) -> dict[str, Callable[[], Mapping[Any, Future[Any]]]]:
    longer = ConfigEntry("retention.ms", "-1", incremental_operation=AlterConfigOpType.SET)
    forever = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[longer])
    everybody = AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:*",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    return {
        "make": lambda: admin.create_topics([NewTopic(f"{topic}x", 1, 1)]),
        "delete": lambda: admin.delete_topics([topic]),
        "widen": lambda: admin.create_partitions([NewPartitions(topic, 2)]),
        "configure": lambda: admin.incremental_alter_configs([forever]),
        "cut": lambda: admin.delete_records([TopicPartition(topic, 0, 0)]),
        "permit": lambda: admin.create_acls([everybody]),
    }


def sample(address: str, place: Path, group: str) -> Child:
    """samples/consumer.py as its own user, in a group."""
    argv = [sys.executable, str(ROOT / "samples/consumer.py"), "--kafka", address, "--user", "helpdesk"]
    argv += ["--database", str(place / f"{group}.db"), "--group", group]
    told = {"PYTHONPATH": str(place), "KAFKA_PASSWORD": PASSWORD}
    return Child(f"the sample in {group}", argv, told, place / f"{group}.log")


def put_aside_in(file: Path) -> int:
    """How many records the sample could not read; what `written` writes is no event."""
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file, timeout=30)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'refused'").fetchone():
            return 0
        return int(db.execute("SELECT count(*) FROM refused").fetchone()[0])


@EACH_SERVICE
async def test_a_service_finds_its_topics(address: str, service: str) -> None:
    """The bus of a service sees all topics that it needs, and may ask the broker whether it is there."""
    needed = {t.name for t in (*topics_read_by(service), dead_topic(service))}
    needed |= {t.name for t in TOPICS.values() if t.owner == service}
    bus = Bus(principal(address, service), service)
    try:
        assert await asyncio.wait_for(bus.connect(needed), 60) == dict.fromkeys(needed, 1)
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
    """In the group of the key it reads its topics, without a group what it follows and its dead letters; no more."""
    brokers = principal(address, service)
    for topic in topics_read_by(service):
        assert await read(brokers, topic.name, group_of(service, topic.key)), topic.name
    alone = (*topics_followed_by(service), dead_topic(service))
    for topic in alone:
        assert await read(brokers, topic.name, None), topic.name
    for topic in TOPICS.values():
        if topic not in topics_read_by(service) and topic not in alone:
            assert not await read(brokers, topic.name, None), topic.name


@EACH_SERVICE
async def test_a_service_is_in_no_group_of_another(address: str, service: str) -> None:
    """The groups of the others it can neither join nor look at, move or delete; its own it can join and look at."""
    brokers, admin = principal(address, service), administrator(address, service)
    topic = topics_read_by(service)[0].name
    for group, owner in GROUPS.items():
        mine = owner == service
        assert await read(brokers, topic, group) == mine, group
        assert await asyncio.to_thread(allowed, _positions(admin, group, topic)) == {
            "look": mine,
            "move": mine,
            "delete": False,
        }, group


@EACH_SERVICE
async def test_a_service_administers_nothing(address: str, service: str) -> None:
    """It makes, changes, cuts and deletes no topic, not even its own, and gives nobody rights. Its dead topic alone it
    may cut, and so, as Kafka has it, delete: an erasure takes letters away."""
    admin = administrator(address, service)
    own = next(t.name for t in TOPICS.values() if t.owner == service)
    done = await asyncio.to_thread(allowed, _administration(admin, own))
    assert done == dict.fromkeys(done, False)
    dead = dead_topic(service).name
    may = await asyncio.to_thread(allowed, {n: a for n, a in _administration(admin, dead).items() if n != "delete"})
    assert may == dict.fromkeys(may, False) | {"cut": True}


@EACH_SERVICE
async def test_a_service_cuts_its_own_letters_alone(address: str, service: str) -> None:
    """The records of its dead topic it can delete, those of every other topic that it sees at all it cannot."""
    admin, dead = administrator(address, service), dead_topic(service)
    seen = {*topics_read_by(service), *topics_followed_by(service), *(t for t in TOPICS.values() if t.owner == service)}
    assert dead in seen
    cuts = {topic.name: partial(admin.delete_records, [TopicPartition(topic.name, 0, 0)]) for topic in seen}
    assert await asyncio.to_thread(allowed, cuts) == {topic.name: topic == dead for topic in seen}


@EACH_SERVICE
async def test_an_erasure_finds_and_forgets_letters(address: str, service: str) -> None:
    """With its rights a service reads its letters, tells them again and has the broker forget those before."""
    dead = DeadLetters(principal(address, service), service)
    body, at = uuid.uuid4().bytes, 1_700_000_000_000
    await dead.tell([Letter(dead_topic(service).name, 0, 0, b"k", body, (), at)])
    (found,) = [letter async for letter in dead.letters() if letter.value == body]
    await dead.tell([found])
    await dead.forget({0: found.offset + 1})
    (left,) = [letter async for letter in dead.letters() if letter.value == body]
    assert (left.offset > found.offset, left.timestamp) == (True, at)


async def test_the_sample_subscriber_reads_as_its_own_user(address: str, tmp_path: Path) -> None:
    """With user and password it takes what notes has told; in a group that is not its own it ends, and says why."""
    assert await written(principal(address, "notes"), NOTE.name)
    (tmp_path / "lianyi_contracts").symlink_to(ROOT / "shared/contracts")
    mine, other = sample(address, tmp_path, "helpdesk"), sample(address, tmp_path, "another")

    async def put_aside() -> bool:
        return put_aside_in(tmp_path / "helpdesk.db") > 0

    async with asyncio.timeout(60):
        mine.start()
        other.start()
        await until(lambda: not other.alive)
    try:
        await wait_for(put_aside, 60.0, "the record is put aside", mine)
    finally:
        await mine.stop()
    assert "GROUP_AUTHORIZATION_FAILED" in other.tail()
    assert (mine.status, other.status) == (0, 1)


async def test_a_wrong_password_is_refused(address: str) -> None:
    """Nobody gets in by a name alone."""
    producer = AIOKafkaProducer(**Brokers(address, "lianyi-notes", uuid.uuid4().hex).client)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()
