"""The issuer's public keys (JWKS, RFC 7517): fetched when needed, kept, looked up by id."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
)

import jwt
import structlog

from shared.errors import Transient

log = structlog.get_logger(__name__)

# Public keys only: a secret that many can verify with is a secret that many can sign with.
ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
MAX_JWKS = 256 * 1024
MIN_RSA_BITS = 2048


def fetch_jwks(url: str, timeout: float) -> bytes:
    """The bytes behind `url`, at most 256 KB. Blocks; raises OSError or HTTPException."""
    # Put together by hand: keys come from the configured place or not at all, so no redirect, no proxy, no file.
    opener = OpenerDirector()
    for handler in (HTTPHandler(), HTTPSHandler(), HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    try:
        with opener.open(url, timeout=timeout) as reply:
            body = cast("bytes", reply.read(MAX_JWKS + 1))
    except HTTPError as error:
        error.close()
        raise OSError(f"the issuer answers {error.code}") from None
    if len(body) > MAX_JWKS:
        raise OSError("the issuer's key set is too large")
    return body


@dataclass(frozen=True, slots=True)
class Tuning:
    """Times of the authenticator, in seconds, and how it fetches."""

    leeway: float = 30.0
    """How far the issuer's clock may be from ours."""
    refresh: float = 10.0
    """Keys are fetched at most once in this time, however many unknown ones are asked for."""
    lifetime: float = 3600.0
    """After this a known key is looked up again."""
    stale: float = 86400.0
    """How long known keys are still trusted while the issuer cannot be reached."""
    timeout: float = 3.0
    """For one answer of the issuer."""
    fetch: Callable[[str, float], bytes] = fetch_jwks
    """Blocking; runs in a thread."""


class Keys:
    """The issuer's keys. One fetch at a time, off the event loop, at most one in `refresh` seconds.

    Raises Transient when an unknown key may be the issuer's, but the issuer cannot be reached.
    """

    def __init__(self, url: str, tuning: Tuning, now: Callable[[], float]) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError("the key set's URL is http or https")
        self._url = url
        self._tuning = tuning
        self._now = now
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = -math.inf
        self._failed = False
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """The key of this id; None if the issuer has none of that id, as of `refresh` seconds ago at most."""
        known = kid in self._keys
        # While another caller refreshes, a key that is merely due is good enough.
        if not (known and (self._age(self._fetched) < self._tuning.lifetime or self._lock.locked())):
            async with self._lock:
                if self._age(self._tried) >= self._tuning.refresh:
                    await self._refresh()
        key = self._keys.get(kid)
        if key is not None and self._age(self._fetched) < self._tuning.stale:
            return key
        if self._failed:
            wait = max(self._tuning.refresh - self._age(self._tried), 1.0)
            raise Transient("the issuer's keys cannot be fetched", retry_after=wait)
        return None

    def _age(self, then: float) -> float:
        age = self._now() - then
        return age if age >= 0 else math.inf  # The clock was set back: nothing is known of the age.

    async def _refresh(self) -> None:
        self._tried, self._failed = self._now(), True
        try:
            async with asyncio.timeout(2 * self._tuning.timeout):
                raw = await asyncio.to_thread(self._tuning.fetch, self._url, self._tuning.timeout)
            keys = read_jwks(raw)
        except (OSError, HTTPException, ValueError) as error:
            log.warning("jwks_unavailable", error=type(error).__name__)
            return
        self._keys, self._fetched, self._failed = keys, self._now(), False


def read_jwks(raw: bytes) -> dict[str, jwt.PyJWK]:
    """The usable keys by id: named, for signatures, of an allowed algorithm, long enough.

    Others are passed over, as an issuer may publish what we do not know; ValueError if none is left.
    """
    try:
        listed = json.loads(raw)["keys"]
    except (TypeError, KeyError, RecursionError):
        raise ValueError("not a key set") from None
    keys: dict[str, jwt.PyJWK] = {}
    for entry in listed if isinstance(listed, list) else []:
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue
        long_enough = getattr(key.key, "key_size", MIN_RSA_BITS) >= MIN_RSA_BITS or key.key_type != "RSA"
        signs = key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig")
        if isinstance(key.key_id, str) and signs and long_enough:
            keys[key.key_id] = key
    if not keys:
        raise ValueError("a key set without a usable key")
    return keys
