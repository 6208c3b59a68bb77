"""The table of topics: the one place where a topic's name, key, owner, retention and readers are written.

Topics are created from it, manifests and docs are generated from it, and no other module holds a topic's
name as a string (tests/architecture checks that).
"""

import zlib
from dataclasses import dataclass
from typing import Literal

Cleanup = Literal["delete", "compact"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: exactly one key and one producing service.

    ``key`` is the kind of aggregate (``note``, ``group``); the event's field ``<key>_id`` holds its value and
    the record's key is that value in UTF-8. ``partitions`` is fixed for the topic's life and equal for all
    topics of one key, so that a lane can own partition i of each of them. ``foreign``: others write it too, in a form
    of their own; a reader decodes what has no headers of ours. ``followers`` are the services of which every process
    reads the whole topic for itself, beside its lanes.
    """

    name: str
    owner: str
    key: str
    readers: tuple[str, ...]
    about: str
    partitions: int = 12
    retention_days: int = 30
    cleanup: Cleanup = "delete"
    carries_text: bool = False
    foreign: bool = False
    followers: tuple[str, ...] = ()

    @property
    def key_field(self) -> str:
        """Field of the events on this topic that holds the record's key."""
        return f"{self.key}_id"


NOTE = Topic(
    name="lianyi.notes.note.v1",
    owner="notes",
    key="note",
    readers=("notes", "groups", "recommend", "moderation"),
    about="Notes, their comments, needs, advice and relays.",
    carries_text=True,
)
NOTES_PERSON = Topic(
    name="lianyi.notes.person.v1",
    owner="notes",
    key="person",
    readers=("notes",),
    about="What a person has written, asked and answered in notes, counted one by one.",
)
GROUP = Topic(
    name="lianyi.groups.group.v1",
    owner="groups",
    key="group",
    readers=("notes", "groups", "recommend"),
    about="Groups, their charters and seats, members, contributions and tiers.",
    carries_text=True,
)
MESSAGE = Topic(
    name="lianyi.groups.message.v1",
    owner="groups",
    key="group",
    readers=("groups", "recommend", "moderation"),
    about="The talk in groups: messages, and the needs asked in them.",
    carries_text=True,
)
SUGGESTION = Topic(
    name="lianyi.recommend.suggestion.v1",
    owner="recommend",
    key="note",
    readers=("recommend",),
    about="The groups that fit a note, and why.",
)
PROFILE = Topic(
    name="lianyi.recommend.group.v1",
    owner="recommend",
    key="group",
    readers=("recommend",),
    about="What a relayed note teaches the profile of its group, and which other groups its members are in.",
    carries_text=True,
)
TIES = Topic(
    name="lianyi.recommend.person.v1",
    owner="recommend",
    key="person",
    readers=("recommend",),
    about="A person across groups: memberships as they are handed on, and what they say to suggestions.",
)
NOTE_VERDICT = Topic(
    name="lianyi.moderation.note_verdict.v1",
    owner="moderation",
    key="note",
    readers=("notes", "moderation"),
    about="Verdicts on notes and comments, with reasons, and what is held against them beside their text.",
)
GROUP_VERDICT = Topic(
    name="lianyi.moderation.group_verdict.v1",
    owner="moderation",
    key="group",
    readers=("groups", "moderation"),
    about="Verdicts on messages in groups, with reasons, and what is held against them beside their text.",
)
COUNTER = Topic(
    name="lianyi.moderation.counter.v1",
    owner="moderation",
    key="counter",
    readers=("moderation",),
    about="What moderation counts and learns beside the lanes of notes and groups, by kind and value of the counter.",
)
SHADOW = Topic(
    name="lianyi.moderation.shadow.v1",
    owner="moderation",
    key="content",
    readers=(),
    about="What rules or a model on trial would have said of each content; nothing is hidden by it.",
)
POLICY = Topic(
    name="lianyi.moderation.policy.v1",
    owner="moderation",
    key="policy",
    readers=(),
    about="What moderation judges by, for those who look before they publish: each change of the rules, for ever (the "
    "last one is in force), the text model, and counters that are hot.",
    cleanup="compact",
    followers=("notes", "groups"),
)


def _dead(service: str) -> Topic:
    return Topic(
        name=f"lianyi.{service}.dead.v1",
        owner=service,
        key="letter",
        readers=(),
        about=f"Inputs that {service} could not take, with the reason and the raw bytes. When a person is erased, "
        "letters are told again under their ids, without the words.",
        carries_text=True,
    )


NOTES_DEAD = _dead("notes")
GROUPS_DEAD = _dead("groups")
RECOMMEND_DEAD = _dead("recommend")
MODERATION_DEAD = _dead("moderation")

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        NOTE,
        NOTES_PERSON,
        GROUP,
        MESSAGE,
        SUGGESTION,
        PROFILE,
        TIES,
        NOTE_VERDICT,
        GROUP_VERDICT,
        COUNTER,
        SHADOW,
        POLICY,
        NOTES_DEAD,
        GROUPS_DEAD,
        RECOMMEND_DEAD,
        MODERATION_DEAD,
    )
}
"""All topics by name."""

KEYS: tuple[str, ...] = tuple(dict.fromkeys(topic.key for topic in TOPICS.values() if topic.key != "letter"))
"""The kinds of key that lanes are made of (dead letters are read by no lane of their own)."""


def topics_read_by(service: str) -> tuple[Topic, ...]:
    """Topics that a service subscribes to, in the order of the table."""
    return tuple(topic for topic in TOPICS.values() if service in topic.readers)


def topics_followed_by(service: str) -> tuple[Topic, ...]:
    """Topics that every process of a service reads whole, in the order of the table."""
    return tuple(topic for topic in TOPICS.values() if service in topic.followers)


def dead_topic(service: str) -> Topic:
    """The dead-letter topic of a service; KeyError for an unknown one."""
    return TOPICS[f"lianyi.{service}.dead.v1"]


def partition_of(key: str, partitions: int) -> int:
    """Partition of a key: CRC-32 of its UTF-8 modulo the count, librdkafka's ``consistent`` choice."""
    return zlib.crc32(key.encode()) % partitions
