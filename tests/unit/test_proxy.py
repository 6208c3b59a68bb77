"""The proxy of the fault tests: what it carries, and the faults it makes."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import bson
import pytest

from tests.faults.proxy import Commits, Proxy

SOON = 30.0
NEVER = 0.1
"""Seconds in which what must not come would have come, many times over."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """Answers each piece by itself, and remembers what it has heard."""

    def __init__(self) -> None:
        self.heard = asyncio.Queue[bytes]()
        self.met = self.port = 0

    async def hears(self) -> bytes:
        """The next piece."""
        async with asyncio.timeout(SOON):
            return await self.heard.get()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the other end is done, or gone."""
        self.met += 1
        try:
            while piece := await reader.read(65_536):
                self.heard.put_nowait(piece)
                writer.write(piece)
        except ConnectionResetError:
            self.heard.put_nowait(b"reset")
        self.heard.put_nowait(b"")
        writer.close()


@asynccontextmanager
async def served(server: Server) -> AsyncIterator[Server]:
    """It listens while the block runs."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Ends]:
    """A connection through the proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _says(ends: Ends, what: bytes) -> bytes:
    ends[1].write(what)
    async with asyncio.timeout(SOON):
        return await ends[0].readexactly(len(what))


async def _nothing(reader: asyncio.StreamReader) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NEVER):
            await reader.read(1)


async def test_what_comes_out_is_what_came_in_however_late() -> None:
    """Jitter makes pieces late, each by another time, and changes neither bytes nor order."""
    async with served(Server()) as server, Proxy(server.port) as proxy, connected(proxy) as (reader, writer):
        proxy.late(0.002, 0.002)
        numbers = [n.to_bytes(4, "big") for n in range(500)]
        for number in numbers:
            writer.write(number)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(SOON):
            assert await reader.readexactly(2_000) == b"".join(numbers)


async def test_the_end_of_one_side_reaches_the_other() -> None:
    """Who has said that it is done still hears the answer to all it has sent."""
    async with served(Server()) as server, Proxy(server.port) as proxy, connected(proxy) as (reader, writer):
        writer.write(b"last words")
        writer.write_eof()
        async with asyncio.timeout(SOON):
            assert await reader.read() == b"last words"
            assert [await server.hears() for _ in range(2)] == [b"last words", b""]


async def test_latency_is_paid_on_both_ways() -> None:
    """An answer takes twice the delay of one way, at least."""
    async with served(Server()) as server, Proxy(server.port) as proxy, connected(proxy) as ends:
        await _says(ends, b"warm")
        proxy.late(0.05)
        clock = asyncio.get_running_loop().time
        began = clock()
        await _says(ends, b"slow")
        assert clock() - began >= 0.1


async def test_a_reset_is_felt_at_both_ends_and_the_next_connection_is_whole() -> None:
    """Both see a reset, no orderly end; the proxy goes on."""
    async with served(Server()) as server, Proxy(server.port) as proxy:
        async with connected(proxy) as ends:
            await _says(ends, b"one")
            assert proxy.reset() == 1
            async with asyncio.timeout(SOON):
                with pytest.raises(ConnectionResetError):
                    await ends[0].read(1)
                assert [await server.hears() for _ in range(2)] == [b"one", b"reset"]
        async with connected(proxy) as ends:
            assert await _says(ends, b"two") == b"two"


async def test_a_hole_on_the_way_back_swallows_the_answer_alone() -> None:
    """The server has heard and answered; the answer comes when the hole is gone."""
    async with served(Server()) as server, Proxy(server.port) as proxy, connected(proxy) as ends:
        with proxy.down.hole():
            ends[1].write(b"asked")
            assert await server.hears() == b"asked"
            await _nothing(ends[0])
        async with asyncio.timeout(SOON):
            assert await ends[0].readexactly(5) == b"asked"


