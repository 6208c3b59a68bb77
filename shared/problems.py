"""Every error as `application/problem+json` (RFC 9457), in the answers and in the OpenAPI document.

A problem's `type` is `urn:lianyi:problem:<slug>`: stable, what a client branches on. A body never echoes
the caller's input and never shows a traceback.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from shared.errors import Rejected, Transient

log = structlog.get_logger(__name__)

PROBLEM_JSON = "application/problem+json"
MAX_FAULTS = 20
_REF = "#/components/schemas/"
_URN = "urn:lianyi:problem:"
_CHALLENGES = {
    "missing-token": "Bearer",
    "invalid-token": 'Bearer error="invalid_token"',
    "missing-scope": 'Bearer error="insufficient_scope"',
}
# Pydantic's own sentence for these repeats what the caller sent.
_REASONS = {
    "extra_forbidden": "has a field that is not known",
    "union_tag_invalid": "the tag names no known kind",
    "json_invalid": "is not JSON",
}


class Problem(BaseModel):
    """RFC 9457. Some types carry members of their own beside these; a client may ignore them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(description="Stable; what to branch on.", examples=[f"{_URN}unknown-note"])
    title: str = Field(description="The same for every occurrence of a type.", examples=["Unknown note"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field("", description="About this occurrence, for people.")


class Fault(BaseModel):
    """One thing that is wrong with a request. Never the value that was sent."""

    model_config = ConfigDict(frozen=True)

    place: str = Field(description="Where, with slashes.", examples=["body/tags/0"])
    reason: str = Field(description="Why.", examples=["String should have at most 40 characters"])


class InvalidProblem(Problem):
    """The request has a wrong form; `errors` lists where and why, the first 20."""

    errors: list[Fault]


def answer(
    status: int,
    slug: str,
    title: str,
    detail: str = "",
    *,
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem+json response. Members of `extra` never replace the standard ones."""
    standard = {"type": _URN + slug, "title": title, "status": status, "detail": detail}
    body = to_json({**standard, **(extra or {}), **standard}, fallback=str)
    return Response(body, status, headers=dict(headers or {}), media_type=PROBLEM_JSON)


def rejected(error: Rejected) -> Response:
    """What a `Rejected` looks like on the wire; 401 and a missing scope carry `WWW-Authenticate`."""
    challenge = _CHALLENGES.get(error.type) or ("Bearer" if error.status == HTTPStatus.UNAUTHORIZED else "")
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    return answer(error.status, error.type, error.title, error.detail, extra=error.extra, headers=headers)


def transient(error: Transient) -> Response:
    """503; why stays in the log, since it speaks of our insides."""
    log.warning("http_transient", reason=error.reason, retry_after=error.retry_after)
    headers = {"Retry-After": str(math.ceil(error.retry_after))}
    return answer(503, "unavailable", "Unavailable for the moment", "Try again later.", headers=headers)


def bug(error_id: str) -> Response:
    """500 with the id that the log line has; nothing about the error itself."""
    return answer(500, "internal-error", "Internal error", "The id names it in our log.", extra={"id": error_id})


def invalid(error: RequestValidationError) -> Response:
    """422 `invalid-body|query|path|header`, by the first fault; 400 `malformed-json` for what is no JSON."""
    faults = error.errors()
    listed = {"errors": [_fault(f).model_dump() for f in faults[:MAX_FAULTS]]}
    first = faults[0] if faults else {}
    if first.get("type") == "json_invalid":
        return answer(400, "malformed-json", "Malformed JSON", "The body is not JSON.", extra=listed)
    part = str(next(iter(first.get("loc", ())), "body"))
    part = part if part in {"body", "query", "path", "header"} else "request"
    return answer(422, f"invalid-{part}", f"Invalid {part}", "`errors` says where and why.", extra=listed)


def http_error(error: HTTPException) -> Response:
    """What the framework itself refuses: no such route, no such method."""
    known = {404: ("unknown-route", "Unknown route"), 405: ("method-not-allowed", "Method not allowed")}
    phrase = HTTPStatus(error.status_code).phrase
    slug, title = known.get(error.status_code, (phrase.lower().replace(" ", "-"), phrase))
    return answer(error.status_code, slug, title, headers=error.headers)


def _fault(raw: Mapping[str, Any]) -> Fault:
    kind, place = str(raw.get("type", "")), tuple(raw.get("loc", ()))
    if kind in {"extra_forbidden", "json_invalid"}:
        place = place[:-1]
    if kind.endswith(("_parsing", "_parsing_size")):
        reason = f"is not a valid {kind.partition('_parsing')[0].replace('_', ' ')}"
    else:
        reason = _REASONS.get(kind, str(raw.get("msg", "is not valid")))
    return Fault(place="/".join(_part(p) for p in place), reason=reason)


def _part(part: object) -> str:
    # A key of a mapping is the caller's text; what looks like the name of a field may be shown.
    name = str(part)
    plain = isinstance(part, int) or (len(name) <= 64 and name.replace("-", "_").isidentifier())
    return name if plain else "*"


def install(app: FastAPI) -> None:
    """Every error that a route raises answers as above. Bugs are answered by the outermost middleware."""

    @app.exception_handler(Rejected)
    async def _rejected(_: Request, error: Rejected) -> Response:
        return rejected(error)

    @app.exception_handler(Transient)
    async def _transient(_: Request, error: Transient) -> Response:
        return transient(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return invalid(error)

    @app.exception_handler(HTTPException)
    async def _http_error(_: Request, error: HTTPException) -> Response:
        return http_error(error)


def problems(*statuses: int, types: Mapping[int, Sequence[str]] | None = None) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`: these statuses answer with `Problem`; `types` names their slugs."""
    slugs = types or {}
    return {s: _response(s, slugs=slugs.get(s, ())) for s in sorted({*statuses, *slugs})}


def _response(status: int, model: str = "Problem", slugs: Iterable[str] = ()) -> dict[str, Any]:
    phrase, names = HTTPStatus(status).phrase, [f"`{_URN}{slug}`" for slug in slugs]
    description = f"{phrase}: {', '.join(names)}" if names else phrase
    return {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": {"$ref": _REF + model}}},
    }


def document(openapi: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with every error body in it and without the framework's. Idempotent."""
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    for theirs in ("HTTPValidationError", "ValidationError"):
        schemas.pop(theirs, None)
    for model in (Problem, Fault, InvalidProblem):
        schema = model.model_json_schema(ref_template=_REF + "{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    for path in openapi.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                _document(operation)
    return openapi


def _document(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    theirs = responses.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if theirs.get("$ref") == _REF + "HTTPValidationError":
        responses["422"] = _response(422, "InvalidProblem")
    if "requestBody" in operation:
        for status in (400, 408, 413, 415):
            responses.setdefault(str(status), _response(status))
    if operation.get("security"):
        responses.setdefault("401", _response(401))
    anything = {
        **_response(500),
        "description": "Any other problem: 500 for our bug, 503 with `Retry-After`.",
    }
    responses.setdefault("default", anything)
