"""In-memory views of rules, text model and bar, in every process: what its own lane commits at once, the rest soon."""

from collections.abc import Collection
from dataclasses import replace
from time import monotonic

import structlog

from services.moderation.core import Bar, Judges, ModelState, Policy, Shadow, TextModel, model_of, state_id
from shared.flow.ports import Database
from shared.flow.view import CollectionView
from shared.judging.verdict import Kept
from shared.rules import BadRules, RuleSet, ruleset

log = structlog.get_logger()

KEPT_SECONDS = 60.0


class RulesView(CollectionView[Policy]):
    """The rules that are in force: those of the release until somebody has changed them.

    A set that this release cannot read, as one of a newer release in a rollout, leaves those before it in force here.
    """

    def __init__(self, database: Database, seconds: float, base: RuleSet, off: Collection[str] = ()) -> None:
        super().__init__(database, Policy, seconds)
        self._off = tuple(off)
        self.release = base
        self._begun = ruleset(base.source, self._off) if self._off else base
        self.rules = self._begun

    def put(self, document: Policy) -> None:
        """Take up what was changed."""
        super().put(document)
        try:
            self.rules = ruleset(document.source, self._off)
        except BadRules as bad:
            log.error("rules_not_taken", version=document.version, fault=str(bad.faults[0]))

    def drop(self, id_: str) -> None:
        """Those of the release again."""
        super().drop(id_)
        self.rules = self._begun


class ShadowView(CollectionView[Shadow]):
    """What is on trial: a draft of rules, or else the model that this process was given for that.

    A model on trial learns nothing and keeps the bar that its training gave: it is one version that is looked at.
    """

    def __init__(
        self, database: Database, seconds: float, off: Collection[str] = (), model: Judges | None = None
    ) -> None:
        super().__init__(database, Shadow, seconds)
        self._off, self._model = tuple(off), model
        self._draft: tuple[str, RuleSet] | None = None

    def put(self, document: Shadow) -> None:
        """Take up what begins or ends. A set that this release cannot read is on trial elsewhere."""
        super().put(document)
        self._draft = None
        if document.draft_id:
            try:
                self._draft = document.draft_id, ruleset(document.source, self._off)
            except BadRules as bad:
                log.error("trial_not_taken", draft=document.draft_id, fault=str(bad.faults[0]))

    def drop(self, id_: str) -> None:
        """Nothing any more."""
        super().drop(id_)
        self._draft = None

    @property
    def rules(self) -> RuleSet | None:
        """The set of rules on trial, if there is one."""
        return self._draft[1] if self._draft else None

    @property
    def trial_id(self) -> str:
        """The draft, or the version of the model; empty: none."""
        return self._draft[0] if self._draft else self._model.model.version if self._model else ""

    def beside(self, live: Judges) -> tuple[str, Judges] | None:
        """The id of what is on trial, and who judges by it: what is in force, but for one part."""
        if self._draft:
            return self.trial_id, replace(live, rules=self._draft[1])
        return (self.trial_id, replace(self._model, rules=live.rules)) if self._model else None


class ModelView(CollectionView[ModelState]):
    """The text model as it is now: the one that this process began with, and what was learned since."""

    def __init__(self, database: Database, seconds: float, origin: TextModel) -> None:
        super().__init__(database, ModelState, seconds)
        self.origin = origin
        self.model = origin
        self._kept, self._since = Kept(), 0.0

    @property
    def kept(self) -> Kept:
        """What it has read lately; what is older than a minute is gone at the next look, for authors delete texts."""
        if monotonic() >= self._since + KEPT_SECONDS:
            self._kept, self._since = Kept(), monotonic()
        return self._kept

    def keeps(self, document: ModelState) -> bool:
        """Only what began as this process did: in a rollout two origins live side by side."""
        return document.id == state_id(self.origin)

    def put(self, document: ModelState) -> None:
        """Take up what was learned."""
        self.model = model_of(document)

    def forget(self) -> None:
        """Texts, too: one of them may be erased."""
        super().forget()
        self._kept = Kept()

    def drop(self, id_: str) -> None:
        """Begin anew: somebody has taken the state away."""
        self.model = self.origin


class BarView(CollectionView[Bar]):
    """The bar of that model; until enough texts of the community were watched there is none."""

    def __init__(self, database: Database, seconds: float, origin: TextModel) -> None:
        super().__init__(database, Bar, seconds)
        self._none = Bar(id=state_id(origin))
        self.bar = self._none

    def keeps(self, document: Bar) -> bool:
        """Only the bar of this model."""
        return document.id == self._none.id

    def put(self, document: Bar) -> None:
        """Take up the newer bar."""
        self.bar = document

    def drop(self, id_: str) -> None:
        """No bar any more."""
        self.bar = self._none
