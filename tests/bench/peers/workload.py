"""What every peer does, once: judge a comment, store the judgement, count it on note and author, emit one event.

Imports nothing but the contracts, so that a peer with an environment of its own can have it.
"""

import random
import re
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import accumulate
from json import dumps, loads
from typing import Any

from shared.contracts import Envelope, partition_of
from shared.contracts.moderation import ContentJudged, VerdictReason
from shared.contracts.notes import CommentPosted

KEYS: dict[str, tuple[int, float, float]] = {
    "uniform": (10_000, 0.0, 0.0),
    "zipf": (10_000, 1.0, 0.8),
    "100": (100, 0.0, 0.0),
    "1000": (1_000, 0.0, 0.0),
    "100000": (100_000, 0.0, 0.0),
}
"""How many notes there are, with twice as many authors, and the exponents of both: how often the r-th of them is met
goes as 1 / r^exponent."""
BAR = 1.0
RULES: tuple[tuple[str, re.Pattern[str], float], ...] = (
    ("contact", re.compile(r"加(?:微信|v|薇)|(?:wechat|whatsapp|qq)\s*[:：]?\s*\w{5,}"), 0.7),
    ("link", re.compile(r"https?://\S+"), 0.5),
    ("offer", re.compile(r"优惠|返利|代购|discount|cashback"), 0.4),
    ("money", re.compile(r"[¥$]\s?\d+"), 0.3),
    ("shout", re.compile(r"[!！]{3,}|(.)\1{7,}"), 0.3),
)
"""The fixed rule set: name, what it looks for, what it adds to the score; hidden from ``BAR`` on."""

_TALK = (
    "这条路线周末走过, 下雨天石阶很滑, 建议穿防滑的鞋, 另外山顶没有补给, 水要带够。",
    "Thanks, that helped. We went on Saturday with two small children and the shade lasted until eleven.",
    "请问停车场早上几点开门? 上次七点到的时候还没有人, 只好停在村口走进去。",
    "I had the same fault with my bike: it was the cable, not the lever. A new one costs very little.",
    "作者写得很细, 按照步骤做下来只卡在第三步, 后来发现是版本不同, 换一个就好了。",
)
_ADVERTS = (
    "想要同款的加微信, 今天下单还有优惠, 全网最低价, 数量有限!!!",
    "Best discount of the year at https://example.com/offer, only $9, tell them who sent you!!!",
)


def judge(comment: CommentPosted, by: str = "") -> ContentJudged:
    """The verdict on a comment, the same for every peer; ``by`` names the one that tells it."""
    text = comment.text
    found = [(rule, weight, m.start(), m.end()) for rule, seen, weight in RULES if (m := seen.search(text))]
    score = sum(weight for _, weight, _, _ in found)
    return ContentJudged(
        content_id=comment.comment_id,
        kind="comment",
        note_id=comment.note_id,
        author_id=comment.author_id,
        hidden=score >= BAR,
        score=score,
        reasons=tuple(VerdictReason(rule=r, weight=w, start=s, end=e) for r, w, s, e in found),
        rules="bench",
        model=by,
    )


def judgement(verdict: ContentJudged) -> dict[str, Any]:
    """What is stored of a verdict, beside its id."""
    return {
        "note_id": verdict.note_id,
        "author_id": verdict.author_id,
        "hidden": verdict.hidden,
        "score": verdict.score,
        "reasons": [reason.rule for reason in verdict.reasons],
    }


def author_key(comment: CommentPosted, partitions: int) -> str:
    """The document on which an author's comments in one partition are counted: one lane writes it."""
    return f"{partition_of(comment.note_id, partitions)}:{comment.author_id}"


def comments(many: int, keys: str, size: int = 0, first: int = 0) -> Iterator[CommentPosted]:
    """So many comments, numbered from ``first``; one in ten advertises. ``size`` fills the text up to so many
    characters."""
    rng = random.Random(first)
    many_notes, skew, author_skew = KEYS[keys]
    notes, authors = _drawn(many_notes, skew), _drawn(2 * many_notes, author_skew)
    for number in range(first, first + many):
        text = rng.choice(_ADVERTS if number % 10 == 0 else _TALK)
        note, author = (rng.choices(range(len(weights)), cum_weights=weights)[0] for weights in (notes, authors))
        yield CommentPosted(
            comment_id=f"c{number:08d}",
            note_id=f"n{note:05d}",
            author_id=f"p{author:05d}",
            note_author_id=f"p{note:05d}",
            text=(text * (size // len(text) + 1))[:size] if size else text,
        )


def _drawn(count: int, skew: float) -> list[float]:
    return list(accumulate((rank + 1) ** -skew for rank in range(count)))


def posted(comment: CommentPosted, at: datetime, made: str = "bench") -> Envelope:
    """The headers of a comment. ``made`` travels on to the verdict: a measurement puts its clock there."""
    return Envelope(comment.comment_id, comment.TYPE, comment.source, at, comment.comment_id, 1, made, "bench")


def answered(verdict: ContentJudged, cause: Envelope) -> Envelope:
    """The headers of a verdict, as the lane writes them."""
    once = str(uuid.uuid5(uuid.NAMESPACE_OID, verdict.content_id))
    subject, source = verdict.content_id, verdict.source
    return Envelope(once, verdict.TYPE, source, cause.time, subject, 1, cause.correlation, cause.id)


@dataclass(frozen=True, slots=True)
class Job:
    """What a peer's process is told. ``group`` and ``database`` are its own; ``state`` a directory of its own."""

    kafka: str
    mongo: str
    group: str
    partitions: int
    state: str
    variant: str = ""
    limit: int = 200
    trips: str = ""
    """Where to leave, at the end or asked for it, how many requests were sent; empty: nowhere."""
    instance: str = ""
    """Name of the member of the group, kept over a restart; empty: none."""
    filler: int = 0
    """Bytes that the document of a note has beside its count."""
    edge: str = ""
    """Of an API: URL of the keys, issuer, audience and port."""

    @property
    def database(self) -> str:
        """The database of this run."""
        return self.group.replace(".", "_")

    def told(self) -> str:
        """For the command line."""
        return dumps(asdict(self))


def job() -> Job:
    """What this process was told."""
    return Job(**loads(sys.argv[1]))


@dataclass(frozen=True, slots=True)
class Expected:
    """What some comments come to, whoever does the work."""

    judgements: dict[str, dict[str, Any]]
    notes: Counter[str]
    authors: Counter[str]


def expected(many: int, keys: str, partitions: int) -> Expected:
    """Counted here, apart from every peer."""
    told = Expected({}, Counter(), Counter())
    for comment in comments(many, keys):
        told.judgements[comment.comment_id] = judgement(judge(comment))
        told.notes[comment.note_id] += 1
        told.authors[author_key(comment, partitions)] += 1
    return told
