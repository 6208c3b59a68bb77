"""Bad input, everywhere: every operation of every service refuses it alike, and nothing is written or published."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.bodies import DEFAULT_LIMITS
from shared.http import open_routes
from tests.integration.edge import SERVICES, Edge, problem, running

pytestmark = pytest.mark.jumping

EACH_SERVICE = pytest.mark.parametrize("edge", SERVICES, indirect=True)
EACH_WITH_COMMANDS = pytest.mark.parametrize("edge", ["notes", "groups", "moderation", "recommend"], indirect=True)
STAFF = "ann/moderation"
"""Ann, with the scope of staff: she gets as far as what is asked of her."""
OF_ONESELF = "/v1/suggestions/people/"
"""Operations on oneself: nobody is unknown there, but whoever asks for another person is refused."""
JSON = {"Content-Type": "application/json"}
DEEP = b"[" * (DEFAULT_LIMITS.max_depth + 1) + b"]" * (DEFAULT_LIMITS.max_depth + 1)
BODIES: dict[str, tuple[bytes, dict[str, str], str, int]] = {
    "oversize": (b'{"x":"' + b"x" * DEFAULT_LIMITS.max_body + b'"}', JSON, "body-too-large", 413),
    "deep": (DEEP, JSON, "too-deep", 400),
    "no UTF-8": (b'{"text":"\xff\xfe"}', JSON, "invalid-encoding", 400),
    "NUL": (b'{"text":"\\u0000"}', JSON, "invalid-text", 400),
    "half a pair": (b'{"text":"\\ud800"}', JSON, "invalid-text", 400),
    "no JSON": (b'{"text":', JSON, "malformed-json", 400),
    "another type": (
        b"text=hello",
        {"Content-Type": "application/x-www-form-urlencoded"},
        "unsupported-media-type",
        415,
    ),
    "a list": (b"[]", JSON, "invalid-body", 422),
    "an unknown field": (b'{"injected": 1}', JSON, "invalid-body", 422),
    "a number for a text": (
        b'{"title": 1, "text": 2, "name": 3, "comment_id": 4, "state": 5, "group_id": 6, "answer": 7}',
        JSON,
        "invalid-body",
        422,
    ),
}


@pytest.fixture
async def edge(request: pytest.FixtureRequest) -> AsyncIterator[Edge]:
    async with running(request.param) as made:
        yield made


def operations(edge: Edge) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path with ids that nobody has, and what the document says."""
    return [
        (method.upper(), path.replace("{", "").replace("}", ""), operation)
        for path, methods in edge.document["paths"].items()
        for method, operation in methods.items()
    ]


@EACH_SERVICE
async def test_nobody_is_served_without_a_token(edge: Edge) -> None:
    """Every operation without a token, and with one that is none, is a 401 that says how to authenticate."""
    before = await edge.standing()
    bad = ("Bearer a.b.c", "Bearer " + "x" * 9_000 + ".y", "Basic YW5uOmFubg==", "Bearer", "")
    for method, path, _ in operations(edge):
        for header in (None, *bad):
            headers = {} if header is None else {"Authorization": header}
            reply = await edge.http.request(method, path, headers=headers)
            problem(reply, "invalid-token" if header and "." in header else "missing-token", 401)
            assert reply.headers["www-authenticate"].startswith("Bearer")
    assert await edge.standing() == before


@EACH_WITH_COMMANDS
@pytest.mark.parametrize("given", BODIES)
async def test_a_bad_body_is_refused(edge: Edge, given: str) -> None:
    """What is too large, too deep, no text, no JSON or not what was asked for is a problem with a type of its own."""
    content, headers, slug, status = BODIES[given]
    for method, path, operation in operations(edge):
        if "requestBody" in operation:
            await edge.refuse(slug, status, method, path, STAFF, content=content, headers=headers)


@EACH_SERVICE
@pytest.mark.parametrize("id_", ["a%20b", "x" * 65, "%00", "%E4%BD%A0", "a%0A", "%7B%7D", "'"])
async def test_an_id_that_is_none_is_refused(edge: Edge, id_: str) -> None:
    """A path with what can be no id is a 422 that says where; it never reaches the database."""
    for method, path, operation in operations(edge):
        for name in (p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"):
            valid = example(edge, operation)
            body = await edge.refuse("invalid-path", 422, method, path.replace(name, id_, 1), STAFF, **valid)
            assert [fault["place"] for fault in body["errors"]] == [f"path/{name}"]


@EACH_SERVICE
async def test_an_unknown_id_is_a_404(edge: Edge) -> None:
    """Every operation on what is not there says so, with a type that names what."""
    for method, path, operation in operations(edge):
        if any(p["in"] == "path" for p in operation.get("parameters", ())):
            before = await edge.standing()
            reply = await edge.ask(method, path, STAFF, **example(edge, operation))
            assert reply.status_code == (403 if path.startswith(OF_ONESELF) else 404)
            assert reply.json()["type"].partition(":problem:")[2].startswith(("unknown-", "not-a-member", "not-your"))
            assert await edge.standing() == before


@EACH_WITH_COMMANDS
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "\t", "k\x7f"])
async def test_a_key_that_is_none_is_refused(edge: Edge, key: str) -> None:
    """An Idempotency-Key is 1 to 128 visible characters, or the command is not looked at."""
    for method, path, operation in operations(edge):
        if any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", ())):
            await edge.refuse("invalid-idempotency-key", 400, method, path, STAFF, key=key, **example(edge, operation))


