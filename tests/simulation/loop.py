"""An event loop on which a process can be stopped as SIGSTOP does it: between any two awaits, timers and all."""

import contextvars
from collections.abc import Callable
from typing import Any

from tests.fakes.clock import JumpingLoop
from tests.suites.world import OWNER, Node


class _Step:
    """A callback of a node: run, or kept while its node stands still."""

    __slots__ = ("_args", "_call", "_context", "_loop", "_owner", "handle")

    def __init__(self, loop: "StoppingLoop", owner: Node, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._loop, self._owner, self._call, self._args = loop, owner, call, args
        self.handle: Any = None

    def __call__(self) -> None:
        kept = self._loop.stopped.get(self._owner)
        if self.handle is not None and self.handle.cancelled():
            return
        if kept is None:
            self._call(*self._args)
        else:
            kept.append(self)


class StoppingLoop(JumpingLoop):
    """Time goes on for all others while a node is stopped; then it does at once what has become due."""

    def __init__(self) -> None:
        self.stopped: dict[Node, list[_Step]] = {}
        super().__init__()

    def stop_node(self, node: Node) -> None:
        """SIGSTOP."""
        self.stopped.setdefault(node, [])

    def continue_node(self, node: Node) -> None:
        """SIGCONT."""
        for step in self.stopped.pop(node, []):
            super().call_soon(step, context=step.handle._context)

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        return self._gated(super().call_soon, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        def call(step: Any, *rest: Any, context: contextvars.Context | None) -> Any:
            return super(StoppingLoop, self).call_at(when, step, *rest, context=context)

        return self._gated(call, callback, args, context)

    def _gated(self, call: Any, callback: Any, args: tuple[Any, ...], context: contextvars.Context | None) -> Any:
        owner = OWNER.get() if context is None else context.get(OWNER)
        if owner is None:
            return call(callback, *args, context=context)
        step = _Step(self, owner, callback, args)
        step.handle = call(step, context=context)
        return step.handle
