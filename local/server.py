"""What a broker and a database have in common: processes that answer at an address."""

from abc import ABC, abstractmethod

from local.processes import Child, together, wait_for

READY = 120.0


class Server(ABC):
    """Child processes, one in most, that answer at `address`, on 127.0.0.1 only.

    After `kill` (SIGKILL) or `stop` (SIGTERM), `start` brings it back at the same address with all that it
    acknowledged. `pause` freezes it with its connections open, until `resume`.
    """

    children: tuple[Child, ...]
    address: str

    async def start(self) -> None:
        """Returns when it answers. Raises CannotStartError, with the end of its log, when it will not."""
        for child in self.children:
            child.start()
        await wait_for(self.ready, READY, f"{self.children[0].name} answers", *self.children)

    async def restart(self) -> None:
        """Kill -9, then start: the crash in one call."""
        await self.kill()
        await self.start()

    async def kill(self) -> None:
        """SIGKILL. When this returns the processes are reaped."""
        await together(*(child.kill() for child in self.children))

    async def stop(self, grace: float = 10.0) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds."""
        await together(*(child.stop(grace) for child in self.children))

    async def pause(self) -> None:
        """SIGSTOP. When this returns nothing of it runs."""
        await together(*(child.pause() for child in self.children))

    def resume(self) -> None:
        """SIGCONT."""
        for child in self.children:
            child.resume()

    @abstractmethod
    async def ready(self) -> bool:
        """True when it answers a real request, not merely when the port is open."""