@EACH_WITH_COMMANDS
async def test_a_service_without_a_lane_says_so(edge: Edge) -> None:
    """While no lane can take commands each is a 503 with Retry-After; nothing was written."""
    edge.desk.slots = None
    for method, path, operation in operations(edge):
        if method != "GET":
            before = await edge.standing()
            reply = await edge.ask(method, own(path), STAFF, **example(edge, operation))
            problem(reply, "unavailable", 503)
            assert int(reply.headers["retry-after"]) >= 1
            assert await edge.standing() == before
    edge.desk.slots = edge.slots


def asked_for(parameter: dict[str, Any]) -> bool:
    """Whether it is a part of the query that cannot be left out."""
    return bool(parameter["in"] == "query" and parameter["required"])


@EACH_SERVICE
async def test_a_service_without_its_database_says_so(edge: Edge) -> None:
    """Reading while the database is away is a 503 with Retry-After that tells nothing of our insides."""
    edge.server.away = True
    for method, path, operation in operations(edge):
        if method == "GET":
            needs = {p["name"]: p["schema"]["examples"][0] for p in operation.get("parameters", []) if asked_for(p)}
            headers = {"Authorization": f"Bearer {STAFF}"}
            reply = await edge.http.request(method, own(path), headers=headers, params=needs)
            body = problem(reply, "unavailable", 503)
            assert reply.headers["retry-after"]
            assert "database" not in str(body)
    edge.server.away = False


@EACH_SERVICE
async def test_an_unknown_route_is_a_problem_too(edge: Edge) -> None:
    """What the framework refuses looks like what we refuse."""
    problem(await edge.http.get("/v1/nothing", headers={"Authorization": "Bearer ann"}), "unknown-route", 404)
    for _, path, _ in operations(edge):
        reply = await edge.http.request("TRACE", path, headers={"Authorization": "Bearer ann"})
        problem(reply, "method-not-allowed", 405)


# -- the document -------------------------------------------------------------------------------------------


@EACH_SERVICE
async def test_every_error_has_its_body_in_the_document(edge: Edge) -> None:
    """Each error status of each operation is problem+json with the schema of a problem."""
    for method, path, operation in operations(edge):
        for status, response in operation["responses"].items():
            if not status.startswith("2"):
                ((kind, content),) = response["content"].items()
                where = f"{method} {path} {status}"
                assert kind == "application/problem+json", where
                assert content["schema"]["$ref"].rpartition("/")[2] in ("Problem", "InvalidProblem"), where
                assert response["description"], where


@EACH_SERVICE
async def test_every_operation_says_what_may_go_wrong(edge: Edge) -> None:
    """The document names the framework's refusals: of tokens, ids, bodies and keys, and while no lane is there."""
    for method, path, operation in operations(edge):
        named = operation["responses"].keys()
        wanted = {"401", "default"}
        if any(p["in"] == "path" for p in operation.get("parameters", ())):
            wanted |= {"403" if path.startswith(OF_ONESELF) else "404", "422"}
        if "requestBody" in operation:
            wanted |= {"400", "408", "413", "415", "422"}
        if method != "GET":
            wanted |= {"400", "422", "503"}
        assert wanted <= named, f"{method} {path} lacks {wanted - named}"


@EACH_WITH_COMMANDS
async def test_every_field_of_a_body_has_an_example(edge: Edge) -> None:
    """A reader of the document sees for each field of a body what to send, or the values it may have."""
    schemas = edge.document["components"]["schemas"]
    bodies = [schema for schema in schemas.values() if schema.get("additionalProperties") is False]
    assert bodies
    for schema in bodies:
        for name, field in schema["properties"].items():
            known = {*field, *(key for one in field.get("anyOf", ()) for key in one)}
            assert known & {"examples", "enum", "$ref"}, f"{schema['title']}.{name}"


@EACH_WITH_COMMANDS
async def test_the_example_of_a_body_is_a_body(edge: Edge) -> None:
    """What the document gives as an example passes the validation: another refusal comes, or none."""
    for method, path, operation in operations(edge):
        if "requestBody" in operation:
            reply = await edge.ask(method, own(path), STAFF, **example(edge, operation))
            assert reply.status_code in (201, 404)


@EACH_SERVICE
async def test_no_operation_is_open(edge: Edge) -> None:
    """Everything that is in the document asks for a token."""
    assert open_routes(edge.app) == []


@EACH_SERVICE
async def test_every_operation_is_described(edge: Edge) -> None:
    """Each operation has a sentence, an id of its own and a tag."""
    ids = [operation["operationId"] for _, _, operation in operations(edge)]
    assert len(set(ids)) == len(ids)
    assert all(operation["description"] and operation["tags"] for _, _, operation in operations(edge))


def own(path: str) -> str:
    """The path of what the caller may ask for themself."""
    return path.replace("person_id", "ann") if path.startswith(OF_ONESELF) else path


def example(edge: Edge, operation: dict[str, Any]) -> dict[str, Any]:
    """A body that is valid, made of the examples in the document, and what was read of what it changes."""
    if "requestBody" not in operation:
        return {}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    read = any(p["name"] == "If-Match" for p in operation.get("parameters", ()))
    headers = {"If-Match": '"0"'} if read else {}
    return {"json": value(edge.document["components"]["schemas"], schema), "headers": headers}


def value(schemas: dict[str, Any], schema: dict[str, Any]) -> Any:
    """The example of a schema."""
    if "$ref" in schema:
        return value(schemas, schemas[schema["$ref"].rpartition("/")[2]])
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return value(schemas, schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    return {name: value(schemas, field) for name, field in schema["properties"].items()}
