"""The HTTP server on a socket: what it takes of a request beside its body."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from shared.serving import MOST_BESIDE, Protocol, listening

CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"x" * 4 * MOST_BESIDE


async def counted(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of bytes of the body."""
    got, more = 0, True
    while more:
        message = await receive()
        got, more = got + len(message.get("body", b"")), message.get("more_body", False)
    await PlainTextResponse(f"{got} bytes")(scope, receive, send)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where it listens."""
    http = listening(counted, "127.0.0.1", 0, 1.0)
    serving = asyncio.create_task(http.serve())
    while not http.started:  # noqa: ASYNC110
        await asyncio.sleep(0)
    yield http.servers[0].sockets[0].getsockname()[1]
    http.should_exit = True
    await serving


async def said(port: int, *sent: bytes) -> bytes:
    """All that the server has answered when it hangs up, or when it has answered 200 twice."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        async with asyncio.timeout(10):
            for part in sent:
                writer.write(part)
                await writer.drain()
            while got.count(b"200 OK") < 2 and (more := await reader.read(1 << 16)):
                got += more
    except ConnectionError:
        pass  # it had hung up while we were still sending
    writer.close()
    return got


@pytest.mark.parametrize(
    "endless",
    [
        [b"GET / HTTP/1.1\r\nHost: h\r\nCookie: ", *[LONG] * 8],
        [b"GET /", *[LONG] * 8],
        [CHUNKED, b"1\r\na\r\n0\r\n", b"X-Trailer: ", *[LONG] * 8],
        [CHUNKED, b"1;", *[LONG] * 8],
    ],
    ids=["header", "path", "trailer", "extension"],
)
async def test_what_does_not_end_is_not_kept(port: int, endless: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A head, a trailer or a frame of a chunk without end is cut off at the limit and one block more."""
    taken: list[int] = []
    feed = Protocol.data_received

    def data_received(self: Protocol, data: bytes) -> None:
        before = self._beside
        feed(self, data)
        taken.append(self._beside - before)

    monkeypatch.setattr(Protocol, "data_received", data_received)
    told = await said(port, *endless)
    assert b"200 OK" not in told
    assert sum(taken) <= MOST_BESIDE + max(taken)


async def test_a_body_is_no_head(port: int) -> None:
    """A body much larger than the limit goes through, chunked or not, and so does the next request after it."""
    size = len(LONG)
    whole = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size + LONG
    chunks = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (4096, LONG[:4096]) for _ in range(size // 4096)) + b"0\r\n\r\n"
    told = await said(port, whole, chunks)
    assert told.count(f"{size} bytes".encode()) == 2
