"""Composition root of recommend: the only file that constructs things."""

from services.recommend.api import Groups, routes
from services.recommend.commands import evaluate, place, suggest
from services.recommend.handlers import router
from services.recommend.settings import Settings
from services.recommend.state import STATES
from services.recommend.store import COLLECTIONS, INDEXES, Store
from services.recommend.view import CirclesView, ProfilesView, PulsesView
from services.recommend.weights import LiveWeights
from shared.app import App, Parts
from shared.desk import Desk
from shared.mongo import MongoDatabase


def build(settings: Settings, database: MongoDatabase, desk: Desk) -> Parts:
    """Put the service together."""
    profiles = ProfilesView(database, settings.view_seconds)
    circles = CirclesView(database, settings.view_seconds)
    pulses = PulsesView(database, settings.view_seconds)
    weights = LiveWeights(settings.weights)
    groups = Groups(profiles, circles, pulses, settings.suggestions, weights)
    return Parts(router(settings), routes(desk, Store(database), groups), (profiles, circles, pulses), states=STATES)


APP = App(
    name="recommend",
    about="The right group for a note or a person, and why.",
    settings=Settings,
    collections=COLLECTIONS,
    indexes=INDEXES,
    build=build,
    commands={"place": place, "suggest": suggest, "evaluate": evaluate},
)
