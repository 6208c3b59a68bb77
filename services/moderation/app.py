"""Composition root of moderation: the only file that constructs things."""

from dataclasses import replace

from services.moderation.api import routes
from services.moderation.core import RULES
from services.moderation.handlers import router
from services.moderation.settings import Settings
from services.moderation.store import COLLECTIONS, INDEXES, Store
from shared.app import App, Parts
from shared.desk import Desk
from shared.mongo import MongoDatabase


def build(settings: Settings, database: MongoDatabase, desk: Desk) -> Parts:
    """Put the service together."""
    rules = replace(RULES, threshold=settings.threshold)
    why = {rule.name: rule.why for rule in rules.table}
    return Parts(router(rules), routes(Store(database), why))


APP = App(
    name="moderation",
    about="Verdicts on notes and comments, with reasons.",
    settings=Settings,
    collections=COLLECTIONS,
    indexes=INDEXES,
    build=build,
)
