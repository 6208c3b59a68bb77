"""The published language of Lianyi: topics, envelope and events.

Other teams install this folder alone (package ``lianyi_contracts``; it needs pydantic and nothing else),
so every import inside it is relative.
"""

from . import dead, groups, moderation, notes, recommend, talk  # noqa: F401  registers every type
from .envelope import SPECVERSION, BadEnvelope, Envelope
from .event import EVENTS, Event, event_type
from .topics import KEYS, TOPICS, Topic, dead_topic, partition_of, topics_followed_by, topics_read_by

__all__ = [
    "EVENTS",
    "KEYS",
    "SPECVERSION",
    "TOPICS",
    "BadEnvelope",
    "Envelope",
    "Event",
    "Topic",
    "dead_topic",
    "event_type",
    "partition_of",
    "topics_followed_by",
    "topics_read_by",
]
