"""The HTTP server of a process: uvicorn on httptools, within our limits, without signal handlers of its own."""

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from httptools import HttpParserError, HttpParserUpgrade
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BESIDE = 64 * 1024
"""Bytes of a request that are not its body: its head, frames of chunks, trailers."""
MOST_QUEUED = 16
"""Requests that wait behind the one at hand of a connection. Hardly a client sends any before it has its answer."""
HEAD_SECONDS = 10
"""From the connection, or the last answer, to the end of the next head: as long as the guard gives a body."""


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 for callers who may be anybody (ADR 0071). Nothing is done for each header.

    Too much beside a body, and too many requests ahead, is answered 400 and hung up on; a late head is hung up on.
    ``Upgrade`` is as if it had not been said, trailers are dropped.
    """

    _block = 0
    """Bytes of the block being parsed that are not body, of whatever request."""
    _beside = 0
    """Bytes of the request being parsed that are not body: all such of the block it begins in, if it begins within."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """uvicorn's timer between two requests runs before the first, too; only a whole head stops it."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """In place of uvicorn's, which stops the timer at any byte and takes a body after Upgrade for a request."""
        self._block = len(data)
        self._beside += len(data)
        try:
            self.parser.feed_data(data)
            if self._beside > MOST_BESIDE:
                raise HttpParserError("too much beside the body")
        except HttpParserUpgrade as at:
            # The message has ended at its head, whatever body that declares. So the head is read again, without.
            self.data_received(self._head() + data[at.args[0] :])
        except HttpParserError as error:
            self.logger.warning("Invalid HTTP request received: %s", error)
            self.send_400_response("Invalid HTTP request, or too much at once.")

    def on_message_begin(self) -> None:
        """What came before it in the block cannot be told from it, except for bodies."""
        self._beside = self._block
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The last moment to refuse: then the application has it. Exact where the block may hold more than the head."""
        if len(self.pipeline) == MOST_QUEUED or (self._beside > MOST_BESIDE and len(self._head()) > MOST_BESIDE):
            raise HttpParserError
        self._unset_keepalive_if_required()
        super().on_headers_complete()
        self.headers = []  # for trailers: the application keeps the other list

    def on_body(self, body: bytes) -> None:
        """The guard of bodies counts these."""
        self._block -= len(body)
        self._beside -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Nothing is kept of what may follow until it begins."""
        self._beside = 0
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        """uvicorn asks at an ``Upgrade``, and then leaves the message alone; and at CONNECT, which is for proxies."""
        if self.parser.get_method() == b"CONNECT":
            raise HttpParserError
        return True

    def _head(self) -> bytes:
        """The head as it came, but for ``Upgrade`` and blanks around values."""
        line = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        fields = (b"%s: %s\r\n" % field for field in self.scope["headers"] if field[0] != b"upgrade")
        return b"".join((line, *fields, b"\r\n"))


class Http(uvicorn.Server):
    """uvicorn for a process that orders its stop by itself: ``should_exit``, then ``serve`` returns."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None are captured."""
        yield


def listening(app: ASGIApp, host: str, port: int, grace: float) -> Http:
    """To be served on the running loop; requests at hand have ``grace`` seconds at the stop.

    What a proxy says of the caller is not read: nothing here asks who he is but by his token.
    """
    return Http(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=HEAD_SECONDS,
            timeout_graceful_shutdown=int(grace),
        )
    )
