"""The suite of the dead topic on Apache Kafka: of this machine, or the broker of `--kafka`."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local.kafka import Kafka, missing
from shared.admin import DeadLetters, make_topics
from shared.brokers import Brokers
from shared.errors import Transient
from tests.fakes.database import Server
from tests.suites.dead import DeadTopicSuite, told

PARTITIONS = 4
pytestmark = [pytest.mark.stack, pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A broker with topics."""
    if servers := pytestconfig.getoption("kafka"):
        await make_topics(Brokers(servers), PARTITIONS)
        yield servers
        return
    if lacks := missing():
        pytest.skip(f"no Apache Kafka: {lacks}")
    kafka = Kafka(tmp_path_factory.mktemp("kafka"))
    await kafka.start()
    try:
        await make_topics(Brokers(kafka.address), PARTITIONS)
        yield kafka.address
    finally:
        await kafka.kill()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest_asyncio.fixture(loop_scope="module")
async def dead(address: str) -> DeadLetters:
    """Empty to every reader."""
    made = DeadLetters(Brokers(address), "notes")
    await made.forget({letter.partition: letter.offset + 1 async for letter in made.letters()})
    return made


class TestKafkaDeadTopic(DeadTopicSuite):
    """Kafka keeps of a dead topic what is left after an erasure, and no more."""


async def test_a_broker_that_is_away_is_told_of() -> None:
    """Each of the three steps ends, and says that it may be tried again."""
    away = DeadLetters(Brokers("127.0.0.1:1"), "notes")
    for step in (lambda: anext(away.letters()), lambda: away.tell([told(b"{}")]), lambda: away.forget({0: 1})):
        with pytest.raises(Transient, match="the dead letters: kafka"):
            await step()
