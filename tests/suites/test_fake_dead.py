"""The suite of the dead topic on the fake."""

import random

import pytest

from tests.fakes.broker import Broker, FakeDeadTopic
from tests.fakes.database import Server
from tests.suites.dead import DeadTopicSuite

pytestmark = pytest.mark.jumping


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def dead() -> FakeDeadTopic:
    return FakeDeadTopic(Broker(random.Random(0)), "notes")


class TestFakeDeadTopic(DeadTopicSuite):
    """A dead topic in memory forgets as Kafka does."""
