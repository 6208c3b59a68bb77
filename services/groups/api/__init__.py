"""HTTP of groups: parse, authorise, hand a command to the lane, answer."""

from fastapi import APIRouter

from services.groups.store import Store
from shared.desk import Desk

from . import group, talk


def routes(desk: Desk, store: Store) -> APIRouter:
    """The routes of groups."""
    api = APIRouter()
    api.include_router(group.routes(desk, store))
    api.include_router(talk.routes(desk, store))
    return api
