"""Rules or a model on trial: what they would have said beside those in force, and whether people agree with it."""

from collections.abc import Mapping
from datetime import datetime
from math import sqrt
from typing import ClassVar, NamedTuple
from zlib import crc32

import msgspec
from msgspec.structs import replace

from services.moderation.core.content import Content, Found, Opinion
from services.moderation.core.policy import Draft
from shared.errors import Rejected
from shared.flow.documents import Document
from shared.judging import Verdict

SHADOW = "rules"
"""The id of the one draft that is on trial."""
NEEDED = 0.95
"""What the lower bound of the precision must come to."""
CONFIDENCE = 1.96
"""Standard deviations of the bound: the true share lies below it once in forty times."""
SAMPLED = 4
"""One in so many of the contents that a trial would hide is put before staff."""
MOST_LABELS = 1_000
"""Labels that a trial keeps; the oldest go first."""


class Shadow(Document, frozen=True, kw_only=True):
    """The draft that is on trial, as it was written; an empty `draft_id`: none."""

    COLLECTION: ClassVar[str] = "shadows"
    REBUILT: ClassVar[bool] = False
    FOLLOWED: ClassVar[bool] = True

    draft_id: str = ""
    source: str = ""


class Label(msgspec.Struct, frozen=True):
    """What staff said of a content that the trial would hide; `added`: what is in force spared it."""

    version: int
    added: bool
    spam: bool


class Trial(Document, frozen=True, kw_only=True):
    """What staff have said of the sample, by content: of two decisions on one the later version holds."""

    COLLECTION: ClassVar[str] = "trials"
    REBUILT: ClassVar[bool] = False

    labels: dict[str, Label] = msgspec.field(default_factory=dict)
    last: datetime | None = None


class Proof(NamedTuple):
    """How many labelled contents of those that a trial would hide are spam, and of those that only it would hide."""

    right: int = 0
    labelled: int = 0
    added_right: int = 0
    added: int = 0

    @property
    def bound(self) -> float:
        """The lower bound of the precision."""
        return lower_bound(self.right, self.labelled)

    @property
    def holds(self) -> bool:
        """Whether it may come into force: precise enough, and what it adds is no worse than that by what is known."""
        return self.bound >= NEEDED and self.added_right >= NEEDED * self.added


def lower_bound(right: int, of: int) -> float:
    """The lower end of the interval of a share after Wilson 1927, which holds for few and for shares near 1 too."""
    if not of:
        return 0.0
    share, z2 = right / of, CONFIDENCE**2
    middle = share + z2 / (2 * of)
    return (middle - CONFIDENCE * sqrt(share * (1 - share) / of + z2 / (4 * of * of))) / (1 + z2 / of)


def proof(trial: Trial | None) -> Proof:
    """What the labels of a trial come to."""
    labels = trial.labels.values() if trial else ()
    added = [label for label in labels if label.added]
    return Proof(sum(x.spam for x in labels), len(labels), sum(x.spam for x in added), len(added))


def counter_of(trial_id: str) -> str:
    """The key under which labels of a trial are counted."""
    return f"trial:{trial_id}"


def sampled(content_id: str, trial_id: str) -> bool:
    """Whether staff are to look at a content, if the trial would hide it: by lot, and the same lot everywhere."""
    return crc32(f"{trial_id}/{content_id}".encode()) % SAMPLED == 0


def opined(content: Content, live: Verdict, tried: tuple[str, Verdict] | None, now: datetime) -> Content:
    """A content with what is on trial would have said of it, beside what is in force; nothing of it is hidden by that.

    One of the sample waits for staff, who are not told why.
    """
    if tried is None:
        return replace(content, opinion=None) if content.opinion else content
    trial_id, verdict = tried
    opinion = Opinion(
        trial_id=trial_id,
        hidden=verdict.hide,
        live=live.hide,
        score=verdict.score,
        reasons=tuple(Found(r.rule, r.weight, *r.evidence) for r in verdict.reasons),
        rules=verdict.rules,
        model=verdict.model,
    )
    asked = verdict.hide and not content.decided and sampled(content.id, trial_id)
    return replace(content, opinion=opinion, review_since=content.review_since or (now if asked else None))


def label_of(content: Content) -> Opinion | None:
    """The opinion that a decision of staff on this content is a label of: the trial would hide it, and it was drawn."""
    opinion = content.opinion
    drawn = opinion is not None and opinion.hidden and sampled(content.id, opinion.trial_id)
    return opinion if drawn else None


def labelled(trial: Trial, content_id: str, label: Label, now: datetime) -> Trial:
    """The trial after a decision of staff; an older one than the one at hand changes nothing."""
    known = trial.labels.get(content_id)
    if known is not None and known.version >= label.version:
        return trial
    labels: Mapping[str, Label] = {
        **{id_: x for id_, x in trial.labels.items() if id_ != content_id},
        content_id: label,
    }
    return replace(trial, labels=dict(list(labels.items())[-MOST_LABELS:]), last=now)


def begun(draft: Draft | None, base: str) -> tuple[Draft, Shadow]:
    """A draft that goes on trial beside the set with the version `base`, and what is judged by from now on too.

    Raises:
        Rejected: no such draft (404), or made for other rules than those in force (409).
    """
    if draft is None:
        raise Rejected("unknown-draft", 404)
    if draft.base != base:
        raise Rejected("rules-changed-since", 409, extra={"rules": base})
    return replace(draft, tried=True), Shadow(id=SHADOW, draft_id=draft.id, source=draft.source)


def ended(shadow: Shadow | None, draft_id: str) -> Shadow:
    """Nothing on trial any more. Raises Rejected: this draft is not on trial (404)."""
    if shadow is None or shadow.draft_id != draft_id:
        raise Rejected("unknown-trial", 404)
    return replace(shadow, draft_id="", source="")


def proven(draft: Draft, found: Proof) -> float | None:
    """The lower bound by which a draft comes into force; None for one that was never on trial.

    Raises:
        Rejected: it was, and staff did not agree with it enough yet (409).
    """
    if not draft.tried:
        return None
    if not found.holds:
        told = {"bound": round(found.bound, 4), "needed": NEEDED, "labelled": found.labelled}
        raise Rejected("unproven", 409, extra=told)
    return round(found.bound, 4)
