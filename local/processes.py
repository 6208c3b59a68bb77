"""Child processes that die with their parent, and waiting for what they do."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TICK = 0.02
TAIL = 4_000

Condition = Callable[[], Awaitable[bool]]


class CannotStartError(RuntimeError):
    """A part of the stack cannot be had, did not come up in time, or died; the message says which and why."""


class Child:
    """One process of the stack, in the repository's root, its output appended to `log`.

    It never outlives this process: on `kill -9` of this process the kernel kills it too (Linux; elsewhere
    only `stop` and `kill` do). That holds for the process itself: a command that starts others must exec
    them. It is out of reach of the terminal, so Ctrl-C goes to the supervisor, which ends things in order.
    A stopped child can be started again.
    """

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self.argv, self.env, self.log = name, list(argv), dict(env), log
        self._process: subprocess.Popen[bytes] | None = None
        self._ended_by_us = False

    @property
    def pid(self) -> int:
        """The process id of the command itself. Raises CannotStartError when it was never started."""
        if self._process is None:
            raise CannotStartError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True from start until the process has ended, paused or not; a zombie is reaped and is not alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs or when it was never started."""
        return None if self._process is None else self._process.poll()

    @property
    def died(self) -> bool:
        """True when it was started and has ended, and neither `stop` nor `kill` has ended it."""
        return self._process is not None and not self._ended_by_us and not self.alive

    def start(self) -> None:
        """Spawns the process, and returns before it is ready. Call it from the main thread."""
        if self.alive:
            raise CannotStartError(f"{self.name} runs already, as {self.pid}")
        if threading.current_thread() is not threading.main_thread():
            # The kernel watches the thread that forked, and would kill the child when that thread ends.
            raise CannotStartError(f"{self.name} must be started from the main thread")
        self._ended_by_us = False
        wrapper = Path(__file__).with_name("child.py")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(wrapper), str(os.getpid()), *self.argv],
                env={**os.environ, **self.env},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def kill(self) -> None:
        """SIGKILL, also to what it started. When this returns it is reaped and its ports are free."""
        self._ended_by_us |= self.alive
        self._signal(signal.SIGKILL)
        await until(lambda: not self.alive)

    async def stop(self, grace: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds or when cancelled. Returns when it is reaped."""
        self._ended_by_us |= self.alive
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a paused process takes the SIGTERM up only when it goes on
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await until(lambda: not self.alive)
        finally:
            await self.kill()

    async def pause(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing, as in a long garbage collection. When this returns
        none of its threads runs; until one of them has taken the signal up the others would go on and answer."""
        self._signal(signal.SIGSTOP)
        await until(lambda: not self.alive or self._stopped)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    async def finish(self, within: float) -> None:
        """Starts it and waits for a clean end. Raises CannotStartError on any other, and leaves nothing."""
        self.start()
        try:
            async with asyncio.timeout(within):
                await until(lambda: not self.alive)
        except TimeoutError:
            raise CannotStartError(f"{self.name}: not done in {within:.0f} s{self.tail()}") from None
        finally:
            await self.kill()
        if self.status != 0:
            raise CannotStartError(f"{self.name} failed, status {self.status}{self.tail()}")

    def tail(self) -> str:
        """The end of its log, ready to be appended to a message."""
        text = self.log.read_text(errors="replace")[-TAIL:].strip() if self.log.exists() else ""
        return f"; the end of {self.log}:\n{text}" if text else f"; {self.log} is empty"

    @property
    def _stopped(self) -> bool:
        """True once the kernel has told that all of it stands still."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # it has died since
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return  # reaped: the number may belong to somebody else by now
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:  # between the fork and setsid
            self._process.send_signal(number)


async def until(done: Callable[[], bool], every: float = TICK) -> None:
    """Returns when `done()` is true; asks again every so many seconds, as nothing tells of these things."""
    while not done():  # noqa: ASYNC110
        await asyncio.sleep(every)


async def wait_for(condition: Condition, within: float, what: str, *watched: Child, every: float = TICK) -> None:
    """Returns when `condition`, asked `every` so many seconds, answers true. Raises CannotStartError, with the end of
    the logs, as soon as a watched child is dead or when `within` seconds have passed, even if `condition` hangs."""
    try:
        async with asyncio.timeout(within):
            while not await condition():
                for child in watched:
                    if not child.alive:
                        message = f"{child.name} died, status {child.status}, before {what}"
                        raise CannotStartError(message + child.tail())
                await asyncio.sleep(every)
    except TimeoutError:
        tails = "".join(child.tail() for child in watched)
        raise CannotStartError(f"waited {within:.0f} s in vain: {what}{tails}") from None


async def death(children: Sequence[Child]) -> None:
    """Raises CannotStartError, with the end of its log, as soon as one of them has died; never returns."""
    await until(lambda: any(child.died for child in children), every=0.2)
    dead = next(child for child in children if child.died)
    raise CannotStartError(f"{dead.name} died, status {dead.status}{dead.tail()}")


async def together(*starts: Coroutine[Any, Any, None]) -> None:
    """Runs all at once; at the first error the others are cancelled and ended, and that error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(start)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def run_until_signal(main: Coroutine[Any, Any, int]) -> int:
    """Runs `main` as the whole program and returns its exit status.

    SIGINT, SIGTERM and SIGHUP cancel it, so that its clean-up runs; that is an orderly end, status 0.
    """

    async def guarded() -> int:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # under nohup
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            return await main
        except asyncio.CancelledError:
            return 0

    return asyncio.run(guarded())
