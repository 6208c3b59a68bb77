"""What the routes of notes have in common: errors, and which text a caller has read."""

from typing import Any

import msgspec
from fastapi import Response

from services.notes.core import Comment, Note
from shared.errors import Rejected
from shared.http import etag

STAFF = "moderation"
"""Scope of those who may read the history of any text, and delete it."""
SOME_ID = "0b9f8a52-6c1d-4e55-9d0a-3a6f0d6f7c11"
NOTE_GONE = {404: ["unknown-note"], 410: ["note-deleted"]}
COMMENT_GONE = {404: ["unknown-comment"], 410: ["comment-deleted"]}
EDITING = {403: ["not-the-author"], 409: ["too-many-edits"], 412: ["edited-meanwhile"], 428: ["if-match-required"]}


def required(match: int | None) -> int:
    """The revision that the caller has read. Rejected 428 where none is named."""
    if match is None:
        raise Rejected("if-match-required", 428, detail="Send `If-Match` with the `ETag` of what you have read.")
    return match


def tag(response: Response, content: Note | Comment, person: str) -> None:
    """Name the text by an ``ETag``: to others what they see, to its author what was written last."""
    response.headers["ETag"] = etag(content.latest if content.author_id == person else content.revision)


def tagged(reply: Response) -> Response:
    """The reply to an edit, with the ``ETag`` of what was written."""
    body: dict[str, Any] = msgspec.json.decode(reply.body)
    reply.headers["ETag"] = etag(body["revision"])
    return reply
