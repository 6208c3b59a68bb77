"""HTTP of groups: parse, authorise, hand a command to the lane, answer."""

from fastapi import APIRouter

from services.groups.settings import Settings
from services.groups.store import Store
from shared.desk import Desk
from shared.http import joined

from . import group, members, talk


def routes(desk: Desk, store: Store, settings: Settings) -> APIRouter:
    """The routes of groups."""
    return joined(group.routes(desk, store), members.routes(desk, store, settings), talk.routes(desk, store))
