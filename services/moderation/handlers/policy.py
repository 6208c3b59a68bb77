"""Staff change the rules: one proposes, another approves; what was in force comes back by one word."""

from msgspec.structs import replace

from services.moderation.core import (
    Changes,
    Draft,
    Policy,
    RuleChange,
    Shadow,
    Trial,
    after,
    approved,
    checked,
    counter_of,
    ended,
    in_force,
    proof,
    proven,
    rolled_back,
)
from services.moderation.core.policy import RULES, change_before
from services.moderation.core.trial import SHADOW
from services.moderation.state import changed
from services.moderation.view import RulesView
from shared.flow.router import Command, Reply
from shared.flow.work import Work


class ProposeRules(Command, frozen=True, kw_only=True):
    """Propose a set in place of the one in force."""

    draft_id: str
    source: str
    note: str


class ApproveRules(Command, frozen=True, kw_only=True):
    """Put a draft of somebody else into force."""

    draft_id: str


class RollBackRules(Command, frozen=True, kw_only=True):
    """Take back the last change, named by its id."""

    change_id: str
    note: str


def propose_rules(command: ProposeRules, work: Work) -> Reply:
    """A draft, if it is a set of rules; what it would cost at most is told with it."""
    base = in_force(work.get(Policy, RULES), work.view(RulesView).release)
    rules = checked(command.source, base)
    draft = Draft(
        id=command.draft_id,
        version=rules.version,
        base=base,
        source=command.source,
        note=command.note,
        author_id=command.person_id,
        at=work.now,
    )
    work.put(draft)
    cost = {"steps": rules.steps, "parts": rules.parts, "count": len(rules.rules)}
    return Reply(status=201, body={"draft_id": draft.id, "rules": rules.version, "replaces": base, **cost})


def approve_rules(command: ApproveRules, work: Work) -> Reply:
    """From now on this is the set; every process follows within its look at the collection."""
    policy, release, draft = work.get(Policy, RULES), work.view(RulesView).release, work.get(Draft, command.draft_id)
    change = approved(draft, policy, release, command.person_id, work.now)
    found = proof(work.get(Trial, counter_of(command.draft_id)))
    return _change(replace(change, proven=proven(draft, found) if draft else None), work)


def roll_back_rules(command: RollBackRules, work: Work) -> Reply:
    """What the last change replaced is in force again."""
    last, earlier = (work.get(RuleChange, id_) for id_ in (command.change_id, change_before(command.change_id)))
    changes = Changes(work.get(Policy, RULES), last, earlier)
    release, by = work.view(RulesView).release, (command.person_id, command.note)
    return _change(rolled_back(changes, release, by, work.now), work)


def _change(change: RuleChange, work: Work) -> Reply:
    # A trial is over with the set that it was made beside.
    if (shadow := work.get(Shadow, SHADOW)) and shadow.draft_id:
        work.put(ended(shadow, shadow.draft_id))
    work.put(after(work.get(Policy, RULES), change))
    change = work.insert(change)
    work.emit(changed(change), change)
    return Reply(
        status=200,
        body={"change_id": change.id, "number": change.number, "rules": change.version, "replaces": change.replaces},
    )
