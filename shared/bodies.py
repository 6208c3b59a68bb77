"""Request bodies: how large, how deep, which bytes, before anything parses them; and their base model."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Rejected
from shared.problems import rejected

ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,64}$"
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN, min_length=1, max_length=64)]

# Possessive throughout and always matching from a quote on, so that the time is linear for any bytes.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
# Escapes that decode to text: no NUL, and halves of a surrogate pair only as a pair.
_ESCAPES = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?!0000|[dD][89a-fA-F])....|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)*+", re.DOTALL
)


class Body(BaseModel):
    """Base of every request body: frozen, unknown fields refused, strings stripped of outer white space,
    no NUL, no half of a surrogate pair, no NaN. `min_length` of a field counts after the stripping."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _encodable(cls, data: Any) -> Any:
        if not _is_text(data):
            raise ValueError("text holds a character that is not allowed")
        return data


def _is_text(data: object) -> bool:
    if isinstance(data, str):
        return "\x00" not in data and not re.search("[\ud800-\udfff]", data)
    if isinstance(data, dict):
        return all(_is_text(key) and _is_text(value) for key, value in data.items())
    return not isinstance(data, list) or all(_is_text(item) for item in data)


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a request body may cost before it is looked at."""

    max_body: int = 256 * 1024
    """Bytes; one more is 413, whatever `Content-Length` claims."""
    max_depth: int = 16
    """Brackets inside brackets; one more is 400."""
    read_seconds: float = 10.0
    """From the first byte waited for to the last; longer is 408."""


DEFAULT_LIMITS = BodyLimits()


def nesting(body: bytes) -> int:
    """How deep brackets stand in brackets, outside of strings: 0 for a scalar, 1 for `[]`. Linear.

    For valid JSON this is the depth of the parsed value; for anything else at least that of any valid prefix.
    """
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def check_bytes(body: bytes, max_depth: int) -> None:
    """Raises Rejected 400 for what no parser of ours should see: not UTF-8, NUL (raw or escaped), half of a
    surrogate pair, too deep. Whether it is JSON is the parser's matter."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("invalid-encoding", 400, detail="The body is not UTF-8.") from None
    if b"\x00" in body or (b"\\u" in body and not _ESCAPES.fullmatch(body)):
        raise Rejected("invalid-text", 400, detail="The body has a character or an escape that is no text.")
    # Counting is the cheap question; most bodies have fewer brackets than the limit.
    if body.count(b"[") + body.count(b"{") > max_depth and nesting(body) > max_depth:
        raise Rejected("too-deep", 400, detail=f"The JSON nests deeper than {max_depth}.")


def check_type(headers: dict[bytes, bytes]) -> None:
    """Raises Rejected 415 unless a body is plain `application/json` in UTF-8."""
    kind, _, parameters = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    charset = [p.partition("=")[2].strip(' "') for p in parameters.split(";") if p.strip().startswith("charset")]
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if kind.strip() != "application/json" or charset not in ([], ["utf-8"]) or coding != b"identity":
        detail = "Send application/json, in UTF-8, not compressed."
        raise Rejected("unsupported-media-type", 415, detail=detail)


class BodyGuard:
    """ASGI: an application behind it sees bodies within the limits only, and whole.

    Holds at most `max_body` bytes and one chunk per request. A refusal is answered here, as problem+json, and
    closes the connection if bytes of the body are still to come.
    """

    def __init__(self, app: ASGIApp, limits: BodyLimits = DEFAULT_LIMITS) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._body(scope, receive)
        except Rejected as error:
            response = rejected(error)
            if error.status in {408, 413}:
                response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        if body is None:  # The caller has gone: nobody to answer.
            return
        await self._app(scope, _replay(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"")
        # Before the first receive(), so that a caller who asks with `Expect: 100-continue` keeps his bytes.
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self._limits.max_body):
            raise self._too_large()
        try:
            async with asyncio.timeout(self._limits.read_seconds):
                body = await self._read(receive)
        except TimeoutError:
            raise Rejected("slow-body", 408, detail="The body took too long to arrive.") from None
        if body:
            check_type(headers)
            check_bytes(body, self._limits.max_depth)
        return body

    async def _read(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._limits.max_body:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> Rejected:
        return Rejected("body-too-large", 413, detail=f"At most {self._limits.max_body} bytes.")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once, then whatever the server says: in the end, that the caller has gone."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed
