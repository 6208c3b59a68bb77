"""Which rules are in force, who proposed and who approved them: the live set, drafts, and every change of it."""

from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

from msgspec.structs import replace

from shared.errors import Rejected
from shared.flow.documents import Document
from shared.rules import BadRules, RuleSet, ruleset

RULES = "rules"
"""The id of the live set."""
Way = Literal["approved", "rolled_back"]


class Policy(Document, frozen=True, kw_only=True):
    """The set that is in force; until the first change there is none, and the rules of the release are.

    `number` counts the changes, `version` is that of the set when it was approved.
    """

    COLLECTION: ClassVar[str] = "policies"
    REBUILT: ClassVar[bool] = False
    FOLLOWED: ClassVar[bool] = True

    number: int
    version: str
    source: str


class Draft(Document, frozen=True, kw_only=True):
    """A set that somebody proposes in place of the one with the version `base`. It stays what it was proposed as.

    Once it was `tried` beside that, it comes into force only if it has proven itself.
    """

    COLLECTION: ClassVar[str] = "rule_drafts"
    REBUILT: ClassVar[bool] = False

    version: str
    base: str
    source: str
    note: str
    author_id: str
    at: datetime
    tried: bool = False


class RuleChange(Document, frozen=True, kw_only=True):
    """One change of the live set; it never changes itself."""

    COLLECTION: ClassVar[str] = "rule_changes"
    REBUILT: ClassVar[bool] = False

    number: int
    way: Way
    version: str
    replaces: str
    source: str
    note: str
    author_id: str
    by_id: str
    at: datetime
    proven: float | None = None


def in_force(policy: Policy | None, release: RuleSet) -> str:
    """The version of the set that is in force."""
    return policy.version if policy else release.version


def checked(source: str, base: str) -> RuleSet:
    """The set that a proposal would be.

    Raises:
        Rejected: it is no set of rules (422, each fault with line, column, what and hint), or the one in force (409).
    """
    try:
        rules = ruleset(source)
    except BadRules as bad:
        told = [{"line": f.place.line, "column": f.place.column, "what": f.what, "hint": f.hint} for f in bad.faults]
        raise Rejected("bad-rules", 422, detail=str(bad.faults[0]), extra={"faults": told}) from None
    if rules.version == base:
        raise Rejected("rules-in-force", 409)
    return rules


def approved(draft: Draft | None, policy: Policy | None, release: RuleSet, person_id: str, now: datetime) -> RuleChange:
    """The change by which a draft comes into force.

    Raises:
        Rejected: no such draft (404), one's own (403), or made for other rules than those in force (409).
    """
    if draft is None:
        raise Rejected("unknown-draft", 404)
    if draft.author_id == person_id:
        raise Rejected("own-draft", 403, detail="Somebody else has to approve it.")
    base = in_force(policy, release)
    if draft.base != base:
        raise Rejected("rules-changed-since", 409, extra={"rules": base})
    number = policy.number + 1 if policy else 1
    return RuleChange(
        id=change_id(number),
        number=number,
        way="approved",
        version=draft.version,
        replaces=base,
        source=draft.source,
        note=draft.note,
        author_id=draft.author_id,
        by_id=person_id,
        at=now,
    )


class Changes(NamedTuple):
    """The live set, the change that made it so, and the one before that."""

    policy: Policy | None
    last: RuleChange | None
    earlier: RuleChange | None


def rolled_back(changes: Changes, release: RuleSet, by: tuple[str, str], now: datetime) -> RuleChange:
    """The change that puts back what the last one has replaced: the set of an earlier change, or that of the release.

    `by` is who does it, and why. One person is enough, since what comes back was in force before.

    Raises:
        Rejected: no such change (404), or not the last one (409).
    """
    policy, last, earlier = changes
    if policy is None or last is None:
        raise Rejected("unknown-change", 404)
    if policy.number != last.number:
        raise Rejected("rules-changed-since", 409, extra={"change_id": change_id(policy.number)})
    return RuleChange(
        id=change_id(last.number + 1),
        number=last.number + 1,
        way="rolled_back",
        version=earlier.version if earlier else release.version,
        replaces=last.version,
        source=earlier.source if earlier else release.source,
        note=by[1],
        author_id=earlier.author_id if earlier else "",
        by_id=by[0],
        at=now,
    )


def after(policy: Policy | None, change: RuleChange) -> Policy:
    """The live set after a change."""
    known = policy or Policy(id=RULES, number=0, version="", source="")
    return replace(known, number=change.number, version=change.version, source=change.source)


def change_id(number: int) -> str:
    """The id of a change."""
    return f"{RULES}-{number:06d}"


def change_before(id_: str) -> str:
    """The id of the change before one; of what is no change an id that none has."""
    number = id_.removeprefix(f"{RULES}-")
    return change_id(int(number) - 1 if number.isascii() and number.isdigit() else 0)
