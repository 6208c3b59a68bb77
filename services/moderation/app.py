"""Composition root of moderation: the only file that constructs things."""

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
    why = {rule.name: rule.why for rule in RULES.table}
    return Parts(router(settings), routes(desk, Store(database), why))


APP = App(
    name="moderation",
    about="Verdicts on notes, comments and messages, with reasons; reports, and what staff decide.",
    settings=Settings,
    collections=COLLECTIONS,
    indexes=INDEXES,
    build=build,
)