def _gone(writer: asyncio.StreamWriter) -> None:
    """Its process has died with the connection open and something unread in it: a reset instead of an end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_what_was_sent_into_a_hole_arrives_though_its_sender_has_given_up() -> None:
    """A request can reach the server long after nobody waits for its answer any more."""
    async with served(Server()) as server, Proxy(server.port) as proxy:
        async with connected(proxy) as ends:
            await _says(ends, b"before")
            assert await server.hears() == b"before"
            with proxy.up.hole():
                ends[1].write(b"too late")
                _gone(ends[1])
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(NEVER):
                        await server.heard.get()
        assert await server.hears() == b"too late"


async def test_in_a_full_hole_a_new_connection_gets_no_answer_and_reaches_nobody() -> None:
    """It is carried on when the hole is gone."""
    async with served(Server()) as server, Proxy(server.port) as proxy:
        with proxy.hole():
            async with connected(proxy) as ends:
                ends[1].write(b"hello")
                await _nothing(ends[0])
                assert not server.met
        assert await server.hears() == b"hello"


async def test_where_no_server_listens_the_connection_is_reset() -> None:
    """A server that is down is down through the proxy, too."""
    async with served(Server()) as gone:
        pass
    async with Proxy(gone.port) as proxy, connected(proxy) as ends:
        with pytest.raises(ConnectionResetError):
            await ends[0].read(1)


def _message(id_: int, body: dict[str, object], answers: int = 0) -> bytes:
    """An OP_MSG with one document."""
    document = bson.encode(body)
    return struct.pack("<iiiiIB", 21 + len(document), id_, answers, 2013, 0, 0) + document


class Mongo(Server):
    """Hears whole messages, and answers each with `ok`."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(16)
                length, id_, _, _ = struct.unpack("<iiii", head)
                self.heard.put_nowait(head + await reader.readexactly(length - 16))
                writer.write(_message(-id_, {"ok": 1.0}, id_))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()


async def _asks(ends: Ends, message: bytes) -> int:
    """The id that the answer answers."""
    ends[1].write(message)
    async with asyncio.timeout(SOON):
        head = await ends[0].readexactly(16)
        await ends[0].readexactly(struct.unpack_from("<i", head)[0] - 16)
    return int(struct.unpack_from("<i", head, 8)[0])


def _commit(id_: int, number: int) -> bytes:
    """A try of the commit of a transaction."""
    return _message(id_, {"commitTransaction": 1, "lsid": {"id": bson.Binary(b"s" * 16, 4)}, "txnNumber": number})


async def _unanswered(proxy: Proxy, message: bytes) -> None:
    async with connected(proxy) as ends:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await _asks(ends, message)


async def test_the_reply_of_a_commit_is_lost_and_the_commit_is_not() -> None:
    """The server has done it, the connection is cut before its answer; all other messages are answered."""
    commits = Commits()
    async with served(Mongo()) as server, Proxy(server.port, tap=commits.tap) as proxy:
        commits.losing = 1
        insert = _message(7, {"insert": "commitTransaction", "commitTransaction": 1})
        async with connected(proxy) as ends:
            assert await _asks(ends, insert) == 7
        await _unanswered(proxy, _commit(8, 1))
        assert [await server.hears() for _ in range(2)] == [insert, _commit(8, 1)]
        async with connected(proxy) as ends:
            assert await _asks(ends, _commit(9, 1)) == 9
        assert (commits.lost, commits.losing) == (1, 0)


async def test_every_try_of_a_transaction_is_lost_and_another_transaction_goes_through() -> None:
    """So many tries that a caller gives up; the next transaction on the same session is not of it."""
    commits = Commits()
    async with served(Mongo()) as server, Proxy(server.port, tap=commits.tap) as proxy:
        commits.losing, commits.tries = 1, 2
        await _unanswered(proxy, _commit(1, 5))
        async with connected(proxy) as ends:
            assert await _asks(ends, _commit(2, 6)) == 2
        await _unanswered(proxy, _commit(3, 5))
        async with connected(proxy) as ends:
            assert await _asks(ends, _commit(4, 5)) == 4


async def test_a_commit_that_is_lost_on_its_way_does_not_reach_the_server() -> None:
    """What its client sees is the same as when the reply is lost."""
    commits = Commits()
    async with served(Mongo()) as server, Proxy(server.port, tap=commits.tap) as proxy:
        commits.losing, commits.way = 1, "up"
        await _unanswered(proxy, _commit(1, 5))
        async with connected(proxy) as ends:
            assert await _asks(ends, _commit(2, 5)) == 2
        assert await server.hears() == _commit(2, 5)
