"""The HTTP server on a socket: what it takes of a request beside its body."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from shared import serving
from shared.serving import MOST_BESIDE, MOST_QUEUED, Http, Protocol, listening

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
LONG = b"x" * 4 * MOST_BESIDE
Cut = Callable[[bytes], list[bytes]]


class Application:
    """Tells what it was asked; whoever asks for ``/slow`` waits for ``go``."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"] == "/slow":
            await self.go.wait()
        said = {"method": scope["method"], "path": scope["path"], "size": len(body), "body": body[:99].decode()}
        names = [name.decode() for name, _ in scope["headers"]]
        await JSONResponse({**said, "headers": names})(scope, receive, send)


class Server:
    """One that listens on a port of its own."""

    def __init__(self) -> None:
        self.app = Application()
        self.http: Http = listening(self.app, "127.0.0.1", 0, 1.0)
        self._callers: list[Caller] = []

    async def connected(self) -> tuple["Caller", Protocol]:
        """A caller, and the protocol that the server has for it."""
        before = set(self.http.server_state.connections)
        port = self.http.servers[0].sockets[0].getsockname()[1]
        caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
        self._callers.append(caller)
        while not (made := set(self.http.server_state.connections) - before):  # noqa: ASYNC110
            await asyncio.sleep(0)
        protocol = made.pop()
        assert isinstance(protocol, Protocol)
        return caller, protocol

    async def told(self, *blocks: bytes, answers: int = 1) -> "Caller":
        """A caller who was answered so often, or hung up on; the server read exactly these blocks."""
        caller, protocol = await self.connected()
        for block in blocks:
            if not protocol.transport.is_closing():
                protocol.data_received(block)
            await asyncio.sleep(0)
        return await caller.hears(answers)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Server"]:
        """Until the block ends."""
        task = asyncio.create_task(self.http.serve())
        while not self.http.started:  # noqa: ASYNC110
            await asyncio.sleep(0)
        try:
            yield self
        finally:
            self.app.go.set()
            for caller in self._callers:
                caller.writer.close()
            self.http.should_exit = True
            await task


