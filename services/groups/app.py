"""Composition root of groups: the only file that constructs things."""

from services.groups.api import routes
from services.groups.core import Message, Need
from services.groups.handlers import message_news, need_news, router
from services.groups.settings import Settings
from services.groups.state import STATES
from services.groups.store import COLLECTIONS, INDEXES, Store
from shared.app import App, Parts
from shared.desk import Desk
from shared.flow.states import State
from shared.gate import gate_of
from shared.mongo import MongoDatabase


def build(settings: Settings, database: MongoDatabase, desk: Desk) -> Parts:
    """Put the service together."""
    talk = (State(Message, message_news), State(Need, lambda need: need_news(need, settings.need_steps)))
    gate = gate_of(settings)
    return Parts(
        router(settings, gate),
        routes(desk, Store(database), settings),
        states=(*STATES, *talk),
        gauges=gate.gauges,
        followers=(gate.follower,),
    )


APP = App(
    name="groups",
    about="Groups with a charter and a door, members and the tiers that value earns.",
    settings=Settings,
    collections=COLLECTIONS,
    indexes=INDEXES,
    build=build,
)
