"""A TCP proxy that makes a network's faults: latency, resets, blackholes, and commits whose fate is unknown.

It runs in the test's own process, before a broker or a database. (What PyPI has is a client of a Go program, or knows
latency alone.)
"""

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Literal, Self

import bson

from local.places import free_port

PIECE = 65_536
AHEAD = 64
"""Pieces that one direction of a connection may hold back before its sender feels it."""
_OP_MSG = 2013
_HEAD = struct.Struct("<iiii")
"""Of each message of MongoDB's protocol: length with this head, its id, the id that it answers, its kind."""
_COMMIT = b"commitTransaction\0"
_BODY = _HEAD.size + 4 + 1
"""Where the document of an OP_MSG begins: behind flags and kind of section."""
_FIRST_KEY = _BODY + 4 + 1
"""And its first key: behind length and type."""


class Way:
    """One direction of all connections: `delay` in seconds, give or take `jitter`, and whether anything passes."""

    def __init__(self, rng: random.Random) -> None:
        self.delay = self.jitter = 0.0
        self._rng = rng
        self._open = asyncio.Event()
        self._open.set()

    @contextmanager
    def hole(self) -> Iterator[None]:
        """A blackhole while the block runs: connections stay, nothing passes. What was sent into it comes out at
        its end, as what kernels send again would, whoever has given up waiting for it meanwhile."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def passes(self) -> None:
        """Returns when it is open."""
        await self._open.wait()

    def due(self) -> float:
        """When a piece that is sent now may arrive, by the loop's clock."""
        return asyncio.get_running_loop().time() + self.delay + self._rng.uniform(-self.jitter, self.jitter)


class Tap:
    """Sees what one connection carries, piece by piece, and says of each whether it goes on: else all is cut."""

    async def piece(self, reader: asyncio.StreamReader) -> bytes:
        """The next one; empty at the end."""
        return await reader.read(PIECE)

    def up(self, piece: bytes) -> bool:
        """Of a piece on its way to the server."""
        return True

    def down(self, piece: bytes) -> bool:
        """Of a piece on its way back."""
        return True


class Proxy:
    """Passes on to `upstream` what connections to `port` carry; both are ports of 127.0.0.1. An async context.

    What comes out of a connection has come in, whole and in order: faults make it late or cut it off, and never
    change it. `up` is the way to the server, `down` the way back.
    """

    def __init__(self, upstream: int, port: int = 0, tap: Callable[[], Tap] = Tap) -> None:
        self.port = port or free_port()
        self.upstream, self._tap = upstream, tap
        self.up, self.down = Way(random.Random()), Way(random.Random())
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def late(self, delay: float, jitter: float = 0.0) -> None:
        """From now on each way takes so many seconds."""
        for way in (self.up, self.down):
            way.delay, way.jitter = delay, jitter

    @contextmanager
    def hole(self) -> Iterator[None]:
        """Both ways are blackholes while the block runs."""
        with ExitStack() as both:
            for way in (self.up, self.down):
                both.enter_context(way.hole())
            yield

    def reset(self) -> int:
        """Cuts every connection, as a peer does that has forgotten it; returns how many."""
        cut = list(self._open)
        for connection in cut:
            connection.cut()
        return len(cut)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name=f"proxy:{self.port}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.up.passes()  # the kernel has taken the connection already: in a hole nobody answers on it
            answers, server = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            _reset(writer)
            return
        except asyncio.CancelledError:
            _reset(writer)
            raise
        connection = Connection(self._tap(), writer, server)
        self._open.add(connection)
        try:
            await connection.carry((reader, self.up), (answers, self.down))
        finally:
            self._open.discard(connection)
            connection.cut()


Source = tuple[asyncio.StreamReader, Way]


