"""What ``ops republish`` tells of moderation: the verdict on each content, never its text; each change of rules."""

from typing import Any

from services.moderation.core import Content, RuleChange
from shared.contracts import Event
from shared.contracts.moderation import ContentJudged, MessageJudged, RulesChanged, VerdictReason
from shared.flow.states import State


def verdict(content: Content) -> Event:
    """The verdict as it holds now."""
    reasons = (VerdictReason(rule=r.rule, weight=r.weight, start=r.start, end=r.end) for r in content.reasons)
    about: dict[str, Any] = {
        "content_id": content.id,
        "author_id": content.author_id,
        "hidden": content.hidden,
        "score": content.score,
        "reasons": tuple(reasons),
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
    )


STATES = (State(Content, judged), State(RuleChange, changed))
