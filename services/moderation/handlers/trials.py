"""A draft of rules is tried beside those in force; what staff say of a sample of it is counted."""

from services.moderation.core import (
    Content,
    Draft,
    Label,
    Policy,
    Shadow,
    Trial,
    begun,
    counter_of,
    ended,
    in_force,
    label_of,
    labelled,
)
from services.moderation.core.policy import RULES
from services.moderation.core.trial import SHADOW
from services.moderation.view import RulesView
from shared.contracts.moderation import TrialLabelled
from shared.flow.router import Command, Reply
from shared.flow.work import Work


class TryRules(Command, frozen=True, kw_only=True):
    """Judge by a draft beside the rules in force, and hide nothing by it."""

    draft_id: str


class EndTrial(Command, frozen=True, kw_only=True):
    """Judge by this draft no more."""

    draft_id: str


def try_rules(command: TryRules, work: Work) -> Reply:
    """From now on it is on trial, in place of another one that was."""
    base = in_force(work.get(Policy, RULES), work.view(RulesView).release)
    draft, shadow = begun(work.get(Draft, command.draft_id), base)
    work.put(draft)
    work.put(shadow)
    return Reply(status=200, body={"draft_id": draft.id, "rules": draft.version, "beside": base})


def end_trial(command: EndTrial, work: Work) -> Reply:
    """Nothing is on trial any more; what was counted stays."""
    work.put(ended(work.get(Shadow, SHADOW), command.draft_id))
    return Reply(status=200, body={"draft_id": command.draft_id})


def label(content: Content, spam: bool, work: Work) -> None:
    """Hand a decision of staff to the trial that had an opinion on the content, if it was drawn for that."""
    if opinion := label_of(content):
        work.emit(
            TrialLabelled(
                counter_id=counter_of(opinion.trial_id),
                content_id=content.id,
                version=content.v,
                added=not opinion.live,
                spam=spam,
            ),
            content,
        )


def trial_labelled(event: TrialLabelled, work: Work) -> str | None:
    """Count a label, in the lane of its trial."""
    trial = work.get(Trial, event.counter_id) or Trial(id=event.counter_id)
    after = labelled(trial, event.content_id, Label(event.version, event.added, event.spam), work.now)
    if after is trial:
        return "older"
    work.put(after)
    return None
