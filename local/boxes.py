"""Broker and database in containers, by testcontainers; they share this machine's network.

They are told by command and settings file alone, as the published images and their stand-ins take both.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from testcontainers.core.container import DockerContainer

from local.kafka import CLUSTER, alone, answers
from local.places import free_port
from local.processes import CannotStartError, Condition, wait_for

STARTING = 120.0
_FILE = "/mnt/server.properties"
_KAFKA = f"bin/kafka-storage.sh format -t {CLUSTER} -c {_FILE} && exec bin/kafka-server-start.sh {_FILE}"


@asynccontextmanager
async def kafka(image: str, directory: Path) -> AsyncIterator[str]:
    """Bootstrap servers of a fresh broker, with the settings of the local stack. Raises CannotStartError."""
    member = alone()
    told = directory / "server.properties"
    told.write_text(member.settings("/tmp/kafka"))  # noqa: S108 - its own /tmp
    box = DockerContainer(image).with_command(["sh", "-c", f"cd /opt/kafka && {_KAFKA}"])
    box.with_volume_mapping(told, _FILE).with_env("KAFKA_HEAP_OPTS", "-Xmx512m")
    address = f"127.0.0.1:{member.port}"
    async with _up(box, lambda: answers(address)):
        yield address


@asynccontextmanager
async def mongo(image: str) -> AsyncIterator[str]:
    """URL of a fresh database server, a replica set of one. Raises CannotStartError."""
    port = free_port()
    command = ["mongod", "--replSet", "rs0", "--bind_ip", "127.0.0.1", "--port", str(port)]
    async with _up(DockerContainer(image).with_command(command), lambda: _primary(port)):
        yield _url(port)


def _url(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


async def _primary(port: int) -> bool:
    """True when it takes writes; who is in no replica set yet is told to make one."""
    members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
    made: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(_url(port), serverSelectionTimeoutMS=1000)
    async with made as client:
        try:
            if (await client.admin.command("hello"))["isWritablePrimary"]:
                return True
            await client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        except PyMongoError:  # not up yet, or the set is being made
            pass
    return False


@asynccontextmanager
async def _up(box: DockerContainer, ready: Condition) -> AsyncIterator[None]:
    with box.with_kwargs(network_mode="host"):
        try:
            await wait_for(ready, STARTING, f"{box.image} answers")
        except CannotStartError as error:
            log = b"\n".join(box.get_logs()).decode(errors="replace").strip()
            raise CannotStartError(f"{error}; the end of its log:\n{log[-4000:]}") from None
        yield
