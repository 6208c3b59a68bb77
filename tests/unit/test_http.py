"""The edge: bodies, problems, pages, counting. Each test names what a caller may rely on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, Depends, Request
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from pydantic import Field, ValidationError
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Send
from structlog.testing import capture_logs

from shared.auth import Caller
from shared.bodies import check_bytes, nesting
from shared.errors import Rejected, Transient
from shared.http import (
    Body,
    BodyLimits,
    Cursor,
    Id,
    IdempotencyKey,
    IfMatch,
    Page,
    Paging,
    Red,
    Someone,
    application,
    correlation_id,
    decode_cursor,
    encode_cursor,
    etag,
    idempotency_key,
    open_routes,
    page,
    problems,
    require,
)
from tests.timing import within

pytestmark = pytest.mark.jumping

LIMITS = BodyLimits(max_body=1000, max_depth=4, read_seconds=0.1)
JSON = {"Content-Type": "application/json"}
URN = "urn:lianyi:problem:"
router = APIRouter(prefix="/notes")


class NewNote(Body):
    title: str = Field(min_length=1, max_length=10)
    tags: list[Id] = Field(default_factory=list)
    weight: float = 0


@router.post("", status_code=201, responses=problems(409))
async def write(note: NewNote, request: Request, key: IdempotencyKey = None) -> dict[str, Any]:
    told = {"key": idempotency_key(key), "correlation": correlation_id(request)}
    return {"title": note.title, "tags": note.tags, **told}


@router.get("/{note_id}", responses=problems(types={404: ["unknown-note"]}))
async def read(note_id: Id, seen: IfMatch) -> dict[str, Any]:
    if note_id == "none":
        raise Rejected("unknown-note", 404, detail="No such note.", extra={"note": note_id, "status": 1})
    if note_id == "later":
        raise Transient("the database is away", retry_after=1.2)
    if note_id == "bug":
        raise KeyError("a secret text")
    return {"id": note_id, "seen": seen}


@router.get("")
async def listed(window: Paging) -> Page[int]:
    start = int(window.after.id) if window.after else 0
    found = list(range(start + 1, 6))[: window.read]
    return page(found, window.limit, lambda n: Cursor(datetime(2026, 1, n, tzinfo=UTC), str(n)))


@router.get("/mine/all")
async def mine(who: Someone) -> str:
    return who.person


@router.delete("/{note_id}")
async def remove(note_id: Id, who: Annotated[Caller, Depends(require("staff"))]) -> str:
    return who.person


class Anyone:
    """An authenticator that believes the token: it is the person, and after a slash the scopes."""

    async def caller(self, token: str) -> Caller:
        person, _, scopes = token.partition("/")
        return Caller(person, frozenset(scopes.split("/")))


class Seen:
    """Request metrics as a list."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def observe(self, route: str, method: str, status: str, seconds: float) -> None:
        assert seconds >= 0
        self.rows.append((route, method, status))


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def client(seen: Seen) -> AsyncIterator[httpx.AsyncClient]:
    app = application("notes", "1.0", "Test.", authenticator=Anyone(), metrics=seen, limits=LIMITS)
    app.include_router(router, prefix="/v1")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http


def problem(reply: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The body of a reply that is a problem of this status and type, with the members each one has."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-correlation-id"]
    body: dict[str, Any] = reply.json()
    assert (body["type"], body["status"]) == (URN + slug, status)
    assert body["title"]
    return body


