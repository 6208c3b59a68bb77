"""The suite of the dead topic on Apache Kafka: of this machine, or the broker of `--kafka`."""

import os
import signal
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest
import pytest_asyncio

from local.kafka import Kafka, missing
from shared.admin import DeadLetters, make_topics
from shared.brokers import Brokers
from shared.errors import Transient
from shared.flow.ports import Letter
from tests.fakes.database import Server
from tests.suites.dead import DeadTopicSuite, kept, told

PARTITIONS = 4
pytestmark = [pytest.mark.stack, pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kafka(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kafka | None]:
    """The broker of this machine, None for that of `--kafka`."""
    if pytestconfig.getoption("kafka"):
        yield None
        return
    if lacks := missing():
        pytest.skip(f"no Apache Kafka: {lacks}")
    made = Kafka(tmp_path_factory.mktemp("kafka"))
    await made.start()
    try:
        yield made
    finally:
        await made.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(pytestconfig: pytest.Config, kafka: Kafka | None) -> str:
    """Of a broker with topics."""
    servers: str = kafka.address if kafka else pytestconfig.getoption("kafka")
    await make_topics(Brokers(servers), PARTITIONS)
    return servers


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


class Losing(list[Letter]):
    """Letters, and when they are asked for the broker is lost: the producer has started then."""

    def __init__(self, kafka: Kafka, made: Iterable[Letter]) -> None:
        super().__init__(made)
        self._kafka = kafka

    def __iter__(self) -> Iterator[Letter]:
        for child in self._kafka.children:
            os.killpg(child.pid, signal.SIGSTOP)
        return super().__iter__()


@pytest.mark.parametrize("step", ["letters", "tell"])
async def test_a_broker_that_is_lost_half_way_is_told_of(kafka: Kafka | None, dead: DeadLetters, step: str) -> None:
    """Neither reading nor telling waits for ever; when it is back each letter is there or was not acknowledged."""
    if kafka is None:
        pytest.skip("the broker of --kafka is not ours to stop")
    impatient = DeadLetters(dead._brokers, "notes", patience=2.0)
    made = [told(b"%d" % n + b" " * 100_000) for n in range(40)]  # several times what is fetched at once
    try:
        if step == "tell":
            with pytest.raises(Transient, match="the dead letters: kafka"):
                await impatient.tell(Losing(kafka, made[:3]))
        else:
            await dead.tell(made)
            reading = impatient.letters()
            await anext(reading)
            await kafka.pause()
            with pytest.raises(Transient, match="the dead letters: kafka"):
                async for _ in reading:
                    pass
    finally:
        kafka.resume()
    assert len(await kept(dead)) in ((40,) if step == "letters" else (0, 3))