class Connection:
    """One connection through the proxy, until both ends have said that they are done, or one has gone away."""

    def __init__(self, tap: Tap, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._tap, self._client, self._server = tap, client, server

    def cut(self) -> None:
        """Ends it on both sides by a reset, unless it has ended."""
        _reset(self._client)
        _reset(self._server)

    async def carry(self, up: Source, down: Source) -> None:
        """Returns when nothing more will come."""
        ways = [
            asyncio.create_task(self._way(up, self._tap.up, self._server)),
            asyncio.create_task(self._way(down, self._tap.down, self._client)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _way(self, source: Source, goes_on: Callable[[bytes], bool], writer: asyncio.StreamWriter) -> None:
        """One direction, to its end. Raises when the connection is to be cut."""
        reader, way = source
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(AHEAD)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(reader, way, held))
            group.create_task(self._give(held, way, goes_on, writer))

    async def _take(self, reader: asyncio.StreamReader, way: Way, held: asyncio.Queue[tuple[float, bytes]]) -> None:
        piece = b"?"
        while piece:
            try:
                piece = await self._tap.piece(reader)
            except (OSError, asyncio.IncompleteReadError):
                piece = b""  # who gave up has sent all the same what is on its way
            await held.put((way.due(), piece))

    async def _give(
        self,
        held: asyncio.Queue[tuple[float, bytes]],
        way: Way,
        goes_on: Callable[[bytes], bool],
        writer: asyncio.StreamWriter,
    ) -> None:
        clock = asyncio.get_running_loop().time
        piece = b"?"
        while piece:
            due, piece = await held.get()
            if due > clock():
                await asyncio.sleep(due - clock())
            await way.passes()
            if not piece:
                writer.write_eof()
            elif goes_on(piece):
                writer.write(piece)
                await writer.drain()
            else:
                raise ConnectionResetError


Transaction = tuple[bytes, int]
"""Id of the session, number in it."""


class Commits:
    """Commits of MongoDB's transactions that go wrong; `tap` is for the proxy.

    Of the next `losing` transactions, so many `tries` of the commit are lost, and the connection with them: on the
    way `down` the reply, when the commit has been done, on the way `up` the request. Its client cannot tell which.
    """

    def __init__(self) -> None:
        self.losing = 0
        self.tries = 1
        self.way: Literal["up", "down"] = "down"
        self.lost = 0
        """How many tries were."""
        self.unheard = 0
        """Of how many transactions a reply was: they are done, and their client has not heard it."""
        self._left: dict[Transaction, int] = {}

    def tap(self) -> Tap:
        """For one connection."""
        return _Commits(self)

    def loses(self, way: Literal["up", "down"], transaction: Transaction) -> bool:
        """Whether this message is lost: a commit, or its reply."""
        if way != self.way:
            return False
        if self.losing > 0 and transaction not in self._left:
            self.losing -= 1
            self._left[transaction] = self.tries
        left = self._left.get(transaction, 0)
        if left == 0:
            return False
        self._left[transaction] = left - 1
        self.lost += 1
        self.unheard += way == "down" and left == self.tries
        return True


class _Commits(Tap):
    def __init__(self, of: Commits) -> None:
        self._of = of
        self._asked: dict[int, Transaction] = {}

    async def piece(self, reader: asyncio.StreamReader) -> bytes:
        """A whole message."""
        head = await reader.readexactly(_HEAD.size)
        return head + await reader.readexactly(_HEAD.unpack(head)[0] - _HEAD.size)

    def up(self, piece: bytes) -> bool:
        _, id_, _, kind = _HEAD.unpack_from(piece)
        if kind != _OP_MSG or not piece.startswith(_COMMIT, _FIRST_KEY):
            return True
        body = bson.decode(piece[_BODY:])
        transaction = self._asked[id_] = (bytes(body["lsid"]["id"]), body["txnNumber"])
        return not self._of.loses("up", transaction)

    def down(self, piece: bytes) -> bool:
        _, _, answered, _ = _HEAD.unpack_from(piece)
        transaction = self._asked.pop(answered, None)
        return transaction is None or not self._of.loses("down", transaction)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset instead of an orderly end, and forgets what was still to be sent."""
    found: socket.socket | None = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
