"""Clients of an HTTP API in a closed loop: each asks again as soon as it was answered, on a connection of its own.

Written on bare sockets: the clients share the processors with what they measure, and must cost little.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from uuid import uuid4

LENGTH = b"content-length: "
BODY = json.dumps({"text": "Thanks, that helped. We went on Saturday and the shade lasted until eleven."})


@dataclass
class Answers:
    """Seconds that each request of the window took, in the order of the answers, the statuses that were not 201, and
    how many answers there were in all, from the first connection to the end of the last."""

    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    all: int = 0


class Client(asyncio.Protocol):
    """One connection. Its author is its own; notes go round."""

    def __init__(self, host: str, token: str, told: Answers) -> None:
        self._told = told
        self._head = (
            f"Host: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Connection: keep-alive\r\nContent-Length: {len(BODY)}\r\n"
        )
        self._number = hash(token) % 10_000
        self._got = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.ending = False
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().index(LENGTH) + len(LENGTH)
        if len(body) < int(head[at:].partition(b"\r\n")[0]):
            return
        self._told.seconds.append(time.perf_counter() - self._sent)
        self._told.all += 1
        if not head.startswith(b"HTTP/1.1 201"):
            self._told.refused.append(head.partition(b"\r\n")[0].decode())
        self._got = b""
        assert self._transport is not None
        if self.ending:
            self._transport.close()
        else:
            self._ask()

    def _ask(self) -> None:
        self._number = (self._number + 1) % 10_000
        asked = f"POST /v1/notes/n{self._number:05d}/comments HTTP/1.1\r\n{self._head}"
        self._sent = time.perf_counter()
        assert self._transport is not None
        self._transport.write(f"{asked}Idempotency-Key: {uuid4()}\r\n\r\n{BODY}".encode())


async def crowd(port: int, tokens: list[str], seconds: float) -> Answers:
    """One client a token, for so long from when all are connected."""
    told = Answers()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda token=token: Client(f"127.0.0.1:{port}", token, told), "127.0.0.1", port)  # type: ignore[misc]
        for token in tokens
    ]
    told.seconds.clear()
    await asyncio.sleep(seconds)
    found = Answers(list(told.seconds), list(told.refused))
    for _, client in made:
        client.ending = True
    await asyncio.wait([client.gone for _, client in made], timeout=10)
    found.all = told.all
    return found
