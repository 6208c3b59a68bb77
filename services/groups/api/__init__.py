"""HTTP of groups: parse, authorise, hand a command to the lane, answer."""

from fastapi import APIRouter

from services.groups.settings import Settings
from services.groups.store import Store
from shared.desk import Desk

from . import group, members, talk


def routes(desk: Desk, store: Store, settings: Settings) -> APIRouter:
    """The routes of groups."""
    api = APIRouter()
    api.include_router(group.routes(desk, store))
    api.include_router(members.routes(desk, store, settings))
    api.include_router(talk.routes(desk, store))
    return api
