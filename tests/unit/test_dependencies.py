"""What a request waits for at the edge runs on the loop: nothing of it goes through a thread."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from shared.contracts import TOPICS
from shared.desk import Desk

SERVICES = tuple(dict.fromkeys(topic.owner for topic in TOPICS.values()))
SETTINGS: Any = {"kafka": "k:9092", "mongo": "mongodb://m", "jwks": "http://i/jwks.json", "issuer": "i"}


def calls(dependant: Dependant) -> Iterator[Any]:
    """The endpoint and all that it depends on."""
    yield dependant.call
    for needed in dependant.dependencies:
        yield from calls(needed)


@pytest.mark.parametrize("service", SERVICES)
def test_dependencies_and_endpoints_are_coroutines(service: str) -> None:
    """FastAPI runs any other function in a thread: a hop there and back for each of them, in each request."""
    app = import_module(f"services.{service}.app").APP
    api = FastAPI()
    api.include_router(app.build(app.settings(**SETTINGS), cast("Any", None), Desk(1.0)).routes)
    everywhere = (route.original_route for route in iter_route_contexts(api.routes))
    routes = [route for route in everywhere if isinstance(route, APIRoute)]
    found = [call for route in routes for call in calls(route.dependant)]
    assert len(found) > len(routes)
    waits = (inspect.iscoroutinefunction(c) or inspect.iscoroutinefunction(type(c).__call__) for c in found)
    assert [call for call, fine in zip(found, waits, strict=True) if not fine] == []


@pytest.mark.parametrize("service", SERVICES)
def test_routes_stand_in_one_list(service: str) -> None:
    """FastAPI looks twice for the route of a request in each router that is included in another."""
    app = import_module(f"services.{service}.app").APP
    routes = app.build(app.settings(**SETTINGS), cast("Any", None), Desk(1.0)).routes.routes
    assert {type(route) for route in routes} == {APIRoute}
