"""Composition root of moderation: the only file that constructs things."""

import sys
from pathlib import Path
from typing import NoReturn

from services.moderation.api import routes
from services.moderation.commands import backtest, load, score, train
from services.moderation.core import BadModel, Judges, TextModel, blank
from services.moderation.handlers import router
from services.moderation.settings import Settings
from services.moderation.state import STATES
from services.moderation.store import COLLECTIONS, INDEXES, Store
from services.moderation.view import BarView, ModelView, RulesView, ShadowView
from shared.app import App, Parts
from shared.desk import Desk
from shared.mongo import MongoDatabase
from shared.release import base_rules, unknown_rules
from shared.rows import BAD_INPUT
from shared.telemetry import ModelGauges, ModelReport


def build(settings: Settings, database: MongoDatabase, desk: Desk) -> Parts:
    """Put the service together."""
    origin, base, seconds = begin(settings.text_model), base_rules(), settings.view_seconds
    if unknown := unknown_rules(settings.rules_off):
        _end(f"setting LIANYI_RULES_OFF: the release has no rules called {', '.join(unknown)}")
    rules = RulesView(database, seconds, base, settings.rules_off)
    shadow = ShadowView(database, seconds, settings.rules_off, begin_trial(settings.shadow_model))
    model, bar = ModelView(database, seconds, origin), BarView(database, seconds, origin)
    gauges = ModelGauges(lambda: ModelReport(model.model.ham + model.model.spam, bar.bar.at))
    views = (rules, shadow, model, bar)
    return Parts(router(settings, origin), routes(desk, Store(database), (rules, shadow)), views, STATES, (gauges,))


def begin(path: str) -> TextModel:
    """The text model to begin with. A file that cannot be used ends the process with a line."""
    try:
        return load(Path(path)).model if path else blank()
    except BadModel as bad:
        _end(f"setting LIANYI_TEXT_MODEL: {bad}")


def begin_trial(path: str) -> Judges | None:
    """The text model on trial, with the bar that its training gave. A file that cannot be used ends the process."""
    try:
        return load(Path(path)) if path else None
    except BadModel as bad:
        _end(f"setting LIANYI_SHADOW_MODEL: {bad}")


def _end(told: str) -> NoReturn:
    sys.stderr.write(f"{told}\n")
    raise SystemExit(BAD_INPUT) from None


APP = App(
    name="moderation",
    about="Verdicts on notes, comments and messages, with reasons; reports, and what staff decide.",
    settings=Settings,
    collections=COLLECTIONS,
    indexes=INDEXES,
    build=build,
    commands={"train": train, "score": score, "backtest": backtest},
)
