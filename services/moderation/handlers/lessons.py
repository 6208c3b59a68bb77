"""What the text model learns: in the one lane that its key has."""

from zlib import crc32

from services.moderation.core import (
    COUNTER,
    PARTS,
    Bar,
    Content,
    Judges,
    ModelState,
    TextModel,
    ToldModel,
    Verdict,
    above,
    found_spam,
    learned,
    model_due,
    model_of,
    read,
    state_id,
    state_of,
    told_ids,
    watched,
    weights_of,
)
from services.moderation.view import BarView, ModelView, RulesView
from shared.contracts.moderation import ContentLabelled, ContentWatched, ModelTold
from shared.flow.work import Work

WATCHED = 8
"""One content in so many is watched for the bar."""


def watch(content: Content, verdict: Verdict, work: Work) -> None:
    """Have a content watched, if it is one of those, the rules have spared it, and the model has an opinion."""
    spared = verdict.spared and work.view(ModelView).model.speaks
    if spared and crc32(content.id.encode()) % WATCHED == 0:
        work.emit(ContentWatched(counter_id=COUNTER, content_id=content.id, chance=verdict.chance), content)


def content_labelled(event: ContentLabelled, work: Work, origin: TextModel) -> str | None:
    """Learn what staff have decided, if the text is still the one that they read.

    Spam that had been watched as if it were honest leaves the bar, whatever has become of the text. Where it lay above
    it has an outcome of its own: what the model hid alone was no mistake.
    """
    bar = work.get(Bar, state_id(origin))
    left = found_spam(bar, event.content_id) if bar is not None and event.spam else bar
    if bar is not None and left is not None and left != bar:
        work.put(left)
        if above(left) < above(bar):
            _learn(event, work, origin)
            return "found"
    return _learn(event, work, origin)


def _learn(event: ContentLabelled, work: Work, origin: TextModel) -> str | None:
    content = work.get(Content, event.content_id)
    if content is None or content.deleted or content.revision != event.revision:
        return "gone"
    state = work.get(ModelState, state_id(origin))
    model, before = learned(
        model_of(state) if state else origin, [(read(content.text, work.view(RulesView).rules), event.spam)]
    )
    if before == [None]:
        return "one-sided"
    work.put(state_of(state_id(origin), model))
    return None


def tell_model(work: Work) -> None:
    """Tell the model and its bar to those who judge beforehand, if it is time for that."""
    model, bar = work.view(ModelView).model, work.view(BarView).bar
    judges = Judges(work.view(RulesView).rules, model, bar)
    for part, id_ in enumerate(told_ids()):
        if model_due(work.get(ToldModel, id_), judges, work.now):
            told = work.put(ToldModel(id=id_, version=judges.version, at=work.now))
            work.emit(
                ModelTold(
                    policy_id=id_,
                    model=judges.version,
                    ham=model.ham,
                    spam=model.spam,
                    bar=bar.at,
                    part=part,
                    parts=PARTS,
                    weights=weights_of(model, part),
                ),
                told,
            )


def content_watched(event: ContentWatched, work: Work, origin: TextModel) -> str | None:
    """Take a chance into the bar. One that lay above it has an outcome of its own: how many do is to be watched."""
    bar = work.get(Bar, state_id(origin)) or Bar(id=state_id(origin))
    work.put(watched(bar, [event.chance], event.content_id))
    tell_model(work)
    return "above" if bar.at is not None and event.chance > bar.at else None
