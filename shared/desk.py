"""Where HTTP hands commands to the lane: one call, one command, one reply."""

import asyncio
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import Request, Response, Security

from shared.contracts.envelope import is_traceparent
from shared.errors import Rejected, Transient
from shared.flow.inputs import body_digest
from shared.flow.router import Command
from shared.flow.slots import Slots
from shared.http import Bearer, IdempotencyKey, correlation_id, idempotency_key

_NAMESPACE = uuid.UUID("6c69616e-7969-5f66-8c6f-770000000002")


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, under which key, in which chain of causes."""

    person: str
    scopes: frozenset[str]
    correlation: str
    key: str | None
    traceparent: str

    def new_id(self, kind: str) -> str:
        """The id of what this call makes: random, or the same again for the same person, kind and key."""
        if self.key is None:
            return str(uuid.uuid4())
        return str(uuid.uuid5(_NAMESPACE, f"{self.person}\n{kind}\n{self.key}"))

    def draw(self, kind: str) -> int:
        """A number of 64 bits: random, or the same again for the same person, kind and key.

        Nobody foretells it who does not know the key, which is neither stored nor told.
        """
        if self.key is None:
            return secrets.randbits(64)
        told = hashlib.blake2b(f"draw\n{self.person}\n{kind}\n{self.key}".encode(), digest_size=8)
        return int.from_bytes(told.digest())


class _AtDesk(Bearer):
    async def __call__(self, request: Request, key: IdempotencyKey = None) -> Call:
        who, traceparent = await self.who(request), request.headers.get("traceparent", "")
        traced = traceparent if is_traceparent(traceparent) else ""
        return Call(who.person, who.scopes, correlation_id(request), idempotency_key(key), traced)


Calling = Annotated[Call, Security(_AtDesk())]


class Desk:
    """Takes commands for this process's api lane, once there is one."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.slots: Slots | None = None

    async def handle(self, command: Command, call: Call) -> Response:
        """Have the command committed; the handler's status and body as the answer.

        The idempotency key is scoped by person and kind of command; the digest covers path and body, as both
        are fields of the command.

        Raises:
            Rejected: refused; nothing was written, unless the handler has replied so.
            Transient: too busy, no slot, or the outcome is unknown.
        """
        if self.slots is None:
            raise Transient("starting", retry_after=2.0)
        key = None
        if call.key is not None:
            scope = f"{call.person}\n{type(command).__name__}\n{call.key}"
            key = hashlib.blake2b(scope.encode(), digest_size=16).hexdigest()
        cause = {"correlation": call.correlation, "traceparent": call.traceparent}
        try:
            async with asyncio.timeout(self._patience):
                reply = await self.slots.submit(command, key=key, digest=body_digest(command), **cause)
        except TimeoutError:
            raise Transient("no commit in time", retry_after=2.0) from None
        if reply.status >= 400:
            # A refusal that has left a mark, as a time to come back: committed, and told like any other.
            body = dict(reply.body)
            raise Rejected(body.pop("type"), reply.status, detail=body.pop("detail"), extra=body)
        if reply.status == 204:
            return Response(status_code=204)
        return Response(msgspec.json.encode(reply.body), reply.status, media_type="application/json")
