"""What counters count by: the keys of a content's counters, the same for whoever asks them."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal

from shared.rules import hosts
from shared.text import Normalised, normalise

Counted = Literal["person", "text", "host", "group"]
"""What a counter counts by; the first part of its key."""
FAMILY: Mapping[Counted, str] = {"person": "author.", "text": "crowd.", "host": "host.", "group": "group."}
"""What the facts begin with that such a counter tells."""
LEAST_TEXT = 8
"""Characters of normalised text, white space apart, below which texts are alike by nature."""
MOST_KEY = 100
"""Characters of a host that stand in a key; a longer one is cut."""


def counter_ids(author_id: str, seen: Normalised, group_id: str = "") -> Mapping[Counted, str]:
    """The counters of a content, each the key of what it counts: by its author, its text, its first host, its group."""
    found: dict[Counted, str] = {"person": f"person:{author_id}"}
    if text := hash_of(seen):
        found["text"] = f"text:{text}"
    if named := hosts(seen):
        found["host"] = f"host:{named[0][:MOST_KEY]}"
    if group_id:
        found["group"] = f"group:{group_id}"
    return found


def text_hash(text: str) -> str:
    """Twelve hex digits that texts share when they read alike; empty for one too short to tell anything."""
    return hash_of(normalise(text))


def hash_of(seen: Normalised) -> str:
    """The same of a text that is normalised already."""
    bare = "".join(seen.text.split())
    return blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest() if len(bare) >= LEAST_TEXT else ""
