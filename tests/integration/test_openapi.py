"""Every operation of every OpenAPI document, asked what the document allows and what it does not."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
)

from tests.integration.edge import SERVICES, Edge, running

pytestmark = pytest.mark.jumping

EACH = 12
"""Requests of each sort, valid and not, beside those at the bounds of every parameter."""
CHECKS: list[Any] = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    unsupported_method,
]
SAME = settings(
    max_examples=EACH,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CONFIG = GenerationConfig(deterministic=True, with_security_parameters=False)


def cases(schema: Any, operation: Any) -> Iterator[Case[Any]]:
    """The same at every run: drawn ones, then those at the bounds."""
    for mode in GenerationMode:
        # Nothing that a request without parameters and body says can be wrong.
        if mode is GenerationMode.NEGATIVE and not (list(operation.iter_parameters()) or operation.body):
            continue
        yield from drawn(operation.as_strategy(generation_mode=mode))
    yield from schema.iter_coverage_cases(operation, generation_modes=list(GenerationMode), generation_config=CONFIG)


def drawn(strategy: SearchStrategy[Case[Any]]) -> list[Case[Any]]:
    """The first ones."""
    found: list[Case[Any]] = []

    @SAME
    @given(strategy)
    def keep(case: Case[Any]) -> None:
        found.append(case)

    keep()
    return found


class Caller:
    """Sends cases as Ann, every other one about what earlier ones have made. She gets the scopes that she lacks."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._known = {"person_id": "ann"}
        self._scopes: set[str] = set()
        self.answers: dict[str, list[int]] = {}

    async def send(self, case: Case[Any], number: int) -> httpx.Response:
        """The answer; its ids are known from then on."""
        if number % 2:
            for part in (case.path_parameters, case.body):
                if isinstance(part, dict):
                    part.update({name: id_ for name, id_ in self._known.items() if name in part})
        told = case.as_transport_kwargs(base_url="http://test")
        told.pop("cookies", None)
        request: Any = requests.Request(**told, auth=self._token).prepare()
        reply = await self._edge.http.request(
            request.method, request.url, headers=request.headers, content=request.body
        )
        self.answers.setdefault(case.operation.label, []).append(reply.status_code)
        body = reply.json() if reply.content else None
        if isinstance(body, dict):
            self._scopes |= {str(body["scope"])} if "scope" in body else set()
            self._known |= {name: id_ for name, id_ in body.items() if name.endswith("_id") and isinstance(id_, str)}
        return reply

    def _token(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer ann/{' '.join(sorted(self._scopes))}"
        return request


@pytest.mark.parametrize("service", SERVICES)
async def test_no_request_is_answered_otherwise_than_the_document_says(service: str) -> None:
    """No server error; status, type, body and headers as declared; what the document forbids is refused."""
    async with running(service) as edge:
        schema: Any = openapi.from_dict(edge.document)
        schema.config.generation = CONFIG
        refusals = schema.config.checks.negative_data_rejection
        # A body that breaks a bound may break that of all bodies, too, and is not read then.
        refusals.expected_statuses = [*refusals.expected_statuses, "413"]
        caller = Caller(edge)
        for found in schema.get_all_operations():
            operation = found.ok()
            declared = operation.definition.raw["responses"]
            for number, case in enumerate(cases(schema, operation)):
                reply = await caller.send(case, number)
                case.validate_response(reply, checks=CHECKS)
                if case.method == operation.method.upper():
                    assert str(reply.status_code) in declared, (reply.status_code, case.as_curl_command())
        assert len(caller.answers) == sum(len(methods) for methods in edge.document["paths"].values())
