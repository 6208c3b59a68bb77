"""The HTTP edge that the four services have in common: what an api.py imports.

Every answer carries `X-Correlation-Id`; every error is problem+json; bodies are checked before they are
parsed; every request is counted once, by route template.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol
from uuid import uuid4

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.auth import Authenticates, Bearer, Caller, Someone, require
from shared.bodies import DEFAULT_LIMITS, Body, BodyGuard, BodyLimits, Id
from shared.headers import IdempotencyKey, IfMatch, correlation_id, correlation_of, etag, idempotency_key
from shared.paging import Cursor, Page, Paging, Window, decode_cursor, encode_cursor, page
from shared.problems import bug, document, install, problems

__all__ = [
    "Api",
    "Bearer",
    "Body",
    "BodyLimits",
    "Caller",
    "Cursor",
    "Id",
    "IdempotencyKey",
    "IfMatch",
    "Page",
    "Paging",
    "Red",
    "RequestMetrics",
    "Someone",
    "Window",
    "application",
    "correlation_id",
    "decode_cursor",
    "encode_cursor",
    "etag",
    "idempotency_key",
    "joined",
    "open_routes",
    "page",
    "problems",
    "require",
]

log = structlog.get_logger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics(Protocol):
    """Told of every request once, when it is over. All values but the seconds are of bounded cardinality."""

    def observe(self, route: str, method: str, status: str, seconds: float) -> None:
        """`route` is a template or "unrouted", `status` is "2xx".."5xx" or "aborted", `method` may be "OTHER"."""


class Red:
    """RequestMetrics on prometheus_client: rate and errors by a counter, duration by a histogram.

    The counter's labels are `route`, `method`, `status`; the histogram's are `route`, `method`. From a route's first
    request on its 5xx are counted from zero: the first of them would else be no increase to who reads rates.
    """

    def __init__(self, requests: Counter, seconds: Histogram) -> None:
        self._requests = requests
        self._seconds = seconds
        self._known: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}

    def observe(self, route: str, method: str, status: str, seconds: float) -> None:
        found = self._known.get((route, method, status))
        if found is None:
            self._requests.labels(route=route, method=method, status="5xx")
            counter = self._requests.labels(route=route, method=method, status=status)
            found = self._known[route, method, status] = counter, self._seconds.labels(route=route, method=method)
        found[0].inc()
        found[1].observe(seconds)


class Api(FastAPI):
    """FastAPI whose OpenAPI document tells of our error bodies."""

    def openapi(self) -> dict[str, Any]:
        return document(super().openapi())

    def take(self, routes: APIRouter) -> None:
        """Have these routes among the application's own."""
        self.router.routes.extend(routes.routes)


def joined(*routers: APIRouter) -> APIRouter:
    """One router with the routes of several, in one list.

    FastAPI looks twice for the route of a request in each router that is included in another.
    """
    made = APIRouter()
    for router in routers:
        made.routes.extend(router.routes)
    return made


def application(
    title: str,
    version: str,
    description: str,
    *,
    authenticator: Authenticates,
    metrics: RequestMetrics,
    limits: BodyLimits = DEFAULT_LIMITS,
) -> Api:
    """An empty application with everything around the routes; it takes those of the service.

    A route is open to all unless it takes `Someone` or `require(...)`; `open_routes` lists those that are.
    """
    # No /docs: those pages load scripts from elsewhere. No redirects: they are built from the Host header.
    app = Api(
        title=title,
        version=version,
        description=description,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.authenticator = authenticator
    install(app)
    app.add_middleware(BodyGuard, limits=limits)
    app.add_middleware(Edge, metrics=metrics, template=_Templates(app))
    return app


def open_routes(app: FastAPI) -> list[str]:
    """The operations that ask for no token, as "GET /v1/links/{code}", sorted; for a test to compare."""
    paths = app.openapi().get("paths", {})
    return sorted(
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if not operation.get("security")
    )


class _Templates:
    """Route templates by endpoint: the route in a scope does not know the prefix it was included under."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._known: dict[object, str] = {}

    def __call__(self, scope: Scope) -> str:
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return "unrouted"
        if endpoint not in self._known:
            for route in iter_route_contexts(self._app.routes):
                self._known[route.endpoint] = route.path_format or "unrouted"
        return self._known.setdefault(endpoint, "unrouted")


class Edge:
    """ASGI, outermost: correlation id, counting, and the last stop of bugs.

    A bug is answered with 500 and an id; the log line of that id has the error's type and where it happened,
    not its message, which may quote a text. When the answer had begun, it ends unfinished and
    the server closes the connection.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: RequestMetrics,
        template: Callable[[Scope], str],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._template = template
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation = correlation_of(Headers(scope=scope))
        scope.setdefault("state", {})["correlation_id"] = correlation
        status, started = "aborted", self._clock()

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
                MutableHeaders(scope=message)["X-Correlation-Id"] = correlation
            await send(message)

        try:
            with structlog.contextvars.bound_contextvars(correlation_id=correlation):
                try:
                    await self._app(scope, receive, stamped)
                except Exception as error:
                    error_id = _logged(error)
                    # Half an answer is left as it is: raising would have the server log the message.
                    if status == "aborted":
                        await bug(error_id)(scope, receive, stamped)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._metrics.observe(self._template(scope), method, status, self._clock() - started)


def _logged(error: Exception) -> str:
    error_id = uuid4().hex
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    where = [f"{f.filename.rpartition('/')[2]}:{f.lineno}:{f.name}" for f in frames]
    log.error("http_bug", error_id=error_id, error=type(error).__name__, where=where)
    return error_id
