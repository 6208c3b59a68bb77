"""Composition root of notes: the only file that constructs things."""

from services.notes.api import routes
from services.notes.handlers import router
from services.notes.settings import Settings
from services.notes.state import states
from services.notes.store import COLLECTIONS, INDEXES, Store
from shared.app import App, Parts
from shared.desk import Desk
from shared.gate import gate_of
from shared.mongo import MongoDatabase


def build(settings: Settings, database: MongoDatabase, desk: Desk) -> Parts:
    """Put the service together."""
    gate = gate_of(settings)
    return Parts(
        router(settings, gate),
        routes(desk, Store(database), settings),
        states=states(settings.need_steps),
        gauges=gate.gauges,
        followers=(gate.follower,),
    )


APP = App(
    name="notes",
    about="Notes, comments, needs, advice and the hand-over to groups.",
    settings=Settings,
    collections=COLLECTIONS,
    indexes=INDEXES,
    build=build,
)