def http_scope(method: str, path: str) -> dict[str, Any]:
    """An ASGI scope of a request without headers."""
    asgi = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http"}
    return {**asgi, "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}


def messages(*given: Message) -> Receive:
    """A server that has these messages and then nothing for ever."""
    left = list(given)

    async def receive() -> Message:
        return left.pop(0) if left else await asyncio.Future()

    return receive


def keep_in(sent: list[Message]) -> Send:
    """A caller who keeps what he is sent."""

    async def send(message: Message) -> None:
        sent.append(message)

    return send


def refusal(call: Callable[[], object]) -> str | None:
    """The type of the Rejected that a call raises, if it does."""
    try:
        call()
    except Rejected as error:
        return error.type
    return None


async def post(client: httpx.AsyncClient, content: Any, **headers: str) -> httpx.Response:
    return await client.post("/v1/notes", content=content, headers=JSON | headers)


# Bodies


async def test_a_good_body_is_read_and_stripped(client: httpx.AsyncClient) -> None:
    """A body within the limits reaches the route, with outer white space taken off its strings."""
    reply = await post(client, '{"title": " 涟漪 ", "tags": ["a"]}')
    assert (reply.status_code, reply.json()["title"]) == (201, "涟漪")


async def test_a_body_that_says_it_is_too_large_is_413(client: httpx.AsyncClient) -> None:
    """A declared length above the limit is refused and the connection closed."""
    reply = await post(client, b'"' + b"x" * 1000 + b'"')
    problem(reply, 413, "body-too-large")
    assert reply.headers["connection"] == "close"


async def test_a_body_that_says_it_is_too_large_is_not_read(seen: Seen) -> None:
    """A caller who waits for `100 Continue` is answered before he has sent a byte."""
    app = application("t", "1", "", authenticator=Anyone(), metrics=seen, limits=BodyLimits(max_body=1000))
    sent: list[Message] = []
    scope = http_scope("POST", "/notes") | {"headers": [(b"content-length", b"1001")]}
    async with asyncio.timeout(5):
        await app(scope, messages(), keep_in(sent))
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("declared", [None, "2", "junk", "9" * 30])
async def test_a_body_that_is_too_large_is_413_whatever_it_says(
    client: httpx.AsyncClient, declared: str | None
) -> None:
    """Chunks are counted as they come: no length, or a false one, changes nothing."""
    taken = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b" " * 300

    headers = {} if declared is None else {"Content-Length": declared}
    problem(await post(client, chunks(), **headers), 413, "body-too-large")
    # httpx's transport hands over one chunk for each receive(): what is over the limit is not asked for.
    assert taken <= 4


async def test_a_chunked_body_within_the_limit_is_read_whole(client: httpx.AsyncClient) -> None:
    """The limit counts bytes, not chunks."""

    async def chunks() -> AsyncIterator[bytes]:
        for byte in b'{"title": "a"}':
            yield bytes([byte])

    assert (await post(client, chunks())).status_code == 201


async def test_a_body_that_drips_is_408(client: httpx.AsyncClient) -> None:
    """Nobody holds a request open by sending slowly."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    problem(await post(client, chunks()), 408, "slow-body")


async def test_a_body_at_the_limit_of_depth_passes(client: httpx.AsyncClient) -> None:
    """As deep as allowed is no error of depth; brackets in strings do not count."""
    problem(await post(client, '{"title": [[["[[[[[["]]]}'), 422, "invalid-body")


@pytest.mark.parametrize("text", ['{"title": [[[[1]]]]}', "[" * 900, '{"a":' * 150])
async def test_a_body_too_deep_is_400(client: httpx.AsyncClient, text: str) -> None:
    """One level more than allowed is refused before a parser sees it."""
    problem(await post(client, text), 400, "too-deep")


@pytest.mark.parametrize("raw", [b'{"title": "\xff"}', '{"title": "a"}'.encode("utf-16"), b'{"title": "\xed\xa0\x80"}'])
async def test_a_body_that_is_not_utf8_is_400(client: httpx.AsyncClient, raw: bytes) -> None:
    """No other encoding is guessed at."""
    problem(await post(client, raw), 400, "invalid-encoding")


@pytest.mark.parametrize("text", ["a\x00", "\\u0000", "\\ud800", "\\udc00", "\\ud800\\ud800", "\\ud800x"])
async def test_a_body_with_what_is_no_text_is_400(client: httpx.AsyncClient, text: str) -> None:
    """NUL and half surrogate pairs, raw or escaped, in a key or a value, never reach a route."""
    problem(await post(client, f'{{"title": "{text}"}}'), 400, "invalid-text")
    problem(await post(client, f'{{"{text}": 1}}'), 400, "invalid-text")


@pytest.mark.parametrize("text", ["\\ud83d\\ude00", "\\\\u0000", '\\"\\u6d9f', "\\n"])
async def test_escapes_of_text_pass(client: httpx.AsyncClient, text: str) -> None:
    """A surrogate pair, an escaped backslash before a u, Chinese: all are text."""
    reply = await post(client, f'{{"title": "x{text}"}}')
    assert (reply.status_code, reply.json()["title"].strip()) == (201, json.loads(f'"x{text}"').strip())


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": ""},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_another_content_type_is_415(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """Only plain JSON in UTF-8 is taken."""
    problem(await client.post("/v1/notes", content="{}", headers=headers), 415, "unsupported-media-type")


async def test_the_charset_may_be_said(client: httpx.AsyncClient) -> None:
    """Saying UTF-8 is as good as not saying it."""
    reply = await post(client, '{"title": "a"}', **{"Content-Type": 'application/JSON; charset="UTF-8"'})
    assert reply.status_code == 201


async def test_a_caller_who_goes_gets_no_answer(seen: Seen) -> None:
    """Half a body reaches no route; the request is counted as aborted."""
    app = application("t", "1", "", authenticator=Anyone(), metrics=seen)
    app.take(router)
    sent: list[Message] = []
    half = {"type": "http.request", "body": b"{", "more_body": True}
    await app(http_scope("POST", "/notes"), messages(half, {"type": "http.disconnect"}), keep_in(sent))
    assert (sent, seen.rows) == ([], [("unrouted", "POST", "aborted")])


async def test_the_start_and_the_stop_pass_through(seen: Seen) -> None:
    """What is not a request is none of the edge's business."""
    app = application("t", "1", "", authenticator=Anyone(), metrics=seen)
    sent: list[Message] = []
    events = messages({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await app({"type": "lifespan", "app": app, "state": {}}, events, keep_in(sent))
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert seen.rows == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["[", '"', "\\", '\\"', "}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=25,
)


def depth(value: Any) -> int:
    """How deep a parsed value is."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(json_values, st.booleans())
def test_the_scan_agrees_with_a_parser(value: Any, ascii_only: bool) -> None:
    """For valid JSON the depth is that of the parsed value, whatever stands in its strings."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert nesting(text.encode()) == depth(json.loads(text))


@given(st.binary(max_size=300) | st.text('"\\[]{}u0d8c', max_size=300).map(str.encode))
def test_the_checks_only_ever_reject(raw: bytes) -> None:
    """No bytes make the checks raise anything but Rejected."""
    nesting(raw)
    assert refusal(lambda: check_bytes(raw, 3)) in {None, "invalid-encoding", "invalid-text", "too-deep"}


@pytest.mark.parametrize("piece", [b'"', b'\\"', b'"\\', b"\\u0041", b"\\ud83d\\ude00", b"[", b"[]", b"\\"])
def test_the_checks_are_linear(piece: bytes) -> None:
    """A megabyte of the worst bytes takes no more of the processor than a megabyte."""

    def checks() -> None:
        for lead in (b"", b'"'):
            raw = lead + piece * (1_000_000 // len(piece))
            nesting(raw)
            with suppress(Rejected):
                check_bytes(raw, 3)

    assert within(3, checks)


@pytest.mark.parametrize("title", ["a\x00", "\ud800"])
def test_a_body_made_in_code_has_the_same_rules(title: str) -> None:
    """The model refuses what is no text by itself, nested or not."""
    with pytest.raises(ValidationError):
        NewNote(title=title)
    with pytest.raises(ValidationError):
        NewNote.model_validate({"title": "a", "tags": [{"x": title}]})


# Problems


async def test_validation_names_the_place_and_never_the_value(client: httpx.AsyncClient) -> None:
    """422 lists where and why; neither values nor unknown names come back."""
    reply = await post(client, '{"title": "hunter2hunter2", "tags": ["a b", "ok"], "weight": "swordfish", "p4ss": 1}')
    body = problem(reply, 422, "invalid-body")
    assert [e["place"] for e in body["errors"]] == ["body/title", "body/tags/0", "body/weight", "body"]
    assert body["errors"][2]["reason"] == "is not a valid float"
    assert not any(secret in reply.text for secret in ("hunter2", "a b", "swordfish", "p4ss"))


@pytest.mark.parametrize("text", ["{", "nul", '{"title": "a",}', '{"a": 01}', ""])
async def test_what_is_not_json_is_no_bug(client: httpx.AsyncClient, text: str) -> None:
    """Broken JSON is 400; no body at all is a field that is missing."""
    problem(await post(client, text), *((400, "malformed-json") if text else (422, "invalid-body")))


@pytest.mark.parametrize("text", ['{"title": "a", "weight": NaN}', '{"title": "a", "weight": 1e999}'])
async def test_numbers_are_finite(client: httpx.AsyncClient, text: str) -> None:
    """NaN and infinity are refused, in whatever way they come."""
    problem(await post(client, text), 422, "invalid-body")


async def test_an_endless_number_is_no_bug(client: httpx.AsyncClient) -> None:
    """An integer that Python refuses to read is the caller's fault."""
    app = application("t", "1", "", authenticator=Anyone(), metrics=Seen())
    app.take(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        reply = await http.post("/notes", content='{"title":' + "9" * 5000 + "}", headers=JSON)
    problem(reply, 400, "bad-request")


@pytest.mark.parametrize("bad", ["a%20b", "a%00b", "x" * 65, "%E6%B6%9F", "a%0a"])
async def test_a_bad_id_in_a_path_is_422(client: httpx.AsyncClient, bad: str) -> None:
    """An id that cannot exist is told apart from one that does not."""
    problem(await client.get(f"/v1/notes/{bad}"), 422, "invalid-path")


async def test_rejected_is_its_problem(client: httpx.AsyncClient) -> None:
    """Status, type, title, detail and extra members come as raised; extras never replace standard members."""
    body = problem(await client.get("/v1/notes/none"), 404, "unknown-note")
    assert (body["title"], body["detail"], body["note"]) == ("Unknown note", "No such note.", "none")


async def test_transient_is_503_with_retry_after(client: httpx.AsyncClient) -> None:
    """The caller is told when to come again, in whole seconds, and not why."""
    reply = await client.get("/v1/notes/later")
    problem(reply, 503, "unavailable")
    assert reply.headers["retry-after"] == "2"
    assert "database" not in reply.text


async def test_a_bug_is_500_with_the_id_in_the_log(client: httpx.AsyncClient) -> None:
    """The answer has nothing but an id; the log line of that id has type and place, not the message."""
    with capture_logs() as lines:
        reply = await client.get("/v1/notes/bug")
    body = problem(reply, 500, "internal-error")
    assert "secret" not in reply.text + str(lines)
    assert (lines[0]["error_id"], lines[0]["error"]) == (body["id"], "KeyError")
    assert lines[0]["where"][-1].endswith(":read")


async def test_a_bug_in_the_middle_of_an_answer_leaves_it_unfinished(seen: Seen) -> None:
    """The caller can tell that it is not whole, the log has the bug, and nothing is raised into the server."""
    app = application("t", "1", "", authenticator=Anyone(), metrics=seen)

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            raise KeyError("a secret text")

        return StreamingResponse(pieces())

    sent: list[Message] = []
    with capture_logs() as lines:
        await app(http_scope("GET", "/half"), messages({"type": "http.request"}), keep_in(sent))
    assert [message.get("more_body") for message in sent] == [None, True]
    assert [line["event"] for line in lines] == ["http_bug"]
    assert "secret" not in str(lines)
    assert seen.rows == [("/half", "GET", "2xx")]


async def test_unknown_routes_and_methods_are_problems(client: httpx.AsyncClient) -> None:
    """404 and 405 are problem+json as well, and 405 says what is allowed."""
    problem(await client.get("/v2/nothing"), 404, "unknown-route")
    problem(await client.get("/docs"), 404, "unknown-route")
    reply = await client.put("/v1/notes/a")
    problem(reply, 405, "method-not-allowed")
    assert "GET" in reply.headers["allow"]


async def test_the_openapi_document_has_the_error_bodies(client: httpx.AsyncClient) -> None:
    """Every operation documents its problems, by our models, and the framework's own are gone."""
    text = (await client.get("/openapi.json")).text
    assert "HTTPValidationError" not in text
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    assert {"Problem", "InvalidProblem", "Fault"} <= schemas.keys()
    operations = document["paths"]["/v1/notes"] | document["paths"]["/v1/notes/{note_id}"]
    for operation in operations.values():
        for status, response in operation["responses"].items():
            if not status.startswith("2"):
                (kind,) = response["content"]
                assert kind == "application/problem+json"
        assert "default" in operation["responses"]
    assert {"400", "409", "413", "415", "422"} <= document["paths"]["/v1/notes"]["post"]["responses"].keys()
    assert "unknown-note" in document["paths"]["/v1/notes/{note_id}"]["get"]["responses"]["404"]["description"]
    for ref in (line.split('"')[0] for line in text.split("#/components/schemas/")[1:]):
        assert ref in schemas


def test_open_routes_are_listed() -> None:
    """A test can say which operations ask for no token."""
    app = application("t", "1", "", authenticator=Anyone(), metrics=Seen())
    app.take(router)
    assert open_routes(app) == ["GET /notes", "GET /notes/{note_id}", "POST /notes"]


# Callers


async def test_without_a_token_it_is_401(client: httpx.AsyncClient) -> None:
    """A missing token, or another scheme, is a challenge."""
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        reply = await client.get("/v1/notes/mine/all", headers=headers)
        problem(reply, 401, "missing-token")
        assert reply.headers["www-authenticate"] == "Bearer"


async def test_a_scope_opens_its_route_only(client: httpx.AsyncClient) -> None:
    """403 names the scope that lacks; with it the person is let in."""
    reply = await client.delete("/v1/notes/a", headers={"Authorization": "Bearer ann/other"})
    assert problem(reply, 403, "missing-scope")["scope"] == "staff"
    assert "insufficient_scope" in reply.headers["www-authenticate"]
    reply = await client.delete("/v1/notes/a", headers={"Authorization": "Bearer ann/staff"})
    assert (reply.status_code, reply.json()) == (200, "ann")


# Correlation and counting


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Correlation-Id": "abc-1"}, "abc-1"),
        ({"traceparent": f"00-{'a1' * 16}-{'b2' * 8}-01"}, "a1" * 16),
        ({"X-Correlation-Id": "no spaces", "traceparent": f"00-{'a1' * 16}-{'b2' * 8}-01"}, "a1" * 16),
    ],
)
async def test_a_correlation_id_is_taken_up(client: httpx.AsyncClient, headers: dict[str, str], expected: str) -> None:
    """The caller's id, else his trace's, is in the answer, the route and the log."""
    reply = await post(client, '{"title": "a"}', **headers)
    assert reply.headers["x-correlation-id"] == reply.json()["correlation"] == expected


@pytest.mark.parametrize("bad", ["x" * 65, "a b", "a;b", "", "涟"])
async def test_a_bad_correlation_id_is_replaced(client: httpx.AsyncClient, bad: str) -> None:
    """What is no id is not repeated into headers and logs."""
    reply = await client.get(
        "/v1/notes/a", headers=[(b"X-Correlation-Id", bad.encode()), (b"traceparent", b"00-0-0-01")]
    )
    assert len(reply.headers["x-correlation-id"]) == 32


async def test_log_lines_carry_the_correlation_id(client: httpx.AsyncClient) -> None:
    """Whatever is logged in a request has its id, and nothing is left behind."""
    lines: list[dict[str, Any]] = []

    def keep(_: Any, __: str, line: Any) -> Any:
        lines.append(dict(line))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    try:
        await client.get("/v1/notes/later", headers={"X-Correlation-Id": "abc"})
    finally:
        structlog.configure(**before)
    assert [line["correlation_id"] for line in lines] == ["abc"]
    assert "correlation_id" not in structlog.contextvars.get_contextvars()


async def test_every_request_is_counted_by_template(client: httpx.AsyncClient, seen: Seen) -> None:
    """One row a request; ids and unknown paths and methods make no new label values."""
    await client.get("/v1/notes/a")
    await client.get("/v1/notes/bug")
    await client.get("/v1/notes/a%20b")
    await client.get("/elsewhere/17")
    await client.request("BREW", "/v1/notes/a")
    await post(client, b"\xff")
    assert seen.rows == [
        ("/v1/notes/{note_id}", "GET", "2xx"),
        ("/v1/notes/{note_id}", "GET", "5xx"),
        ("/v1/notes/{note_id}", "GET", "4xx"),
        ("unrouted", "GET", "4xx"),
        ("/v1/notes/{note_id}", "OTHER", "4xx"),
        ("unrouted", "POST", "4xx"),
    ]


def test_red_fills_prometheus_metrics() -> None:
    """The adapter uses the labels it states, and counts errors from zero, as the first is one as well."""
    registry = CollectorRegistry()
    requests = Counter("lianyi_test_total", "t", ["route", "method", "status"], registry=registry)
    seconds = Histogram("lianyi_test_seconds", "t", ["route", "method"], registry=registry)
    Red(requests, seconds).observe("/v1", "GET", "2xx", 0.5)
    labels = {"route": "/v1", "method": "GET"}
    assert registry.get_sample_value("lianyi_test_total", labels | {"status": "2xx"}) == 1
    assert registry.get_sample_value("lianyi_test_total", labels | {"status": "5xx"}) == 0
    assert registry.get_sample_value("lianyi_test_seconds_sum", labels) == 0.5


# Headers and pages


@pytest.mark.parametrize("bad", ["", "a b", "x" * 129, "涟"])
async def test_a_bad_idempotency_key_is_400(client: httpx.AsyncClient, bad: str) -> None:
    """A key is 1 to 128 visible ASCII characters; without one the request goes on."""
    headers = [(b"Content-Type", b"application/json"), (b"Idempotency-Key", bad.encode())]
    reply = await client.post("/v1/notes", content='{"title": "a"}', headers=headers)
    problem(reply, 400, "invalid-idempotency-key")


async def test_an_idempotency_key_reaches_the_route(client: httpx.AsyncClient) -> None:
    """It comes as sent, and is None when not sent."""
    reply = await post(client, '{"title": "a"}', **{"Idempotency-Key": "~" * 128})
    assert reply.json()["key"] == "~" * 128
    assert (await post(client, '{"title": "a"}')).json()["key"] is None


async def test_if_match_is_the_version_of_an_etag(client: httpx.AsyncClient) -> None:
    """What etag() wrote comes back as the version; anything else is 400."""
    assert (await client.get("/v1/notes/a", headers={"If-Match": etag(7)})).json()["seen"] == 7
    assert (await client.get("/v1/notes/a")).json()["seen"] is None
    problem(await client.get("/v1/notes/a", headers={"If-Match": 'W/"7"'}), 400, "invalid-if-match")


async def test_following_next_shows_every_item_once(client: httpx.AsyncClient) -> None:
    """The pages together are the list; the last has no next."""
    items: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        asked: dict[str, str] = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        body = (await client.get("/v1/notes", params=asked)).json()
        items += body["items"]
        cursor = body["next"]
    assert items == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("asked", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}])
async def test_a_page_has_a_limit(client: httpx.AsyncClient, asked: dict[str, str]) -> None:
    """1 to 100 items."""
    problem(await client.get("/v1/notes", params=asked), 422, "invalid-query")


@pytest.mark.parametrize("bad", ["", "x", "MTph=", "MTph==", "!!!!", "涟漪", "A" * 200, "OTk5OTk5OTk5OTk5OTk5OmE"])
async def test_a_cursor_of_ones_own_is_400(client: httpx.AsyncClient, bad: str) -> None:
    """Only what a page gave is a cursor."""
    problem(await client.get("/v1/notes", params={"cursor": bad}), 400, "invalid-cursor")


ids = st.from_regex(r"[A-Za-z0-9_.:-]{1,64}", fullmatch=True)
times = st.datetimes(timezones=st.timezones() | st.just(UTC), allow_imaginary=False)


@given(times, ids)
def test_a_cursor_comes_back(at: datetime, name: str) -> None:
    """Decoding gives the same id and the same time, to the millisecond."""
    try:
        utc = at.astimezone(UTC)
    except OverflowError:
        return
    text = encode_cursor(Cursor(at, name))
    assert httpx.URL("http://x", params={"c": text}).query == f"c={text}".encode()
    back = decode_cursor(text)
    assert (back.id, back.at.tzinfo) == (name, UTC)
    assert timedelta(0) <= utc - back.at < timedelta(milliseconds=1)


@given(st.text(max_size=150))
def test_any_text_is_a_cursor_or_rejected(text: str) -> None:
    """Decoding raises nothing but Rejected, and accepts one spelling of a position only."""
    refused = refusal(lambda: decode_cursor(text))
    assert refused == "invalid-cursor" or encode_cursor(decode_cursor(text)) == text


def test_a_cursor_of_a_naive_time_is_a_bug() -> None:
    """Nobody guesses a zone."""
    with pytest.raises(ValueError, match="aware"):
        encode_cursor(Cursor(datetime(2026, 1, 1), "a"))  # noqa: DTZ001


# Errors


@pytest.mark.parametrize(("slug", "status"), [("Bad Slug", 404), ("ok", 500), ("", 404), ("a--b", 404)])
def test_a_rejection_is_well_formed(slug: str, status: int) -> None:
    """A type that no client could branch on, or a status that blames us, is refused at once."""
    with pytest.raises(ValueError, match=r"rejection|slug"):
        Rejected(slug, status)


@pytest.mark.parametrize("wait", [0, -1, float("nan"), float("inf")])
def test_a_wait_is_positive(wait: float) -> None:
    """Retry-After is always a time that passes."""
    with pytest.raises(ValueError, match="positive"):
        Transient("x", retry_after=wait)


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    with capture_logs():
        yield
