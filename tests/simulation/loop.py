"""An event loop on which a process can be stopped as SIGSTOP does it: between any two awaits, timers and all."""

from typing import Any

from tests.fakes.clock import JumpingLoop
from tests.suites.world import OWNER, Node


class StoppingLoop(JumpingLoop):
    """Time goes on for all others while a node is stopped; then it does at once what has become due."""

    def __init__(self) -> None:
        super().__init__()
        self._stopped: dict[Node | None, list[Any]] = {}

    def stop_node(self, node: Node) -> None:
        """SIGSTOP."""
        self._stopped.setdefault(node, [])
        self.keeps = self._keeps

    def continue_node(self, node: Node) -> None:
        """SIGCONT."""
        self._ready.extend(self._stopped.pop(node, []))
        self.keeps = self._keeps if self._stopped else None

    def _keeps(self, handle: Any) -> bool:
        kept = self._stopped.get(handle._context.get(OWNER))
        if kept is not None:
            kept.append(handle)
        return kept is not None
