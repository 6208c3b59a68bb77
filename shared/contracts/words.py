"""What the fields and headers of all events mean: one meaning for each name, so that a reader learns it once.

The schemas and the catalogue take their words from here. Where a name means something of its own in one event, the
event says so itself with ``Field(description=...)``, and that holds.
"""

from collections.abc import Mapping
from typing import Any

from .event import Order

ORDERS: Mapping[Order, tuple[str, str]] = {
    "state": (
        "carries the public state of its subject",
        "Keep the highest `ce_sequence` of a subject and drop what is not above it; keep the number after the end too.",
    ),
    "fact": (
        "happens once to its subject and never changes",
        "Store it under the ids in its body, so that a double overwrites itself. It may come in any order.",
    ),
    "count": (
        "adds to something",
        "Count each `ce_id` once: keep those of the last seven days and drop one that is there. Any order.",
    ),
}
"""What an event of each order is, and what a reader does with it."""

HEADERS: Mapping[str, str] = {
    "ce_specversion": "Version of CloudEvents, `1.0`.",
    "ce_id": "Id of the event, the same however often it is sent: what a double is told by.",
    "ce_type": "Type and version: whether a reader wants it can be told without the body.",
    "ce_source": "The producing service.",
    "ce_time": "When its cause happened: RFC 3339, UTC, milliseconds. Not when it was sent.",
    "ce_subject": "Id of the document that it is about.",
    "ce_sequence": "Version of that document, a 64-bit integer with gaps; `0` where there is none.",
    "ce_correlationid": "Id of the first cause of the whole chain.",
    "ce_causationid": "Id of the input that made it: another event's `ce_id`, `cmd:…` or a timer.",
    "content-type": "`application/json`: the value is the event's JSON and nothing else.",
    "traceparent": "W3C trace context, where the cause had one.",
}

FIELDS: Mapping[str, str] = {
    "adviser_id": "Who wrote the advice.",
    "answer_id": "The comment or message that was accepted.",
    "asker_id": "Who asked.",
    "audience": "For whom the group is.",
    "author_id": "Who wrote it.",
    "by": "Who decided: rules and model, or staff, whose word on a revision is final.",
    "by_id": "Who did it.",
    "chance": "How likely the text model holds it to be spam.",
    "charter": "What the group is founded on.",
    "comment_id": "The comment.",
    "content_id": "The note, comment or message.",
    "counter_id": "What is counted or learned by: `person:…`, `text:` and a hash, `host:…`, or `model:text`.",
    "cut": "Whether something was left out for its size: then it cannot be replayed.",
    "due_at": "When the next escalation is due: RFC 3339 with an offset.",
    "end": "Where the rule's evidence ends: characters, exclusive.",
    "exit": "How one leaves.",
    "fingerprint": "The same for letters of one error.",
    "flag": "A person's report, or what counters know of it.",
    "gate": "What the check before publishing said: `held` is hidden until its verdict, `open` was not looked at.",
    "gate_version": "Versions of the rules and the model of that check; empty for `open`.",
    "group_id": "The group.",
    "handler": "The handler in which it died; empty when it died before any.",
    "headers": "Name and value of each header of the input; values in base64.",
    "helper_id": "Who wrote the accepted answer.",
    "hidden": "Whether others no longer see it.",
    "intent": "What the note is for.",
    "kind": "What sort it is of.",
    "last": "Whether no further step follows.",
    "letter_id": "Topic, partition, offset and handler of the input, or the timer's id and the handler.",
    "member": "Whether the person is in the group now.",
    "members": "How many are in the group.",
    "message_id": "The message.",
    "model": "Version of the model that took part; empty where none did.",
    "name": "What the group is called.",
    "need_id": "The need: a question that waits for an answer.",
    "new": "The tier from now on.",
    "note_author_id": "Who wrote the note.",
    "note_id": "The note.",
    "offset": "The input's offset there.",
    "old": "The tier until now.",
    "owner_id": "Who founded the group (圈主).",
    "parent_id": "What it answers to; nothing where it stands at the top.",
    "partition": "The input's partition there.",
    "person_id": "The person.",
    "place": "A coarse cell, never a coordinate.",
    "place_id": "The note, of a message the group.",
    "policy_id": "The change of the rules, or the part of the model.",
    "posted_at": "When it was written: RFC 3339 with an offset.",
    "purpose": "What the group is there for.",
    "reasons": "Why, by names of rules.",
    "record_key": "The input's key, in base64.",
    "removed": "Whether the owner took the person out.",
    "revision": "Which text of it: what was posted is 0, edits count from 1.",
    "rewards": "What one gets for helping.",
    "rule": "Name of the rule.",
    "rules": "Version of the table of rules that decided.",
    "score": "Sum of what the rules that fired add: no unit, hidden from 1.0 unless moderation is set otherwise.",
    "cell": "Where it is: an H3 cell of resolution 9, moved at random by 0.5 to 2.7 km.",
    "seats": "How many members there may be.",
    "sequence": "Sequence of the membership: of two the higher one holds.",
    "service": "What members do for each other.",
    "shares": "Another group, and by how many 128ths of a person the pair changes.",
    "source_id": "What it is counted for: a note, comment or need.",
    "spam": "Whether staff hid it as spam.",
    "start": "Where the rule's evidence begins: characters, from 0.",
    "step": "Which escalation of the need this is, from 1.",
    "suggestions": "The groups, best first.",
    "terms": "Each normalised term of the note, and how often it counts.",
    "text": "What was written, in characters as they were sent.",
    "text_hash": "Twelve hex digits, the same for texts that read alike; empty for a short text.",
    "tier": "The tier that earlier help has earned.",
    "title": "Title of the note.",
    "topic": "What the author says that the note is about.",
    "trial_id": "The draft, or the version of the model, that is on trial.",
    "value": "The input's body in base64, at most 64 KiB of it.",
    "version": "Counts what is told of this content: the higher one holds.",
    "waiting": "How many wait for a seat.",
    "weight": "How much it adds to the score.",
    "what": "What is counted: texts that others see, advice taken, needs; `in_time` of others' `questions` here.",
    "without": "Counters not heard yet when it was made. If what they tell changes it, another verdict follows.",
}


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, with the meaning of every field that does not say its own, those of its parts too.

    Raises:
        KeyError: a field has no words, here or in its model.
    """
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            if "description" not in field:
                if name not in FIELDS:
                    raise KeyError(f"{part.get('title')}.{name} means nothing yet: say it in {__name__}.FIELDS")
                field["description"] = FIELDS[name]
    return schema
