"""Composition root of recommend: the only file that constructs things."""

from services.recommend.api import routes
from services.recommend.commands import place
from services.recommend.handlers import router
from services.recommend.settings import Settings
from services.recommend.store import COLLECTIONS, INDEXES, Store
from services.recommend.view import ProfilesView
from shared.app import App, Parts
from shared.desk import Desk
from shared.mongo import MongoDatabase


def build(settings: Settings, database: MongoDatabase, desk: Desk) -> Parts:
    """Put the service together. It takes no commands yet, so the desk stays empty-handed."""
    view = ProfilesView(database, settings.view_seconds)
    return Parts(router(settings), routes(Store(database)), (view,))


APP = App(
    name="recommend",
    about="The right group for a note, and why.",
    settings=Settings,
    collections=COLLECTIONS,
    indexes=INDEXES,
    build=build,
    commands={"place": place},
)
