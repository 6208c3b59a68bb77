"""What a broker and a database have in common: a child that answers at an address."""

from abc import ABC, abstractmethod

from local.processes import Child, wait_for

READY = 60.0


class Server(ABC):
    """A child process that answers at `address`, on 127.0.0.1 only.

    After `kill` (SIGKILL) or `stop` (SIGTERM), `start` brings it back at the same address with all that it
    acknowledged. `pause` freezes it with its connections open, until `resume`.
    """

    child: Child
    address: str

    async def start(self) -> None:
        """Returns when it answers. Raises CannotStartError, with the end of its log, when it will not."""
        self.child.start()
        await wait_for(self.ready, READY, f"{self.child.name} answers", self.child)

    async def restart(self) -> None:
        """Kill -9, then start: the crash in one call."""
        await self.kill()
        await self.start()

    async def kill(self) -> None:
        """SIGKILL. When this returns the process is reaped."""
        await self.child.kill()

    async def stop(self, grace: float = 10.0) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds."""
        await self.child.stop(grace)

    def pause(self) -> None:
        """SIGSTOP."""
        self.child.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self.child.resume()

    @abstractmethod
    async def ready(self) -> bool:
        """True when it answers a real request, not merely when the port is open."""
