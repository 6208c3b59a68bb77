"""The HTTP server of a process: uvicorn on httptools, within our limits, without signal handlers of its own."""

import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BESIDE = 64 * 1024
"""Bytes of a request that are not its body: its head, frames of chunks, trailers."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 that answers 400 and hangs up on a head, a trailer or frames without end: httptools would keep them
    all. A block that was read before the limit was seen comes on top."""

    _beside = 0

    def data_received(self, data: bytes) -> None:
        """Counted first, so that what is over the limit is not parsed."""
        if self._beside > MOST_BESIDE:
            self.send_400_response("Too much beside the body.")
            return
        self._beside += len(data)
        super().data_received(data)

    def on_body(self, body: bytes) -> None:
        """The guard of bodies counts these."""
        self._beside -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next request of the connection begins."""
        self._beside = 0
        super().on_message_complete()


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
            timeout_graceful_shutdown=int(grace),
        )
    )
