"""HTTP of notes: parse, authorise, hand a command to the lane, answer."""

from fastapi import APIRouter

from services.notes.api import comments, notes
from services.notes.settings import Settings
from services.notes.store import Store
from shared.desk import Desk
from shared.http import joined


def routes(desk: Desk, store: Store, settings: Settings) -> APIRouter:
    """The routes of notes."""
    return joined(notes.routes(desk, store, settings.hot.days), comments.routes(desk, store, settings.need_steps))
