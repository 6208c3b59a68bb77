"""The table of topics and the names in it."""

import re
from collections import defaultdict

import pytest

from shared.contracts import KEYS, TOPICS, Event, Topic, dead_topic, partition_of, topics_followed_by, topics_read_by
from shared.contracts.samples import published

SERVICES = ("notes", "groups", "recommend", "moderation")
EACH_TOPIC = pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())
EACH_EVENT = pytest.mark.parametrize("model", published().values(), ids=published().keys())


@EACH_TOPIC
def test_a_topic_is_named_after_its_one_owner(topic: Topic) -> None:
    """A topic's name is lianyi.<owner>.<what>.v<n>, and its owner is a service."""
    assert topic.owner in SERVICES
    assert re.fullmatch(rf"lianyi\.{topic.owner}\.[a-z]+(_[a-z]+)*\.v[1-9]\d*", topic.name)


@EACH_TOPIC
def test_a_topic_says_what_it_is(topic: Topic) -> None:
    """A topic has one key, a sentence about it, and no reader that is not a service or stands there twice."""
    assert re.fullmatch(r"[a-z]+", topic.key)
    assert topic.about.endswith(".")
    assert set(topic.readers) <= set(SERVICES)
    assert len(set(topic.readers)) == len(topic.readers)


def test_what_is_followed_is_small_and_stays() -> None:
    """What each process reads whole is compacted; who follows is a service, and no reader in a lane beside that."""
    followed = [topic for topic in TOPICS.values() if topic.followers]
    assert followed
    for topic in followed:
        assert topic.cleanup == "compact"
        assert set(topic.followers) <= set(SERVICES) - set(topic.readers)
        assert all(topic in topics_followed_by(service) for service in topic.followers)


def test_topics_of_one_key_have_equal_partitions() -> None:
    """Partition i of all topics of one key exists, so one lane can own it everywhere."""
    counts: defaultdict[str, set[int]] = defaultdict(set)
    for topic in TOPICS.values():
        counts[topic.key].add(topic.partitions)
    assert {key: len(found) for key, found in counts.items()} == dict.fromkeys(counts, 1)


def test_the_table_lists_a_topic_under_its_name() -> None:
    """TOPICS finds each topic by its own name."""
    assert all(name == topic.name for name, topic in TOPICS.items())


def test_every_topic_carries_an_event_and_every_event_a_topic_of_the_table() -> None:
    """No topic stays empty and no event goes to a topic that nobody creates."""
    assert {model.TOPIC.name for model in published().values()} == TOPICS.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_one_dead_letter_topic_that_no_lane_reads(service: str) -> None:
    """Each service owns exactly one topic for dead letters, without readers and without a lane."""
    topic = dead_topic(service)
    assert [t for t in TOPICS.values() if t.owner == service and t.key == topic.key] == [topic]
    assert topic.readers == ()
    assert topic.key not in KEYS


def test_readers_are_found_from_the_table() -> None:
    """A service subscribes to exactly the topics that name it; an unknown one to none."""
    assert {name: topics_read_by(name) for name in SERVICES} == {
        name: tuple(topic for topic in TOPICS.values() if name in topic.readers) for name in SERVICES
    }
    assert topics_read_by("nobody") == ()


def test_an_unknown_service_has_no_dead_letter_topic() -> None:
    """Asking for the dead-letter topic of an unknown service is a KeyError."""
    with pytest.raises(KeyError):
        dead_topic("nobody")


@EACH_EVENT
def test_an_event_is_named_after_its_producer(model: type[Event]) -> None:
    """A ce_type is lianyi.<owner>.<snake>.v<n> with the owner of its topic, and ce_source is /lianyi/<owner>."""
    assert re.fullmatch(rf"lianyi\.{model.TOPIC.owner}\.[a-z]+(_[a-z]+)*\.v[1-9]\d*", model.TYPE)
    assert model.ORDER in {"state", "fact", "count"}


@EACH_EVENT
def test_the_key_of_an_event_is_a_required_field(model: type[Event]) -> None:
    """An event without its record key cannot be made."""
    assert model.model_fields[model.TOPIC.key_field].is_required()


@pytest.mark.parametrize(
    ("key", "crc"),
    [
        ("", 0),
        ("a", 0xE8B7BE43),
        ("123456789", 0xCBF43926),
        ("The quick brown fox jumps over the lazy dog", 0x414FA339),
    ],
)
def test_a_partition_is_the_crc_32_of_the_key(key: str, crc: int) -> None:
    """A key goes where librdkafka's consistent partitioner would put it: published check values of CRC-32."""
    assert [partition_of(key, count) for count in (1, 4, 12)] == [crc % 1, crc % 4, crc % 12]


def test_keys_spread_over_the_partitions() -> None:
    """No partition gets more than a fifth above or below its share of 12,000 ids that differ in a counter only."""
    counts = [0] * 12
    for i in range(12_000):
        counts[partition_of(f"n-{i:04x}", 12)] += 1
    assert min(counts) > 800
    assert max(counts) < 1_200
