"""Cursor pagination: a page, where the next one begins, and what a caller may ask for."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, NamedTuple, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Rejected

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# To the year 9999 and no further, so that every number that passes is a datetime.
_POSITION = re.compile(r"(0|-?[1-9][0-9]{0,14}):([A-Za-z0-9_.:-]{1,64})")
MAX_CURSOR = 128


class Cursor(NamedTuple):
    """The last item that was seen, in the order (at, id). `at` is aware and as exact as BSON: milliseconds."""

    at: datetime
    id: str


def encode_cursor(cursor: Cursor) -> str:
    """Opaque and safe in a URL. What is finer than a millisecond is cut off; ValueError for a naive time."""
    if cursor.at.tzinfo is None:
        raise ValueError("a cursor's time is aware")
    position = f"{(cursor.at - _EPOCH) // _MILLISECOND}:{cursor.id}"
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Cursor:
    """The reverse. Raises Rejected 400 "invalid-cursor" for whatever encode_cursor does not give."""
    try:
        if len(text) > MAX_CURSOR:
            raise ValueError("too long")
        position = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode("ascii")
        found = _POSITION.fullmatch(position)
        if found is None:
            raise ValueError("no position")
        cursor = Cursor(_EPOCH + int(found[1]) * _MILLISECOND, found[2])
        # Base64 is read leniently; only the one spelling that we write is ours.
        if encode_cursor(cursor) != text:
            raise ValueError("another spelling")
    except (ValueError, OverflowError, binascii.Error):
        raise Rejected("invalid-cursor", 400, detail="Take it from `next` of a page, as it is.") from None
    return cursor


class Page(BaseModel, Generic[T]):
    """Some items, and the cursor of those behind them; without `next` there are none, as of this reading."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next: str | None = Field(None, description="The `cursor` for the next page; null on the last.")


def page(found: Sequence[T], limit: int, cursor_of: Callable[[T], Cursor]) -> Page[T]:
    """A page of at most `limit` items out of `found`, which was read with a limit of one more than that."""
    items = list(found[:limit])
    more = len(found) > limit and items
    return Page(items=items, next=encode_cursor(cursor_of(items[-1])) if more else None)


@dataclass(frozen=True, slots=True)
class Window:
    """What a caller asked for: `limit` items behind `after`, or from the start."""

    limit: int
    after: Cursor | None

    @property
    def read(self) -> int:
        """How many to read: one more than asked for, which tells whether there is a next page."""
        return self.limit + 1


async def window(
    limit: Annotated[int, Query(ge=1, le=100, description="How many items at most.")] = 20,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Window:
    """FastAPI dependency: the window of a list route."""
    return Window(limit, None if cursor is None else decode_cursor(cursor))


Paging = Annotated[Window, Depends(window)]
