"""What else was written lately: counted in the lane of each counter, told to the lane of the content."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from services.moderation.core import (
    FAMILY,
    Content,
    Counted,
    Counter,
    Entry,
    cell,
    counted,
    counter_ids,
    heated,
)
from services.moderation.state import counts_of
from services.moderation.view import RulesView, ShadowView
from shared.contracts.moderation import ContentCounted, ContentFlagged, Count, CounterHeated, Flag, MessageFlagged
from shared.flow.documents import Document
from shared.flow.work import Work
from shared.rules import RuleSet
from shared.text import Normalised, normalise

Waiting = Mapping[RuleSet, tuple[str, ...]]
"""The rules of each set that wait for counters."""


class Counters(NamedTuple):
    """The counters that are to hear of a content: the key of each, and the rules that wait for what it tells.

    `without` are the kinds of those that a rule waits for and that have told nothing of it yet.
    """

    text_hash: str
    asked: Mapping[str, tuple[str, ...]]
    without: tuple[Counted, ...]


def asked(content: Content, seen: Normalised, waiting: Waiting, live: RuleSet) -> Counters:
    """Which counters are to hear of a content, when these rules of each set wait for them; `live` is in force.

    Its author is always counted, its group if any rule asks for that: else a window would lack what did not wait. By
    text or host is counted what some rule waits for, since what shares them is asked the same.
    """
    found, without = dict[str, tuple[str, ...]](), list[Counted]()
    ids = counter_ids(content.author_id, seen, content.place_id if content.kind == "message" else "")
    left = tuple(waiting.items())
    for kind, counter_id in ids.items():
        is_asked, asking, holds_up = _asking(left, live, kind)
        if is_asked:
            found[counter_id] = asking
        if holds_up and not any(key.startswith(FAMILY[kind]) for key, _ in content.counts):
            without.append(kind)
    return Counters(ids.get("text", "").removeprefix("text:"), found, tuple(without))


@lru_cache(maxsize=1024)
def _asking(
    waiting: tuple[tuple[RuleSet, tuple[str, ...]], ...], live: RuleSet, kind: Counted
) -> tuple[bool, tuple[str, ...], bool]:
    """Whether such a counter is to hear of a content, the rules that wait for it, and whether one in force does. Most
    texts leave the same rules waiting."""
    family = FAMILY[kind]
    by_set = {rules: rules.asking(names, family) for rules, names in waiting}
    asking = tuple(dict.fromkeys(name for names in by_set.values() for name in names))
    always = kind == "person" or (kind == "group" and any(rules.asks(family) for rules, _ in waiting))
    return bool(asking) or always, asking, bool(by_set[live])


def at_work(work: Work) -> list[RuleSet]:
    """The set of rules that is in force, and the one on trial."""
    tried = work.view(ShadowView).rules
    return [work.view(RulesView).rules, *([tried] if tried else [])]


def count_news(content: Content, work: Work) -> None:
    """Tell the counters of a content what has become of it; nothing waits for their answer."""
    rules = dict.fromkeys(at_work(work), ())
    count(content, asked(content, normalise(content.text), rules, work.view(RulesView).rules), work)


def count(content: Content, counters: Counters, work: Work) -> None:
    """Hand a content over to its counters, or what has become of it since, with the rules that wait for them."""
    for counter_id, asking in counters.asked.items():
        work.emit(
            ContentCounted(
                counter_id=counter_id,
                content_id=content.id,
                kind=content.kind,
                place_id=content.place_id,
                author_id=content.author_id,
                posted_at=content.posted_at,
                text_hash=counters.text_hash,
                hidden=content.hidden,
                version=content.v,
                asking=asking,
            ),
            content,
        )


def content_counted(event: ContentCounted, work: Work) -> str | None:
    """Count it; what a rule that waits could hold by is told to the lane of the content."""
    counter = work.get(Counter, event.counter_id) or Counter(id=event.counter_id)
    entry = Entry(
        content_id=event.content_id,
        place_id=event.place_id,
        at=event.posted_at,
        text=event.text_hash,
        hidden=event.hidden,
        version=event.version,
        author_id=event.author_id,
    )
    after, facts = counted(counter, entry)
    if after is counter:
        return "older"
    after = heat(after, work)
    if any(_may_speak(rules, event.asking, tuple(facts.items())) for rules in at_work(work)):
        flag(
            event,
            Said("counted", counts=counts_of(facts)),
            (after, work),
        )
    return None


@lru_cache(maxsize=4096)
def _may_speak(rules: RuleSet, waiting: tuple[str, ...], facts: tuple[tuple[str, float], ...]) -> bool:
    """Most counters tell the same: nothing yet."""
    return rules.may_speak(waiting, dict(facts))


def heat(counter: Counter, work: Work) -> Counter:
    """Store a counter; one that is hot is told to those who judge beforehand."""
    after, hot = heated(counter, work.view(RulesView).rules, work.now)
    after = work.put(after)
    if hot is not None:
        told: dict[str, Any] = {"counts": counts_of(hot.counts), "text_hash": hot.text, "until": hot.until}
        work.emit(CounterHeated(policy_id=cell(counter.id), counter_id=counter.id, **told), after)
    return after


class Said(NamedTuple):
    """What is held against a content, or told of it."""

    flag: Flag
    reason: str = ""
    counts: tuple[Count, ...] = ()


def flag(of: ContentCounted | Content, said: Said, means: tuple[Document, Work]) -> None:
    """Tell the lane of a content what is held against it, and from which document that comes."""
    document, work = means
    id_ = of.id if isinstance(of, Content) else of.content_id
    told: dict[str, Any] = {"content_id": id_, **said._asdict()}
    if of.kind == "message":
        work.emit(MessageFlagged(group_id=of.place_id, **told), document)
    else:
        work.emit(ContentFlagged(note_id=of.place_id, kind=of.kind, **told), document)
