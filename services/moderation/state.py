"""What ``ops republish`` tells of moderation: the verdict on each content, never its text; each change of rules."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from services.moderation.core import Content, Found, RuleChange
from shared.contracts import Event
from shared.contracts.moderation import (
    ContentJudged,
    ContentTried,
    Count,
    MessageJudged,
    RulesChanged,
    VerdictReason,
)
from shared.flow.states import State

_REASONS = TypeAdapter(tuple[VerdictReason, ...])
_COUNTS = TypeAdapter(tuple[Count, ...])


def verdict(content: Content) -> Event:
    """The verdict as it holds now."""
    about: dict[str, Any] = {
        "content_id": content.id,
        "author_id": content.author_id,
        "hidden": content.hidden,
        "score": content.score,
        "reasons": _reasons(content.reasons),
        "rules": content.rules,
        "model": content.model,
        "without": content.without,
        "by": "staff" if content.decided else "automatic",
    }
    if content.kind == "message":
        return MessageJudged(group_id=content.place_id, **about)
    return ContentJudged(note_id=content.place_id, kind=content.kind, revision=content.revision, **about)


def judged(content: Content) -> Event | None:
    """The verdict on what is still there."""
    return None if content.deleted else verdict(content)


def opinion(content: Content) -> Event | None:
    """What a trial says of it, if one goes on."""
    told = content.opinion
    if told is None:
        return None
    return ContentTried(
        content_id=content.id,
        kind=content.kind,
        place_id=content.place_id,
        author_id=content.author_id,
        revision=content.revision,
        version=content.v,
        trial_id=told.trial_id,
        hidden=told.hidden,
        live=told.live,
        score=told.score,
        reasons=_reasons(told.reasons),
        rules=told.rules,
        model=told.model,
    )


def _reasons(found: tuple[Found, ...]) -> tuple[VerdictReason, ...]:
    return _REASONS.validate_python(found, from_attributes=True)


def counts_of(facts: Mapping[str, float]) -> tuple[Count, ...]:
    """What a counter tells, by the keys of facts."""
    return _COUNTS.validate_python([{"fact": key, "count": count} for key, count in facts.items()])


def changed(change: RuleChange) -> Event:
    """Who changed the rules, how, and what they are since."""
    return RulesChanged(
        policy_id=change.id,
        number=change.number,
        way=change.way,
        rules=change.version,
        replaces=change.replaces,
        definition=change.source,
        note=change.note,
        author_id=change.author_id,
        by_id=change.by_id,
        since=change.at,
        proven=change.proven,
    )


STATES = (State(Content, judged), State(RuleChange, changed))
