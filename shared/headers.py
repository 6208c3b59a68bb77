"""Headers of requests that the services have in common, and how the OpenAPI document tells of them.

A dependency is ``async`` though it waits for nothing: FastAPI runs any other in a thread, at the cost of a hop there
and back in each request.
"""

from __future__ import annotations

import re
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Header, Request
from starlette.datastructures import Headers

from shared.errors import Rejected

_CORRELATION = re.compile(r"[A-Za-z0-9-]{1,64}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_VISIBLE = re.compile(r"[!-~]{1,128}")
_ETAG = re.compile(r'"([0-9]{1,18})"')
_KEY = Header(
    alias="Idempotency-Key",
    description="1 to 128 visible ASCII.",
    json_schema_extra={"pattern": f"^{_VISIBLE.pattern}$"},
)
_TAG = Header(
    alias="If-Match",
    description="`ETag` of what was read.",
    json_schema_extra={"pattern": rf"^({_ETAG.pattern}|\*)$"},
)


def correlation_of(headers: Headers) -> str:
    """`X-Correlation-Id` if it is one, else the trace id of a W3C `traceparent`, else a new one."""
    asked = headers.get("x-correlation-id", "")
    if _CORRELATION.fullmatch(asked):
        return asked
    traced = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return traced[1] if traced else uuid4().hex


def correlation_id(request: Request) -> str:
    """The id that ties this request to the events it causes."""
    return str(request.state.correlation_id)


def idempotency_key(key: str | None) -> str | None:
    """The key if one was sent; Rejected 400 "invalid-idempotency-key" if it is none."""
    if key is not None and not _VISIBLE.fullmatch(key):
        raise Rejected("invalid-idempotency-key", 400, detail="1 to 128 visible ASCII characters.")
    return key


def etag(version: int) -> str:
    """The `ETag` of a document's version."""
    return f'"{version}"'


async def if_match(tag: Annotated[str | None, _TAG] = None) -> int | None:
    """FastAPI dependency: the version the caller has read; None if he does not care; Rejected 400 otherwise."""
    if tag is None or tag == "*":
        return None
    found = _ETAG.fullmatch(tag)
    if found is None:
        raise Rejected("invalid-if-match", 400, detail="Take it from `ETag`, as it is.")
    return int(found[1])


IdempotencyKey = Annotated[str | None, _KEY]
"""As it was sent, for ``idempotency_key`` to look at."""
IfMatch = Annotated[int | None, Depends(if_match)]
