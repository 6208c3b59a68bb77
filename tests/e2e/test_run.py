"""`make run` and `make feed` as a user starts them, on the embedded stack: processes of their own, start to end."""

import asyncio
import gzip
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from local.places import PREFIX, RUNS
from local.processes import ROOT, until

pytestmark = pytest.mark.stack
WHOLE_RUN = 240.0
END = 30.0
MAKE = ["make", "--no-print-directory", "-o", "setup", f"PY={sys.executable}", "STACK=embedded"]
SECRET = "羊驼翻译机"
"""A word of the fed texts that must not come out anywhere."""


class Running:
    """A command that runs, with what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.output = ""
        self._reading = asyncio.create_task(self._read())

    @property
    def status(self) -> int:
        assert self.process.returncode is not None
        return self.process.returncode

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(4_096):
            self.output += data.decode(errors="replace")

    async def says(self, what: str) -> None:
        """Returns when this was printed; fails when it ends without it."""
        async with asyncio.timeout(WHOLE_RUN):
            await until(lambda: what in self.output or self._reading.done())
        assert what in self.output, self.output

    async def end(self, within: float) -> list[str]:
        """The lines that it printed, when it has ended."""
        async with asyncio.timeout(within):
            await self._reading
            await self.process.wait()
        return self.output.splitlines()


@asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[Running]:
    """A command of `make`, in a process group of its own; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *MAKE,
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def descendants(pid: int) -> set[int]:
    """All that a process has started, and what these have."""
    found: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.setdefault(parent, []).append(int(status.parent.name))
    reached, queue = set[int](), [pid]
    while queue:
        children = found.get(queue.pop(), [])
        reached.update(children)
        queue += children
    return reached


def living(pids: Iterable[int]) -> list[int]:
    """Those that are there still."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def left_by(pids: Iterable[int]) -> list[Path]:
    """Directories of runs that these processes have made; others may run on this machine too."""
    return [path for pid in pids for path in RUNS.glob(f"{PREFIX}{pid}-*")]


def write(path: Path, rows: Iterable[object]) -> Path:
    """Gzipped JSON lines; a row of bytes is written as it is."""
    with gzip.open(path, "wb") as file:
        for row in rows:
            file.write((row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode()) + b"\n")
    return path


async def test_one_round_loses_and_doubles_nothing() -> None:
    """A fresh system plays the scenario and ends with status 0, and its last line says that nothing is amiss."""
    async with command("run", "ONCE=1") as run:
        lines = await run.end(WHOLE_RUN)
        assert run.status == 0, run.output
        assert lines[-1] == "lost 0 doubled 0"


@pytest.mark.parametrize("moment", ["broker and database answer", "comment posted"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_an_end_at_any_moment_leaves_nothing(moment: str, number: signal.Signals) -> None:
    """Ctrl-C or a crash, while it starts or while it works: no process is left, and after Ctrl-C no directory."""
    async with command("run", "ONCE=1") as run:
        await run.says(moment)
        started = descendants(run.process.pid) | {run.process.pid}
        assert len(started) > 2
        os.killpg(run.process.pid, number)
        await run.end(END)
        async with asyncio.timeout(END):
            await until(lambda: not living(started))
        assert run.status != 0
        if number == signal.SIGINT:
            assert not left_by(started)
            assert "Traceback" not in run.output


async def test_a_service_that_dies_ends_the_run() -> None:
    """The run says which one died and how, ends with a status that is not 0, and leaves nothing."""
    async with command("run", "ONCE=1") as run:
        await run.says("comment posted")
        started = descendants(run.process.pid)
        found = re.search(r"moderation ready, pid (\d+)", run.output)
        assert found is not None
        os.kill(int(found[1]), signal.SIGKILL)
        await run.end(END)
        assert run.status != 0
        assert "moderation died, status -9" in run.output
        assert not living(started)


async def test_a_feed_of_odd_rows_goes_through(tmp_path: Path) -> None:
    """Bad rows are counted and left out, what is too long is cut, and everything else arrives once; no text is
    printed."""
    nodes = [{"node": name, "title": name, "header": f"关于{name}的一切"} for name in ("登山", "陶艺", "象棋")]
    notes: list[object] = [
        {"id": i, "created": 1_700_000_000 + (i * 7) % 5, "node": nodes[i % 3]["node"], "user": f"u{i}",
         "title": f"{nodes[i % 3]['node']}入门第{i}问", "text": f"想学{nodes[i % 3]['node']}，{SECRET}"}
        for i in range(12)
    ]  # fmt: skip
    long = {"created": 1_700_000_009, "node": "登山", "title": "长" * 300, "text": f"{SECRET}很长。" * 5_000}
    notes += [
        long,
        b'{"title": ',
        b"[1]",
        {"created": "yesterday", "title": "没有正文", "text": None},
    ]
    members = [{"u": f"u{i}", "g": group, "w": i} for i in range(4) for group in ("象棋", "合唱")]
    spam = [{"text": f"加微信 example{i}{i}88，日赚{i}00，{SECRET}"} for i in range(1, 5)]
    ham = [{"label": 0, "text": f"路上风大，多带一件衣服。{SECRET}"}, {"label": 2, "text": "?"}, {"text": 7}, b"\xff"]
    files = [
        f"{name}={write(tmp_path / f'{name}.jsonl.gz', rows)}"
        for name, rows in (("NOTES", notes), ("NODES", nodes), ("MEMBERSHIPS", members), ("SPAM", spam), ("HAM", ham))
    ]
    async with command("feed", *files, "RATE=50") as feed:
        lines = await feed.end(WHOLE_RUN)
        assert feed.status == 0, feed.output
        assert lines[-1] == "lost 0 doubled 0"
        assert SECRET not in feed.output
        flat = " ".join(feed.output.replace("│", " ").split())
        assert "join 8" in flat
        assert "MemberJoined 8" in flat
        assert "note 14" in flat  # twelve, the long one, and the one without text
        for reason in ("note: not JSON 1", "note: not an object 1", "title cut to 200 1", "text cut to"):
            assert reason in flat


async def test_a_feed_of_nothing_says_so(tmp_path: Path) -> None:
    """Without a file, with one that is not there, or with a row that lacks a key: status 2, a sentence, no start."""
    async with command("feed") as feed:
        await feed.end(END)
        assert "nothing to feed" in feed.output
    rows = write(tmp_path / "memberships", [{"u": "ann", "g": "climbing"}, {"u": "ben"}])
    async with command("feed", f"MEMBERSHIPS={rows}") as feed:
        await feed.end(END)
        assert f"{rows}, line 2: no key 'g'; nothing was fed" in feed.output
    async with command("feed", "NOTES=/nowhere/notes.gz") as feed:
        await feed.end(END)
        assert "No such file" in feed.output