class Caller:
    """Its end of a connection, and what it has heard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.got = b""
        self.gone = False

    @property
    def statuses(self) -> list[int]:
        """Of all answers so far."""
        return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", self.got)]

    @property
    def said(self) -> list[dict[str, Any]]:
        """The bodies of the answers 200."""
        return [json.loads(body) for body in re.findall(rb"\r\n\r\n({.*?})", self.got)]

    async def hears(self, answers: int) -> "Caller":
        """Until there are so many, or until it is hung up on."""
        async with asyncio.timeout(30):
            while not self.gone and (len(self.statuses) < answers or len(self.said) < self.statuses.count(200)):
                await self.more()
        return self

    async def more(self) -> None:
        """What comes next, if only the end."""
        more = b""
        with suppress(ConnectionError):  # it had hung up while we were still sending
            more = await self.reader.read(1 << 16)
        self.got, self.gone = self.got + more, not more


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """It serves, and ends with the test."""
    async with Server().serving() as server:
        yield server


def whole(sent: bytes) -> list[bytes]:
    """In one block."""
    return [sent]


def after_head(sent: bytes) -> list[bytes]:
    """The head, then what follows it."""
    at = sent.index(b"\r\n\r\n") + 4
    return [sent[:at], sent[at:]]


def single(sent: bytes) -> list[bytes]:
    """Byte by byte."""
    return [sent[at : at + 1] for at in range(len(sent))]


def by(size: int) -> Cut:
    """In blocks of that many bytes."""
    return lambda sent: [sent[at : at + size] for at in range(0, len(sent), size)]


def got(size: int, head: bytes = b"GET / HTTP/1.1\r\n") -> bytes:
    """A head of exactly so many bytes."""
    return head + b"Cookie: " + b"x" * (size - len(head) - 12) + b"\r\n\r\n"


@pytest.mark.parametrize("size", [1000, len(LONG)])
@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HTTP/1.1\r\nHost: h\r\nCookie: ",
        b"GET /",
        CHUNKED + b"1\r\na\r\n0\r\nX-Trailer: ",
        CHUNKED + b"1;",
        GET + b"GET /",
    ],
    ids=["header", "path", "trailer", "extension", "pipelined"],
)
async def test_what_does_not_end_is_not_kept(server: Server, begun: bytes, size: int) -> None:
    """A head, a trailer or a frame of a chunk without end is cut off in the block that goes beyond the limit."""
    caller, protocol = await server.connected()
    protocol.data_received(begun)
    fed = 0
    while not protocol.transport.is_closing():
        protocol.data_received(LONG[:size])
        fed += size
        assert fed < MOST_BESIDE + size
    assert (await caller.hears(9)).statuses[-1:] == [400]


@pytest.mark.parametrize("cut", [whole, by(1000), by(MOST_BESIDE - 1)], ids=["whole", "small", "large"])
@pytest.mark.parametrize("upgrade", [b"", H2C], ids=["plain", "upgrade"])
async def test_a_head_has_64_KB(server: Server, cut: Cut, upgrade: bytes) -> None:
    """One of 64 KB is served and one that is larger is answered 400, in any blocks, whatever came before.

    What came before in the same block may count, so it is small here.
    """
    head = b"POST / HTTP/1.1\r\nContent-Length: 200000\r\n" + upgrade
    for before in (b"", GET, CHUNKED + b"30000\r\n%s\r\n0\r\n\r\n" % LONG[:0x30000]):
        fits, answers = before + got(MOST_BESIDE - 60, head) + LONG[:200_000] + GET, 3 if before else 2
        assert (await server.told(*cut(fits), answers=answers)).statuses == [200] * answers
        del server.app.asked[:]
        over = await server.told(*cut(before + got(MOST_BESIDE + 60, head) + LONG[:200_000]), answers=9)
        assert over.statuses[-1:] == [400]
        assert len(server.app.asked) <= bool(before)


async def test_a_body_is_no_head(server: Server) -> None:
    """A body much larger than the limit goes through, chunked or not, and so does the next request after it."""
    size = len(LONG)
    first = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size + LONG
    chunks = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (4096, LONG[:4096]) for _ in range(size // 4096)) + b"0\r\n\r\n"
    caller, _ = await server.connected()
    for part in (first, chunks):
        caller.writer.write(part)
        await caller.writer.drain()
    assert [said["size"] for said in (await caller.hears(2)).said] == [size, size]


@pytest.mark.parametrize("cut", [whole, after_head, single], ids=["whole", "apart", "single"])
@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
    ],
    ids=["length", "chunks"],
)
async def test_upgrade_is_as_if_it_had_not_been_said(server: Server, framed: bytes, cut: Cut) -> None:
    """A body after Upgrade is a body, whatever it looks like, and what follows is the next request."""
    post = b"POST /upgraded?q=1 HTTP/1.1\r\nHost: h\r\n" + H2C + framed
    first, second = (await server.told(*cut(post + GET), answers=2)).said
    assert first["body"] == SMUGGLED.decode()
    assert [first["method"], first["path"]] == ["POST", "/upgraded"]
    assert first["headers"][:3] == ["host", "connection", "http2-settings"]
    assert "upgrade" not in first["headers"]
    assert second["path"] == "/"
    assert server.app.asked == ["/upgraded", "/"]


@pytest.mark.parametrize("target", [b"h:443", b"/"])
async def test_connect_is_refused(server: Server, target: bytes) -> None:
    """CONNECT is answered 400, what follows it is not read."""
    told = await server.told(b"CONNECT " + target + b" HTTP/1.1\r\nHost: h\r\n" + H2C + b"\r\n" + SMUGGLED, answers=9)
    assert (told.statuses, server.app.asked) == ([400], [])


@pytest.mark.parametrize("extra", [b"", H2C], ids=["plain", "upgrade"])
async def test_few_requests_wait(server: Server, extra: bytes) -> None:
    """A caller may send 16 requests ahead of an answer; with one more he is hung up on."""
    ahead = b"GET / HTTP/1.1\r\nHost: h\r\n" + extra + b"\r\n"
    few, at_few = await server.connected()
    at_few.data_received(SLOW + ahead * MOST_QUEUED)
    many, at_many = await server.connected()
    at_many.data_received(SLOW + ahead * (MOST_QUEUED + 1))
    assert at_many.transport.is_closing()
    assert (await many.hears(2)).statuses == [400]
    server.app.go.set()
    assert (await few.hears(1 + MOST_QUEUED)).statuses == [200] * (1 + MOST_QUEUED)


@pytest.mark.parametrize("cut", [whole, single], ids=["whole", "single"])
async def test_a_trailer_is_no_header(server: Server, cut: Cut) -> None:
    """Neither of its own request, which may be read already, nor of the next."""
    sent = CHUNKED + b"1\r\na\r\n0\r\nAuthorization: Bearer x\r\nX-Last: y\r\n\r\n" + GET
    first, second = (await server.told(*cut(sent), answers=2)).said
    assert first["headers"] == ["host", "transfer-encoding"]
    assert second["headers"] == ["host"]


async def test_a_head_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not sent a whole head in time is hung up on, however he drips; a request at hand has its own."""
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    head = b"GET / HTTP/1.1\r\nCookie: "
    async with Server().serving() as server, asyncio.timeout(30):
        at_hand, protocol = await server.connected()
        protocol.data_received(SLOW)
        for before, drip in ((b"", b""), (head, b""), (head, b"x"), (GET, b""), (GET, head), (GET + head, b"x")):
            caller, protocol = await server.connected()
            protocol.data_received(before)
            while not caller.gone:
                caller.writer.write(drip)
                with suppress(TimeoutError):
                    await asyncio.wait_for(caller.more(), 0.05)
            assert caller.statuses == [200] * (GET in before)
        server.app.go.set()
        assert (await at_hand.hears(1)).statuses == [200]
